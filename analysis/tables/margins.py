"""Guardrails of a file: the limit's test for one look, or one that holds however often it is looked at."""

from analysis.decisions import reading as readings
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import MetricPlan
from analysis.stats.compare import ComparisonNumbers, Difference
from analysis.stats.confidence_sequence import always_valid_p
from analysis.stats.estimates import Estimate
from analysis.stats.noninferiority import margin_test
from analysis.stats.unavailable import NotComputable
from analysis.tables.comparing import Looks
from experiments.domain.metrics import Direction


def crossed(
    plan: MetricPlan, numbers: ComparisonNumbers, ended: Horizon, alpha: float, looks: Looks, *, trustworthy: bool
) -> bool | None:
    """Say whether a limit is shown to be crossed (True), held (False), or neither (None).

    Under repeated looks both directions use the two-sided always-valid p-value at alpha, which errs on the safe side.
    """
    if not looks.sequential:
        return readings.margin_crossed(plan, numbers, ended, trustworthy=trustworthy, alpha=alpha)
    control, treatment = numbers.control, numbers.treatment
    if plan.margin is None or not trustworthy or not isinstance(numbers.difference, Difference):
        return None
    if not isinstance(control, Estimate) or not isinstance(treatment, Estimate) or readings.floors(numbers):
        return None
    higher = plan.direction is Direction.INCREASE
    test = margin_test(control, treatment, plan.margin, higher_is_better=higher, covariance=numbers.covariance)
    if isinstance(test, NotComputable):
        return None
    if always_valid_p(test.statistic, control.n + treatment.n, alpha, looks.planned_units) >= alpha:
        return None
    return test.statistic < 0
