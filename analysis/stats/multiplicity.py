"""Many comparisons at once: which may be called, and how wide their intervals must be.

Holm where one false call anywhere spoils the family; Benjamini-Hochberg for exploring, where a known share of the calls
may be false; e-BH for always-valid evidence, under any dependence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.stats.reference import two_sided_quantile


class Correction(StrEnum):
    """A correction for a family of comparisons, by what it keeps below alpha."""

    NONE = "none"
    BONFERRONI = "bonferroni"
    HOLM = "holm"
    HOMMEL = "hommel"
    BENJAMINI_HOCHBERG = "benjamini-hochberg"
    BENJAMINI_YEKUTIELI = "benjamini-yekutieli"


_METHODS = {
    Correction.BONFERRONI: "bonferroni",
    Correction.HOMMEL: "hommel",
    Correction.BENJAMINI_HOCHBERG: "fdr_bh",
    Correction.BENJAMINI_YEKUTIELI: "fdr_by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family after correction: adjusted p-values (None where there was none) and which are called at alpha."""

    adjusted: tuple[float | None, ...]
    called: tuple[bool, ...]


def correct(p_values: Sequence[float | None], correction: Correction, alpha: float = 0.05) -> Family:
    """Correct a family of p-values; those that could not be computed are left out of the family.

    Called exactly where the adjusted p-value is below alpha. By statsmodels ``multipletests``, except Holm's, for which
    it collects garbage on every call: a tenth of a second, for nothing.

    Raises:
        ValueError: a p-value outside 0 to 1.
    """
    known = [p for p in p_values if p is not None]
    if any(not 0 <= p <= 1 for p in known):
        raise ValueError(f"p-values lie in 0 to 1; got {[p for p in known if not 0 <= p <= 1]}")
    found = known
    if correction is Correction.HOLM:
        found = _step_down(known)
    elif known and correction is not Correction.NONE:
        from statsmodels.stats.multitest import multipletests  # with pandas: a second that no start should take

        found = [float(p) for p in multipletests(known, alpha=alpha, method=_METHODS[correction])[1]]
    rest = iter(found)
    adjusted = tuple(None if p is None else next(rest) for p in p_values)
    return Family(adjusted=adjusted, called=tuple(p is not None and p < alpha for p in adjusted))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's adjusted p-values: the chance of any false call stays below alpha, under any dependence."""
    return tuple(p for p in correct(p_values, Correction.HOLM).adjusted if p is not None)


def _step_down(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (1979): the k-th smallest times m - k + 1, never less than the one before."""
    m, largest, adjusted = len(p_values), 0.0, [1.0] * len(p_values)
    for rank, index in enumerate(sorted(range(m), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def e_bh(e_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Say which e-values are called, with a false discovery rate of alpha at most under any dependence.

    Source: Wang and Ramdas 2022, JRSS B 84: the k largest, k the largest with e_(k) >= m / (k alpha).
    """
    if any(e < 0 or math.isnan(e) for e in e_values):
        raise ValueError("e-values are 0 or more")
    m = len(e_values)
    order = sorted(e_values, reverse=True)
    bars = [e for k, e in enumerate(order, start=1) if e * k * alpha >= m]
    return tuple(bool(bars) and e >= bars[-1] for e in e_values)


def selected_intervals(
    estimates: Sequence[tuple[float, float]], called: Sequence[bool], alpha: float, df: float = math.inf
) -> tuple[tuple[float, float] | None, ...]:
    """Return intervals of the called ones that allow for their having been chosen (false coverage rate).

    Args:
        estimates: (value, standard error) of every member of the family.
        called: which were selected; with R of m called, intervals are at 1 - alpha R / m.
        df: of the reference distribution.

    Source: Benjamini and Yekutieli 2005, JASA 100.
    """
    share = sum(called) / max(1, len(called))
    if share == 0:
        return (None,) * len(called)
    quantile = two_sided_quantile(alpha * share, df)
    return tuple(
        (value - quantile * se, value + quantile * se) if chosen else None
        for (value, se), chosen in zip(estimates, called, strict=True)
    )


def simultaneous_alpha(alpha: float, comparisons: int) -> float:
    """Return the level of each interval so that all hold together (Bonferroni)."""
    return alpha / max(1, comparisons)
