"""Moments of many numbers a unit in many cells at once (variant x hash bucket, day or stratum), as plain arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.moments import Array, Moments

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MomentMatrix:
    """Count, means, centred products and third powers of p numbers a unit, in each of several cells of units.

    The p numbers are every metric's numerator, denominator and covariates together, so that the products *across*
    metrics are there: how two metrics' effects covary cannot be recovered later. Products are centred about the cell's
    own mean, which loses no digits where mean / sd is large, and cells merge exactly (Chan, Golub, LeVeque 1979; third
    order after Pébay 2008).

    Attributes:
        n: shape (cells,), units.
        mean: shape (cells, p), in each number's unit.
        products: shape (cells, p (p + 1) / 2), upper triangle, row by row, of the sums of (v - mean)(v - mean)'.
        third: shape (cells, p), sums of (v - mean)**3.
    """

    n: Labels
    mean: Array
    products: Array
    third: Array

    def __post_init__(self) -> None:
        cells, p = self.mean.shape
        shapes = (self.n.shape, self.products.shape, self.third.shape)
        if shapes != ((cells,), (cells, p * (p + 1) // 2), (cells, p)):
            raise ValueError(f"{cells} cells of {p} numbers need (n,), (n, p(p+1)/2), (n, p); got {shapes}")

    @property
    def width(self) -> int:
        """Return p, how many numbers a unit has."""
        return int(self.mean.shape[1])

    @classmethod
    def from_values(cls, values: ArrayLike, cells: ArrayLike, count: int) -> Self:
        """Return the moments of one row a unit, shape (n, p), in the cell (0 to count - 1) that ``cells`` names."""
        table, labels = np.asarray(values, dtype=np.float64), np.asarray(cells)
        order = np.argsort(labels, kind="stable")
        table, labels = table[order], labels[order]
        ends = np.searchsorted(labels, np.arange(count + 1))
        p = table.shape[1]
        upper = np.triu_indices(p)
        n, mean = np.diff(ends), np.zeros((count, p))
        products, third = np.zeros((count, len(upper[0]))), np.zeros((count, p))
        for cell in np.flatnonzero(n):
            own = table[ends[cell] : ends[cell + 1]]
            mean[cell] = own.mean(axis=0)
            own = own - mean[cell]
            products[cell] = (own.T @ own)[upper]
            third[cell] = (own * own * own).sum(axis=0)
        return cls(n=n.astype(np.int64), mean=mean, products=products, third=third)

    @classmethod
    def from_sums(
        cls, n: ArrayLike, sums: ArrayLike, products: ArrayLike, cubes: ArrayLike, shift: ArrayLike | None = None
    ) -> Self:
        """Return the moments from sums of (v - shift), of its products (upper triangle) and of its cubes, each by cell.

        Sums in floats keep their digits only if ``shift`` is near the mean; see ``Moments.from_sums`` for exact sums.
        """
        count, s = np.asarray(n, dtype=np.int64), np.asarray(sums, dtype=np.float64)
        raw, c = np.asarray(products, dtype=np.float64), np.asarray(cubes, dtype=np.float64)
        origin = np.zeros(s.shape[1]) if shift is None else np.asarray(shift, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.where(count[:, None] > 0, s / count[:, None], 0.0)
        rows, columns = np.triu_indices(s.shape[1])
        centred = raw - s[:, rows] * off[:, columns]
        own = raw[:, rows == columns]
        third = c - 3 * off * own + 2 * count[:, None] * off**3
        centred[:, rows == columns] = np.maximum(centred[:, rows == columns], 0.0)
        return cls(n=count, mean=np.where(count[:, None] > 0, off + origin, 0.0), products=centred, third=third)

    @classmethod
    def concat(cls, parts: Iterable["MomentMatrix"]) -> Self:
        """Return the cells of all parts, one after the other; the parts have equally many numbers a unit."""
        chosen = list(parts)
        columns: dict[str, NDArray[Any]] = {
            name: np.concatenate([getattr(part, name) for part in chosen])
            for name in ("n", "mean", "products", "third")
        }
        return cls(**columns)

    def packed(self) -> Array:
        """Return one row of floats a cell: n, means, products, third powers; what a database keeps."""
        return np.column_stack([self.n.astype(np.float64), self.mean, self.products, self.third])

    @classmethod
    def from_packed(cls, rows: ArrayLike) -> Self:
        """Return the cells that ``packed`` wrote.

        Raises:
            ValueError: rows of a length that no p gives.
        """
        table = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        length = table.shape[1]
        p = int((np.sqrt(25 + 8 * (length - 1)) - 5) / 2 + 0.5)
        if 1 + p + p * (p + 1) // 2 + p != length:
            raise ValueError(
                f"a row of {length} numbers holds no moments; for p numbers a unit it has 1 + 2p + p(p+1)/2"
            )
        cuts = np.cumsum([1, p, p * (p + 1) // 2])
        count, mean, products, third = np.split(table, cuts, axis=1)
        return cls(n=np.rint(count[:, 0]).astype(np.int64), mean=mean, products=products, third=third)

    def take(self, cells: ArrayLike) -> "MomentMatrix":
        """Return some cells, in the order given."""
        chosen = np.asarray(cells, dtype=np.int64)
        return MomentMatrix(
            n=self.n[chosen], mean=self.mean[chosen], products=self.products[chosen], third=self.third[chosen]
        )

    def select(self, columns: Sequence[int]) -> "MomentMatrix":
        """Return some of the p numbers, in the order given, in every cell."""
        chosen, p = list(columns), self.width
        rows, others = np.triu_indices(len(chosen))
        a, b = np.asarray(chosen)[rows], np.asarray(chosen)[others]
        low, high = np.minimum(a, b), np.maximum(a, b)
        place = low * p - low * (low - 1) // 2 + (high - low)
        return MomentMatrix(
            n=self.n, mean=self.mean[:, chosen], products=self.products[:, place], third=self.third[:, chosen]
        )

    def merge(self, into: ArrayLike, count: int) -> "MomentMatrix":
        """Return ``count`` cells, each holding the units of all cells that ``into`` names for it."""
        labels = np.asarray(into, dtype=np.int64)
        n = np.zeros(count, dtype=np.int64)
        np.add.at(n, labels, self.n)
        weight = self.n[:, None]
        total = _added(self.mean * weight, labels, count)
        mean = np.divide(total, n[:, None], out=np.zeros_like(total), where=n[:, None] > 0)
        off = self.mean - mean[labels]
        rows, columns = np.triu_indices(self.width)
        own = self.products[:, rows == columns]
        products = _added(self.products + weight * off[:, rows] * off[:, columns], labels, count)
        third = _added(self.third + 3 * off * own + weight * off**3, labels, count)
        return MomentMatrix(n=n, mean=mean, products=products, third=third)

    def without_each(self) -> "MomentMatrix":
        """Return as many cells, each holding the units of all others: what a delete-a-bucket jackknife takes."""
        whole = self.merge(np.zeros(len(self.n), dtype=np.int64), 1)
        n = whole.n - self.n
        share = np.divide(self.n, n, out=np.zeros(len(n)), where=n > 0)[:, None]
        mean = np.where(n[:, None] > 0, whole.mean + (whole.mean - self.mean) * share, 0.0)
        rows, columns = np.triu_indices(self.width)
        out, kept = self.mean - whole.mean, mean - whole.mean
        weight, rest = self.n[:, None], n[:, None]
        between = weight * out[:, rows] * out[:, columns] + rest * kept[:, rows] * kept[:, columns]
        products = np.where(n[:, None] > 0, whole.products - self.products - between, 0.0)
        diagonal = rows == columns
        products[:, diagonal] = np.maximum(products[:, diagonal], 0.0)
        third = whole.third - self.third - 3 * out * self.products[:, diagonal] - weight * out**3
        third = third - 3 * kept * products[:, diagonal] - rest * kept**3
        return MomentMatrix(n=n, mean=mean, products=products, third=np.where(n[:, None] > 0, third, 0.0))

    def comoments(self) -> Array:
        """Return the full symmetric products, shape (cells, p, p)."""
        p = self.width
        rows, columns = np.triu_indices(p)
        full = np.empty((len(self.n), p, p))
        full[:, rows, columns] = self.products
        full[:, columns, rows] = self.products
        return full

    def cell(self, index: int) -> Moments:
        """Return one cell as moments."""
        one = self.take([index])
        return Moments(n=int(one.n[0]), mean=one.mean[0], comoment=one.comoments()[0], third=one.third[0])

    def covariance_of_means(self) -> Array:
        """Return each cell's covariance of the p means, C / n, shape (cells, p, p); of no meaning below two units."""
        scale = np.maximum(self.n * (self.n - 1.0), 1.0)
        return self.comoments() / scale[:, None, None]


def _added(parts: Array, labels: Labels, count: int) -> Array:
    """Return the sums of rows by label."""
    sums = np.zeros((count, parts.shape[1]))
    np.add.at(sums, labels, parts)
    return sums
