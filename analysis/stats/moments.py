"""Moments: the few sums over units from which every estimate follows, right even where mean / sd is a million."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Number = int | float | Decimal | Fraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Count, mean vector and centred products of k numbers a unit, over n units.

    A mean or a proportion has k = 1, a ratio k = 2 (numerator, denominator). Adding moments merges disjoint sets of
    units; a unit's total must be formed before (moments add across units, never across days).

    Attributes:
        n: number of units.
        mean: shape (k,), in the metric's unit.
        comoment: shape (k, k), sum over units of (v - mean)(v - mean)'.
        third: shape (k,), sum over units of (v - mean)**3, for the skewness guard; None where it was not collected.
    """

    n: int
    mean: Array
    comoment: Array
    third: Array | None = None

    def __post_init__(self) -> None:
        k = self.mean.shape[0]
        if self.n < 0 or self.mean.ndim != 1 or self.comoment.shape != (k, k):
            message = f"moments need n >= 0 and shapes (k,), (k, k); got n = {self.n}, {self.mean.shape}, "
            raise ValueError(message + f"{self.comoment.shape}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.comoment).all()):
            raise ValueError("moments must be finite; leave out units whose value is missing before summing")

    @classmethod
    def empty(cls, k: int = 1, *, with_third: bool = False) -> Self:
        """Return the moments of no unit: what merging starts from."""
        return cls(n=0, mean=np.zeros(k), comoment=np.zeros((k, k)), third=np.zeros(k) if with_third else None)

    @classmethod
    def from_values(cls, values: ArrayLike) -> Self:
        """Return the moments of one row a unit: shape (n,) or (n, k)."""
        table = np.asarray(values, dtype=np.float64)
        table = table[:, None] if table.ndim == 1 else table
        if table.shape[0] == 0:
            return cls.empty(table.shape[1], with_third=True)
        mean = table.mean(axis=0)
        centred = table - mean
        return cls(
            n=table.shape[0],
            mean=mean,
            comoment=centred.T @ centred,
            third=(centred**3).sum(axis=0),
        )

    @classmethod
    def from_sums(
        cls,
        n: int,
        sums: Sequence[Number],
        products: Sequence[Sequence[Number]],
        *,
        cubes: Sequence[Number] | None = None,
        shift: Sequence[Number] | None = None,
    ) -> Self:
        """Return the moments from plain sums over units.

        The subtraction S - ss'/n is done in rational numbers, so it loses nothing: exact for integers and decimals (as
        PostgreSQL's ``numeric`` gives them). Sums that were added up as floats have already lost their low digits; add
        up ``value - shift`` then, with any constant near the mean.

        Args:
            n: number of units, those whose value is 0 included.
            sums: k sums of (v - shift).
            products: k x k sums of (v - shift)(v - shift)'; only the upper triangle is read.
            cubes: k sums of (v - shift)**3, where collected.
            shift: the constants that were subtracted before summing; zeros when left out.

        Raises:
            ValueError: the sums cannot belong to n real numbers.
        """
        if n == 0:
            return cls.empty(len(sums), with_third=cubes is not None)
        exact = [Fraction(value) for value in sums]
        offset = [Fraction(value) for value in shift] if shift is not None else [Fraction(0)] * len(exact)
        comoment = _centred_products(n, exact, products)
        third = None
        if cubes is not None:
            squares = [Fraction(products[i][i]) for i in range(len(exact))]
            third = np.array([_central_cube(n, *three) for three in zip(exact, squares, cubes, strict=True)])
        mean = np.array([float(a / n + b) for a, b in zip(exact, offset, strict=True)])
        return cls(n=n, mean=mean, comoment=comoment, third=third)

    def only(self, index: int) -> "Moments":
        """Return the moments of one of the k numbers alone."""
        return self.select([index])

    def select(self, indices: Sequence[int]) -> "Moments":
        """Return the moments of some of the k numbers, in the order given."""
        chosen = list(indices)
        third = None if self.third is None else self.third[chosen]
        return Moments(n=self.n, mean=self.mean[chosen], comoment=self.comoment[np.ix_(chosen, chosen)], third=third)

    def __add__(self, other: "Moments") -> "Moments":
        return merge(self, other)


def mean_moments(n: int, total: Number, squares: Number, cubes: Number | None = None) -> Moments:
    """Return the moments of one number a unit from its sum, sum of squares and, where known, sum of cubes."""
    return Moments.from_sums(n, [total], [[squares]], cubes=None if cubes is None else [cubes])


def proportion_moments(n: int, successes: int) -> Moments:
    """Return the moments of n units of which ``successes`` are 1 and the others 0."""
    return mean_moments(n, successes, successes, successes)


def pair_moments(
    n: int,
    numerator: Number,
    denominator: Number,
    numerator_squares: Number,
    products: Number,
    denominator_squares: Number,
) -> Moments:
    """Return the moments of a ratio's (numerator, denominator) a unit from their sums, squares and cross-products."""
    table = [[numerator_squares, products], [products, denominator_squares]]
    return Moments.from_sums(n, [numerator, denominator], table)


def merge(a: Moments, b: Moments) -> Moments:
    """Return the moments of two disjoint sets of units together.

    Source: Chan, Golub, LeVeque 1979, equation 2.1; third order after Pébay 2008, equation 2.1.
    """
    n = a.n + b.n
    if a.n == 0 or b.n == 0:
        kept = a if b.n == 0 else b
        third = None if a.third is None or b.third is None else kept.third
        return Moments(n=n, mean=kept.mean, comoment=kept.comoment, third=third)
    delta = b.mean - a.mean
    comoment = a.comoment + b.comoment + np.outer(delta, delta) * (a.n * b.n / n)
    third = None
    if a.third is not None and b.third is not None:
        own_a, own_b = np.diag(a.comoment), np.diag(b.comoment)
        third = a.third + b.third + delta**3 * (a.n * b.n * (a.n - b.n) / n**2)
        third = third + 3 * delta * (a.n * own_b - b.n * own_a) / n
    return Moments(n=n, mean=a.mean + delta * (b.n / n), comoment=comoment, third=third)


def merge_all(parts: Iterable[Moments], k: int = 1) -> Moments:
    """Return the moments of all parts together (``k`` numbers a unit, for when there is no part)."""
    merged: Moments | None = None
    for part in parts:
        merged = part if merged is None else merge(merged, part)
    return Moments.empty(k) if merged is None else merged


def _centred_products(n: int, sums: Sequence[Fraction], products: Sequence[Sequence[Number]]) -> Array:
    """Return S - ss'/n; a diagonal below zero by more than the rounding of float sums cannot be."""
    k = len(sums)
    table: NDArray[Any] = np.zeros((k, k))
    for i in range(k):
        for j in range(i, k):
            raw = Fraction(products[i][j])
            centred = raw - sums[i] * sums[j] / n
            if i == j and centred < 0:
                if -centred > abs(raw) * Fraction(1, 10**9):
                    message = f"the sum of squares {float(raw)} is too small for {n} values that add up to "
                    raise ValueError(message + f"{float(sums[i])}; sum the squares over the same units as the values")
                centred = Fraction(0)
            table[i, j] = table[j, i] = float(centred)
    return table


def _central_cube(n: int, total: Fraction, squares: Fraction, cubes: Number) -> float:
    """Return the sum of (v - mean)**3 from raw sums of powers."""
    mean = total / n
    return float(Fraction(cubes) - 3 * mean * squares + 2 * n * mean**3)
