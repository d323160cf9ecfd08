"""How an experiment may be looked at, and a comparison as it stands at a look, all from one multiplier."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.stats.compare import ComparisonNumbers, Difference, with_lift
from analysis.stats.confidence_sequence import always_valid_p, boundary, too_early
from analysis.stats.estimates import Estimate, Form
from analysis.stats.group_sequential import SequentialPlan, boundaries, repeated_p_value
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLooks:
    """Looks under a group-sequential plan.

    Attributes:
        plan: fixed at the start, its alpha for one comparison alone; a comparison's own share takes its place.
        information: at every look so far, in the plan's unit (units in all variants, for instance), growing.
        final: no later look will come, so all of the risk may be spent.
    """

    plan: SequentialPlan
    information: tuple[float, ...]
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyLooks:
    """Looks as often as one likes. ``tuned_for``: units in both variants at which the interval is tightest."""

    tuned_for: int


Looking = PlannedLooks | AnyLooks


def at_look(numbers: ComparisonNumbers, looking: Looking) -> ComparisonNumbers:
    """Return the comparison with the interval, p-value and lift that hold although it was looked at before.

    One multiplier of the standard error makes all three, so that the interval excludes 0 exactly when p < alpha. A
    look that cannot stop yet has an unbounded interval and p = 1, and says why.
    """
    found, control, treatment = numbers.difference, numbers.control, numbers.treatment
    if not isinstance(found, Difference) or not isinstance(control, Estimate) or not isinstance(treatment, Estimate):
        return numbers
    if isinstance(looking, PlannedLooks):
        return _planned(numbers, found, looking)
    if missing := too_early(min(control.n, treatment.n), _conversions(numbers.form, control, treatment)):
        why = f"Not computable: {missing.reason}."
        return replace(numbers, difference=missing, lift=None, lift_interval=None, notes=(why,))
    n = control.n + treatment.n
    multiplier = boundary(n, numbers.alpha, looking.tuned_for)
    return widened(numbers, found, multiplier, always_valid_p(found.statistic, n, numbers.alpha, looking.tuned_for))


def shown(statistic: float, n: int, alpha: float, looking: Looking) -> bool:
    """Say whether a one-sided claim at ``alpha`` may be made of a statistic at this look (positive is the claim)."""
    if isinstance(looking, AnyLooks):
        return always_valid_p(statistic, n, alpha, looking.tuned_for, one_sided=True) < alpha
    plan = replace(looking.plan, alpha=alpha, sides=1, futility_risk=None)
    bound = _unless_stalled(lambda: boundaries(plan, looking.information, final=looking.final).upper[-1])
    return not isinstance(bound, NotComputable) and statistic > bound


def widened(numbers: ComparisonNumbers, found: Difference, multiplier: float, p_value: float) -> ComparisonNumbers:
    """Replace quantile and p-value, and with them the interval and the lift's."""
    reach = multiplier * found.standard_error
    wide = replace(
        found, df=math.inf, p_value=p_value, interval=(found.value - reach, found.value + reach), quantile=multiplier
    )
    kept = tuple(note for note in numbers.notes if not note.startswith("No "))
    full = with_lift(replace(numbers, difference=wide))
    return replace(full, notes=(*full.notes, *kept))


def _planned(numbers: ComparisonNumbers, found: Difference, looking: PlannedLooks) -> ComparisonNumbers:
    plan = replace(looking.plan, alpha=numbers.alpha, futility_risk=None)
    bound = _unless_stalled(lambda: boundaries(plan, looking.information, final=looking.final).upper[-1])
    if isinstance(bound, NotComputable):
        why = f"Not computable: {bound.reason}."
        return replace(numbers, difference=bound, lift=None, lift_interval=None, notes=(why,))
    if math.isinf(bound):
        unbounded = replace(found, p_value=1.0, interval=(-math.inf, math.inf), quantile=math.inf)
        why = "No interval: this look may not stop the experiment, whatever it shows."
        return replace(numbers, difference=unbounded, lift_interval=None, notes=(why, *numbers.notes))
    return widened(numbers, found, bound, _p_value(plan, looking, found.statistic, bound))


def _p_value(plan: SequentialPlan, looking: PlannedLooks, statistic: float, bound: float) -> float:
    """Return the repeated p-value; rounding at the boundary itself must not part it from the interval."""
    p = repeated_p_value(plan, looking.information, statistic, final=looking.final)
    if abs(statistic) > bound:
        return min(p, math.nextafter(plan.alpha, 0))
    return max(p, plan.alpha)


def _unless_stalled(work: Callable[[], float]) -> float | NotComputable:
    """Return what is worked out, or why not where the information did not grow since the look before."""
    try:
        return work()
    except ValueError:
        return NotComputable("nothing was added since the look before")


def _conversions(form: Form, control: Estimate, treatment: Estimate) -> float | None:
    """Return the fewest successes or failures in a variant, for proportions."""
    if form is not Form.PROPORTION:
        return None
    return min(arm.n * min(arm.value, 1 - arm.value) for arm in (control, treatment))
