"""What one comparison says in words, and when it must not say anything yet."""

import math
from dataclasses import dataclass

from analysis.decisions import wording
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import MetricPlan
from analysis.decisions.rules import DEFAULTS, Rules
from analysis.results.schema import Reading
from analysis.stats.compare import ComparisonNumbers, Difference
from analysis.stats.equivalence import Size, relative_equivalence
from analysis.stats.estimates import Estimate, Form
from analysis.stats.looks import Looking, shown
from analysis.stats.noninferiority import margin_test
from analysis.stats.reference import two_sided_quantile
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import Direction, MetricKind

FORMS: dict[MetricKind, Form] = {
    MetricKind.PROPORTION: Form.PROPORTION,
    MetricKind.COUNT: Form.MEAN,
    MetricKind.SUM: Form.MEAN,
    MetricKind.MEAN: Form.RATIO,
    MetricKind.RATIO: Form.RATIO,
    MetricKind.RETENTION: Form.PROPORTION,
    MetricKind.DISTINCT: Form.MEAN,
    MetricKind.FUNNEL: Form.PROPORTION,
    MetricKind.QUANTILE: Form.MEAN,
}
"""How a metric's value is formed over units. A quantile is formed over events, by itself: its estimates are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingWithReasons:
    """A reading and, for "Too early", what is still missing."""

    reading: Reading
    reasons: tuple[str, ...] = ()


def read(
    plan: MetricPlan,
    numbers: ComparisonNumbers,
    horizon: Horizon,
    *,
    trustworthy: bool,
    unit_type: str = "unit",
    rules: Rules = DEFAULTS,
    looking: Looking | None = None,
) -> ReadingWithReasons:
    """Put a comparison into words.

    Before the planned end only harm is read, and only at ``rules.interim_alpha``: a gain seen by looking early is not
    a gain. With ``looking`` the numbers hold at every look, and are read as they are.
    """
    if not trustworthy:
        return ReadingWithReasons(reading=Reading.NOT_TRUSTWORTHY)
    if missing := floors(numbers, unit_type, rules):
        return ReadingWithReasons(reading=Reading.TOO_EARLY, reasons=missing)
    found = numbers.difference
    if isinstance(found, NotComputable):
        return ReadingWithReasons(reading=Reading.TOO_EARLY, reasons=(wording.opening(found.reason) + ".",))
    if horizon.peeking and looking is None:
        harm = found.p_value < rules.interim_alpha and not is_gain(plan, found)
        return ReadingWithReasons(reading=Reading.WORSE if harm else Reading.TOO_EARLY)
    if found.p_value >= numbers.alpha:
        return ReadingWithReasons(reading=Reading.NO_CLEAR_CHANGE)
    return ReadingWithReasons(reading=Reading.BETTER if is_gain(plan, found) else Reading.WORSE)


def is_gain(plan: MetricPlan, found: Difference) -> bool:
    """Say whether the difference points in the metric's good direction."""
    return (found.value > 0) == (plan.direction is Direction.INCREASE)


def floors(numbers: ComparisonNumbers, unit_type: str = "unit", rules: Rules = DEFAULTS) -> tuple[str, ...]:
    """Return what is missing before the comparison may be read at all; nothing when enough is there."""
    arms = [arm for arm in (numbers.control, numbers.treatment) if isinstance(arm, Estimate)]
    if len(arms) < 2:
        return ()
    smallest = min(arm.n for arm in arms)
    if smallest < rules.min_units:
        have = wording.units(smallest, unit_type)
        return (f"{have} in the smaller variant; a reading needs at least {rules.min_units}.",)
    if numbers.form is Form.PROPORTION:
        pooled = sum(arm.value * arm.n for arm in arms) / sum(arm.n for arm in arms)
        expected = smallest * min(pooled, 1 - pooled)
        if expected < rules.min_expected_conversions:
            what = "successes" if pooled <= 0.5 else "failures"
            have = wording.number(expected)
            return (
                f"{have} {what} to be expected in the smaller variant; a reading needs at least "
                f"{rules.min_expected_conversions:.0f}.",
            )
    return ()


def margin_crossed(
    plan: MetricPlan,
    numbers: ComparisonNumbers,
    horizon: Horizon,
    *,
    trustworthy: bool,
    alpha: float,
    rules: Rules = DEFAULTS,
    looking: Looking | None = None,
) -> bool | None:
    """Say whether a guardrail's limit is shown to be crossed (True), shown to be held (False), or neither (None).

    Held: one-sided at alpha, as in a non-inferiority test. Crossed: one-sided at alpha / 2, which is when the interval
    that the page shows lies wholly beyond the limit. Before the planned end nothing is held yet, and crossing must pass
    the interim level. With ``looking`` both are tested at the look's own boundary, and crossing at the interim level as
    well: the first looks' boundaries are too far out to stop a disaster.
    """
    control, treatment = numbers.control, numbers.treatment
    if plan.margin is None or not trustworthy or floors(numbers, rules=rules):
        return None
    if isinstance(control, NotComputable) or isinstance(treatment, NotComputable):
        return None
    higher = plan.direction is Direction.INCREASE
    test = margin_test(control, treatment, plan.margin, higher_is_better=higher, covariance=numbers.covariance)
    if isinstance(test, NotComputable):
        return None
    if test.p_crossed < (rules.interim_alpha if horizon.peeking else alpha if looking is None else 0.0) / 2:
        return True
    if looking is not None:
        return _crossed_at_look(test.statistic, control.n + treatment.n, alpha, looking)
    return False if not horizon.peeking and test.p_held < alpha else None


def _crossed_at_look(statistic: float, n: int, alpha: float, looking: Looking) -> bool | None:
    if shown(-statistic, n, alpha / 2, looking):
        return True
    return False if shown(statistic, n, alpha, looking) else None


def size(plan: MetricPlan, numbers: ComparisonNumbers, alpha: float, looking: Looking | None = None) -> str | None:
    """Say how the change compares with the smallest that matters; None where none is named or nothing can be said.

    With ``looking`` a claim must pass this look's own boundary on every side that it is about.
    """
    control, treatment = numbers.control, numbers.treatment
    if plan.matters is None or isinstance(control, NotComputable) or isinstance(treatment, NotComputable):
        return None
    found = relative_equivalence(control, treatment, margin=plan.matters, alpha=alpha, covariance=numbers.covariance)
    if isinstance(found, NotComputable):
        return None
    if looking is None or found.size is Size.OPEN:
        return found.size.value
    claims = [found.p_low, found.p_high] if found.size is Size.NEGLIGIBLE else [1 - max(found.p_low, found.p_high)]
    n = control.n + treatment.n
    passed = all(shown(two_sided_quantile(2 * claim, math.inf), n, alpha, looking) for claim in claims)
    return found.size.value if passed else Size.OPEN.value
