"""Sample ratio mismatch: do the units arrive in the proportions that were set?"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTest:
    """Pearson's chi-square of the counts against the weights. ``mismatch`` says p is below the threshold."""

    statistic: float
    df: int
    p_value: float
    expected: dict[str, float]
    mismatch: bool


def split_test(
    counts: Mapping[str, int], weights: Mapping[str, float], settings: Settings = DEFAULTS
) -> SplitTest | NotComputable:
    """Test the counts of units against the weights, by chi-square with k - 1 degrees of freedom.

    A variant with weight but no unit is a cell like any other: leaving it out while keeping its degree of freedom hides
    the worst mismatch there is. A variant of weight 0 is left out, unless it has units: then the split is broken for
    certain.

    Args:
        counts: units a variant (variants without units may be missing).
        weights: a variant's share, in any unit.
        settings: the threshold, and the fewest units expected in each variant.

    Raises:
        ValueError: counts of a variant that has no weight entry.
    """
    if unknown := sorted(set(counts) - set(weights)):
        raise ValueError(f"counts of {unknown} but weights only of {sorted(weights)}; give every variant a weight")
    whole, total = sum(weights.values()), sum(counts.values())
    live = [key for key, weight in weights.items() if weight > 0]
    if len(live) < 2:
        return NotComputable("fewer than two variants have any weight")
    expected = {key: total * weight / whole for key, weight in weights.items()}
    if any(counts.get(key, 0) > 0 for key in weights if key not in live):
        return SplitTest(statistic=float("inf"), df=len(live) - 1, p_value=0.0, expected=expected, mismatch=True)
    if min(expected[key] for key in live) < settings.srm_min_expected:
        return NotComputable(f"too few units yet: {total} in all")
    found = stats.chisquare([counts.get(key, 0) for key in live], [expected[key] for key in live])
    p = float(found.pvalue)
    return SplitTest(
        statistic=float(found.statistic),
        df=len(live) - 1,
        p_value=p,
        expected=expected,
        mismatch=p < settings.srm_threshold,
    )
