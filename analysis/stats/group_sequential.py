"""Looking a planned number of times: group-sequential boundaries by alpha spending, and what a look may say.

The default where a sample size is planned. Spending follows the information that is really there, so looks need not be
evenly spaced, nor as many as planned (Lan and DeMets 1983).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from scipy import optimize, stats

from analysis.stats.sequential_integration import Paths, above, advance, begin, below
from analysis.stats.spending import Spending, spent
from analysis.stats.unavailable import NotComputable

_NOTHING = 1e-18
"""A look that may spend less than this cannot stop: no statistic is computed that exactly."""
_BEYOND = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialPlan:
    """How an experiment will be looked at; fixed before the start, for a plan that follows the data is no plan.

    Attributes:
        alpha: overall risk, two-sided unless ``sides`` is 1.
        planned_information: at the planned end, in any unit that grows with 1 / se² (units, for instance).
        planned_looks: how many looks are meant; the boundaries follow those that happen.
        spending: the spending function.
        rho: exponent of the power function.
        sides: 2 spends alpha / 2 on each side; 1 all of it above.
        futility_risk: risk of stopping a true effect of ``futility_drift`` for futility; None for no futility boundary.
            It is non-binding: the upper boundary does not count on its being obeyed.
        futility_drift: mean of Z at the planned end under the effect planned for (2.80 for 80 % power at 5 %).
    """

    alpha: float
    planned_information: float
    planned_looks: int
    spending: Spending = Spending.OBRIEN_FLEMING
    rho: float = 2.0
    sides: int = 2
    futility_risk: float | None = None
    futility_drift: float = 2.8016

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or self.sides not in (1, 2):
            raise ValueError(f"alpha lies in 0 to 1 and sides is 1 or 2; got {self.alpha} and {self.sides}")
        if self.planned_information <= 0 or self.planned_looks < 1:
            raise ValueError(
                f"planned information is above 0 and looks at least 1; got {self.planned_information} and "
                f"{self.planned_looks}"
            )

    @property
    def side_risk(self) -> float:
        """Return the risk of one side."""
        return self.alpha / self.sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """Boundaries at each look so far.

    Attributes:
        fractions: information fractions as they were.
        upper: a look stops for a difference from here on; infinite where it cannot stop.
        spent: risk of one side spent by the end of the look.
        futility: at or below, the planned effect has become unlikely; -infinite without futility.
        sides: 2 for boundaries mirrored below.
    """

    fractions: tuple[float, ...]
    upper: tuple[float, ...]
    spent: tuple[float, ...]
    futility: tuple[float, ...]
    sides: int

    @property
    def lower(self) -> tuple[float, ...]:
        """Return the mirrored boundary, or none for a one-sided plan."""
        return tuple(-bound for bound in self.upper) if self.sides == 2 else (-math.inf,) * len(self.upper)


def boundaries(plan: SequentialPlan, information: Sequence[float], *, final: bool = False) -> Boundaries:
    """Return the boundary of every look so far.

    Each look spends what the spending function allows at its actual information fraction beyond what earlier looks
    spent. From a fraction of 1 on everything is spent: later looks describe and cannot stop. The correlation between
    looks uses the actual information, also above 1.

    Args:
        plan: fixed at the start.
        information: at each look, increasing, in the plan's unit.
        final: the last look is the last for certain, so it spends all that is left (an experiment that ended short).

    Source: Lan and DeMets 1983; Jennison and Turnbull 2000, chapter 7.

    Raises:
        ValueError: information that does not grow.
    """
    return _boundaries(plan, tuple(float(one) for one in information), final)


@lru_cache(maxsize=512)
def _boundaries(plan: SequentialPlan, information: tuple[float, ...], final: bool) -> Boundaries:
    """Work out the boundaries; all metrics of a look share them."""
    fractions = [one / plan.planned_information for one in information]
    state, gone, uppers, cumulated = begin(), 0.0, [], []
    for index, fraction in enumerate(fractions):
        last = final and index == len(fractions) - 1
        allowed = plan.side_risk if last else spent(plan.spending, fraction, plan.side_risk, plan.rho)
        bound = _bound(partial(above, state, fraction, 0.0), allowed - gone)
        gone = gone if math.isinf(bound) else allowed
        state = advance(state, fraction, 0.0, -bound if plan.sides == 2 else -math.inf, bound)
        uppers.append(bound)
        cumulated.append(gone)
    futility = _futility(plan, fractions, uppers)
    return Boundaries(
        fractions=tuple(fractions),
        upper=tuple(uppers),
        spent=tuple(cumulated),
        futility=tuple(futility),
        sides=plan.sides,
    )


def _bound(tail: Callable[[float], float], risk: float) -> float:
    """Return z with tail(z) = risk, solved on the logarithm so that tiny risks keep their digits."""
    if risk < _NOTHING:
        return math.inf
    target = math.log(risk)
    if tail(-_BEYOND) <= risk:
        return -_BEYOND

    def gap(z: float) -> float:
        return math.log(max(tail(z), 1e-300)) - target

    return float(optimize.brentq(gap, -_BEYOND, _BEYOND, xtol=1e-10))


def _mirrored_below(state: Paths, fraction: float, drift: float, z: float) -> float:
    return below(state, fraction, drift, -z)


def _futility(plan: SequentialPlan, fractions: Sequence[float], upper: Sequence[float]) -> list[float]:
    """Return the non-binding futility boundary: beta spending under the planned effect, the same spending function."""
    if plan.futility_risk is None:
        return [-math.inf] * len(fractions)
    state, gone, found = begin(), 0.0, []
    for fraction, high in zip(fractions, upper, strict=True):
        allowed = spent(plan.spending, fraction, plan.futility_risk, plan.rho)
        mirrored = _bound(partial(_mirrored_below, state, fraction, plan.futility_drift), allowed - gone)
        bound = min(-mirrored, high)
        gone = gone if math.isinf(mirrored) else allowed
        if high > bound:
            state = advance(state, fraction, plan.futility_drift, bound, high)
        found.append(bound)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What look k may say.

    Attributes:
        number: this look, from 1.
        planned_looks: of the plan.
        fraction: information so far over planned.
        boundary: |Z| from which the look may stop.
        statistic: estimate / se.
        may_stop: the boundary is reached (excludes 0, never by the estimate alone).
        futile: the non-binding futility boundary is reached.
        interval: repeated confidence interval, estimate +- boundary * se; excludes 0 exactly when ``may_stop``.
        spent: two-sided risk spent so far.
    """

    number: int
    planned_looks: int
    fraction: float
    boundary: float
    statistic: float
    may_stop: bool
    futile: bool
    interval: tuple[float, float]
    spent: float


def look(
    plan: SequentialPlan, information: Sequence[float], estimate: float, standard_error: float, *, final: bool = False
) -> Look | NotComputable:
    """Read the latest look.

    Args:
        plan: fixed at the start.
        information: at every look so far, this one included, in the plan's unit.
        estimate, standard_error: at this look, of any metric (adjusted, ratio).
        final: no later look will come.

    Source: repeated confidence intervals, Jennison and Turnbull 1989, JRSS B 51.
    """
    if not information:
        return NotComputable("no look has been taken yet")
    if standard_error <= 0 or not math.isfinite(standard_error):
        return NotComputable("the standard error is zero, so nothing can be tested")
    steps = zip((0.0, *information), information, strict=False)
    if any(now < before + 1e-5 * abs(now) or now <= 0 for before, now in steps):
        return NotComputable("the information did not grow since the look before")
    found = boundaries(plan, information, final=final)
    bound, z = found.upper[-1], estimate / standard_error
    low = estimate - bound * standard_error
    return Look(
        number=len(information),
        planned_looks=plan.planned_looks,
        fraction=found.fractions[-1],
        boundary=bound,
        statistic=z,
        may_stop=(abs(z) if plan.sides == 2 else z) > bound,
        futile=z <= found.futility[-1],
        interval=(low, estimate + bound * standard_error if plan.sides == 2 else math.inf),
        spent=plan.sides * found.spent[-1],
    )


def repeated_p_value(
    plan: SequentialPlan, information: Sequence[float], statistic: float, *, final: bool = False
) -> float:
    """Return the smallest alpha at which this look would stop; below the plan's alpha exactly when it may stop.

    Source: Jennison and Turnbull 2000, section 9.3 (repeated significance level).
    """
    z = abs(statistic) if plan.sides == 2 else statistic

    def reached(alpha: float) -> float:
        other = replace(plan, alpha=alpha, futility_risk=None)
        return min(boundaries(other, information, final=final).upper[-1], _BEYOND) - z

    low, high = 1e-12, min(0.999, 0.4999 * plan.sides)
    if reached(plan.alpha) > 0:
        low = plan.alpha
        if reached(high) >= 0:
            return 1.0
    else:
        high = plan.alpha
        if reached(low) <= 0:
            return low
    solved = optimize.brentq(lambda log_alpha: reached(math.exp(log_alpha)), math.log(low), math.log(high), xtol=1e-7)
    return float(math.exp(solved))


def equal_looks(looks: int) -> tuple[float, ...]:
    """Return the information fractions of evenly spaced looks."""
    return tuple((index + 1) / looks for index in range(looks))


def fixed_quantile(alpha: float, sides: int = 2) -> float:
    """Return the quantile of a single look."""
    return float(stats.norm.isf(alpha / sides))
