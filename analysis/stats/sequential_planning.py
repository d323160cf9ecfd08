"""What looking early costs and saves: power, largest and expected sample size, and the classical boundaries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import optimize, stats

from analysis.stats.group_sequential import Boundaries, SequentialPlan, boundaries, equal_looks, fixed_quantile
from analysis.stats.sequential_integration import Crossings, crossings


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialCost:
    """A plan against one look with the same power.

    Attributes:
        inflation: largest sample size over that of one look.
        expected: expected sample size, under the effect planned for, over that of one look.
        expected_without_effect: the same where there is no effect.
        drift: mean of Z at the planned end that gives the power.
    """

    inflation: float
    expected: float
    expected_without_effect: float
    drift: float


def stopping(bounds: Boundaries, drift: float) -> Crossings:
    """Return where a plan stops for efficacy when Z at the planned end has mean ``drift``."""
    return crossings(bounds.fractions, bounds.upper, bounds.lower, drift)


def sequential_power(plan: SequentialPlan, drift: float, fractions: Sequence[float] | None = None) -> float:
    """Return the probability of stopping for a difference.

    Args:
        plan: the looks; evenly spaced where ``fractions`` are left out.
        drift: mean of Z at the planned end, effect * sqrt(planned information).
        fractions: information fractions of the looks.
    """
    return stopping(_bounds(plan, fractions), drift).total


def cost(plan: SequentialPlan, power: float = 0.8, fractions: Sequence[float] | None = None) -> SequentialCost:
    """Return what a plan needs more at most and less on average than one look with the same power.

    Source: Jennison and Turnbull 2000, sections 2.3 and 7.2.
    """
    if not plan.alpha < power < 1:
        raise ValueError(f"power lies between alpha and 1; got {power}")
    found = _bounds(plan, fractions)
    fixed = fixed_quantile(plan.alpha, plan.sides) + float(stats.norm.ppf(power))
    drift = float(optimize.brentq(lambda d: stopping(found, d).total - power, 0.5 * fixed, 4 * fixed, xtol=1e-9))
    inflation = (drift / fixed) ** 2
    return SequentialCost(
        inflation=inflation,
        expected=inflation * _mean_fraction(found, drift),
        expected_without_effect=inflation * _mean_fraction(found, 0.0),
        drift=drift,
    )


def _mean_fraction(bounds: Boundaries, drift: float) -> float:
    exits = stopping(bounds, drift)
    stop = [up + down for up, down in zip(exits.upper, exits.lower, strict=True)]
    stop[-1] += exits.alive
    return sum(fraction * share for fraction, share in zip(bounds.fractions, stop, strict=True))


def _bounds(plan: SequentialPlan, fractions: Sequence[float] | None) -> Boundaries:
    at = equal_looks(plan.planned_looks) if fractions is None else fractions
    return boundaries(plan, [fraction * plan.planned_information for fraction in at])


def peeking_error(looks: int, quantile: float = fixed_quantile(0.05)) -> float:
    """Return how often one of several evenly spaced looks passes a fixed quantile without any effect.

    Source: Armitage, McPherson and Rowe 1969, JRSS A 132.
    """
    return crossings(equal_looks(looks), [quantile] * looks, [-quantile] * looks).total


def wang_tsiatis(fractions: Sequence[float], alpha: float, shape: float, sides: int = 2) -> float:
    """Return c of the classical boundaries c t_k^(shape - 1/2): Pocock for shape 1/2, O'Brien-Fleming for 0.

    They fix the number and the times of the looks beforehand; spending does not, and is what experiments use.

    Source: Wang and Tsiatis 1987, Biometrics 43; Jennison and Turnbull 2000, tables 2.1 and 2.3.
    """
    last = fractions[-1]

    def excess(constant: float) -> float:
        high = [constant * (fraction / last) ** (shape - 0.5) for fraction in fractions]
        low = [-bound if sides == 2 else -math.inf for bound in high]
        return crossings(fractions, high, low).total - alpha

    return float(optimize.brentq(excess, 0.1, 12.0, xtol=1e-9))
