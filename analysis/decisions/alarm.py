"""A guardrail's alarm: a test that may be looked at after every event and yet rings falsely in few experiments.

The distance of the treatment from the limit, in standard errors, against the boundary of a one-sided asymptotic
confidence sequence (``stats.confidence_sequence``): the risk holds over all looks together, however many there are.
"""

import math
from collections.abc import Sequence

from analysis.decisions.inputs import MetricPlan
from analysis.stats.compare import ComparisonNumbers
from analysis.stats.confidence_sequence import always_valid_p, too_early
from analysis.stats.estimates import Estimate, Form
from analysis.stats.noninferiority import margin_test
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import Direction

ALARM_RISK = 0.01
"""Of a hundred experiments whose guardrails all sit at their limits, one rings: an alarm that wakes people must be
rare, and one that is due rings a little later for it."""

TUNED_FOR = 10_000
"""Units in two variants at which the alarm is most sensitive. Fixed for all, because it must be fixed before the start;
early, because a disaster shows in the first thousands. At a million units its boundary is 15 % wider than the best."""


def alarm_share(plans: Sequence[MetricPlan], treatments: int) -> float:
    """Return each guardrail comparison's share of the risk: of any of an experiment's alarms ringing falsely."""
    return ALARM_RISK / max(1, sum(plan.margin is not None for plan in plans) * treatments)


def alarm_p_value(plan: MetricPlan, numbers: ComparisonNumbers, risk: float) -> float | None:
    """Return the always-valid p-value of "within the limit"; None without a limit or while it cannot be said.

    Args:
        plan: with the margin and the direction.
        numbers: control, treatment and their covariance.
        risk: this comparison's share of ``ALARM_RISK``, for which the boundary is tuned.
    """
    control, treatment = numbers.control, numbers.treatment
    if plan.margin is None or not isinstance(control, Estimate) or not isinstance(treatment, Estimate):
        return None
    if too_early(min(control.n, treatment.n), _conversions(numbers.form, control, treatment)):
        return None
    higher = plan.direction is Direction.INCREASE
    test = margin_test(control, treatment, plan.margin, higher_is_better=higher, covariance=numbers.covariance)
    if isinstance(test, NotComputable) or not math.isfinite(test.statistic):
        return None
    return always_valid_p(-test.statistic, control.n + treatment.n, risk, TUNED_FOR, one_sided=True)


def _conversions(form: Form, control: Estimate, treatment: Estimate) -> float | None:
    """Return the fewest successes or failures to be expected in a variant, for proportions.

    Expected under the pooled share, so that none at all in the control does not silence an alarm about the treatment.
    """
    if form is not Form.PROPORTION:
        return None
    n = control.n + treatment.n
    pooled = (control.value * control.n + treatment.value * treatment.n) / n
    return min(control.n, treatment.n) * min(pooled, 1 - pooled)
