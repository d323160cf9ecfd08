"""The split, watched all the time: a test that may be looked at daily, and one a segment or day at its own risk."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import gammaln

from analysis.stats.multiplicity import holm
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable

CONCENTRATION = 10_000.0
"""Dirichlet concentration: the prior share has a standard deviation of half a percentage point, the size of the
mismatches that are met. A flat prior (1) needs several times the units for the same alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSplitTest:
    """The evidence that the split is not as designed, at every look so far.

    Attributes:
        log_bayes_factor: at each look; above ln(1 / threshold) is an alarm.
        p_value: 1 / the largest Bayes factor so far; valid whenever looked at.
        mismatch: p_value is below the threshold.
        first_alarm: index of the look that raised it.
    """

    log_bayes_factor: tuple[float, ...]
    p_value: float
    mismatch: bool
    first_alarm: int | None


def log_bayes_factor(counts: Sequence[int], weights: Sequence[float], concentration: float = CONCENTRATION) -> float:
    """Return the log Bayes factor of any split against the designed one, after these counts.

    lnGamma(A) - sum lnGamma(a_j) + sum lnGamma(a_j + c_j) - lnGamma(A + C) - sum c_j ln theta_j with a = k theta. It is
    a martingale from 1 under the design, so it passes 1 / alpha at any time with probability alpha at most.

    Args:
        counts: units so far a variant.
        weights: the design, in any unit; all positive.
        concentration: k.

    Source: Lindon and Malek 2022, arXiv 2011.03567, equation 7.
    """
    return dirichlet_log_bayes_factor(counts, weights, [concentration * weight / sum(weights) for weight in weights])


def dirichlet_log_bayes_factor(counts: Sequence[int], weights: Sequence[float], prior: Sequence[float]) -> float:
    """Return the log Bayes factor with any Dirichlet prior over the shares."""
    if min(weights, default=0) <= 0 or min(prior, default=0) <= 0:
        raise ValueError(f"weights and prior are above 0 for every variant; got {list(weights)} and {list(prior)}")
    whole, total, mass = sum(weights), sum(counts), sum(prior)
    found = float(gammaln(mass) - gammaln(mass + total))
    for count, weight, own in zip(counts, weights, prior, strict=True):
        found += float(gammaln(own + count) - gammaln(own)) - count * math.log(weight / whole)
    return found


def sequential_split_test(
    looks: Sequence[Mapping[str, int]],
    weights: Mapping[str, float],
    threshold: float = 0.001,
    concentration: float = CONCENTRATION,
) -> SequentialSplitTest | NotComputable:
    """Test the split over looks at cumulated counts.

    Args:
        looks: units a variant up to each look, growing.
        weights: the design; a variant of weight 0 is left out unless it has units, which is a mismatch for certain.
        threshold: risk of a false alarm over all looks together.
        concentration: k of the prior.
    """
    if unknown := sorted({key for look in looks for key in look} - set(weights)):
        raise ValueError(f"counts of {unknown} but weights only of {sorted(weights)}; give every variant a weight")
    live = [key for key, weight in weights.items() if weight > 0]
    if len(live) < 2:
        return NotComputable("fewer than two variants have any weight")
    if not looks or sum(looks[-1].values()) == 0:
        return NotComputable("no unit has been exposed")
    logs = [
        math.inf
        if any(look.get(key, 0) > 0 for key in weights if key not in live)
        else log_bayes_factor([look.get(key, 0) for key in live], [weights[key] for key in live], concentration)
        for look in looks
    ]
    limit = -math.log(threshold)
    return SequentialSplitTest(
        log_bayes_factor=tuple(logs),
        p_value=math.exp(min(0.0, -max(logs))),
        mismatch=max(logs) > limit,
        first_alarm=next((index for index, one in enumerate(logs) if one > limit), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitBySegment:
    """The split within each segment (or day), chi-square with Holm's correction over the segments.

    ``mismatched`` names those that are broken although all share one risk.
    """

    tests: dict[str, SplitTest]
    adjusted_p_values: dict[str, float]
    mismatched: tuple[str, ...]


def split_by_segment(
    counts: Mapping[str, Mapping[str, int]], weights: Mapping[str, float], threshold: float = 0.001
) -> SplitBySegment | NotComputable:
    """Test the split in every segment or on every day, with a risk of its own over all of them.

    A mismatch that hits one browser, or one day, can leave the total within its limits.
    """
    found = {name: split_test(counted, weights) for name, counted in counts.items()}
    tests = {name: one for name, one in found.items() if isinstance(one, SplitTest)}
    if not tests:
        return NotComputable("no segment has enough units yet")
    adjusted = dict(zip(tests, holm([one.p_value for one in tests.values()]), strict=True))
    return SplitBySegment(
        tests=tests,
        adjusted_p_values=adjusted,
        mismatched=tuple(name for name, p in adjusted.items() if p < threshold),
    )
