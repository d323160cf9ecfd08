"""From a metric's input to the numbers of one comparison: plain, adjusted, uncapped, of a quantile."""

import math
from dataclasses import replace

from analysis.decisions.inputs import MetricInput
from analysis.decisions.reading import FORMS
from analysis.results.schema import Beside
from analysis.stats.adjusted import adjusted_from, imbalance_notes
from analysis.stats.compare import ComparisonNumbers, Difference, compare, compare_estimates
from analysis.stats.estimates import Estimate, Form
from analysis.stats.looks import Looking, PlannedLooks
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import RATIOS
from experiments.domain.metrics import MetricKind


def compare_metric(kind: MetricKind, control: Moments, treatment: Moments, alpha: float) -> ComparisonNumbers:
    """Compare one treatment with the control on a metric of this kind."""
    return compare(FORMS[kind], control, treatment, alpha)


def compare_input(metric: MetricInput, control: str, treatment: str, alpha: float) -> ComparisonNumbers:
    """Compare one treatment with the control: by moments, of a quantile by its estimates."""
    kind = metric.plan.kind
    if kind is MetricKind.QUANTILE:
        nobody = NotComputable("no unit has a value")
        before, after = (metric.estimates.get(key, nobody) for key in (control, treatment))
        return compare_estimates(FORMS[kind], before, after, alpha)
    return compare_metric(kind, metric_moments(metric, control), metric_moments(metric, treatment), alpha)


def adjusted_input(plain: ComparisonNumbers, metric: MetricInput, control: str, treatment: str) -> ComparisonNumbers:
    """Return the comparison adjusted for the days before the exposure, where the plan says so and it can be."""
    before, after = metric.covariates.get(control), metric.covariates.get(treatment)
    if before is None or after is None or not (_differ(before, plain.form) or _differ(after, plain.form)):
        return plain
    numbers, how = adjusted_from(plain, before, after, ratio_covariates=1 if plain.form is Form.RATIO else 0)
    return numbers if how is None else replace(numbers, notes=(*numbers.notes, *imbalance_notes(how)))


def _differ(found: Moments, form: Form) -> bool:
    """Say whether units differ in any covariate: where nobody did anything before, there is nothing to adjust for."""
    own = 2 if form is Form.RATIO else 1
    return bool((found.comoment.diagonal()[own:] > 0).any())


def metric_moments(metric: MetricInput, key: str) -> Moments:
    """Return a variant's moments, those of no unit where it has none."""
    return metric.moments.get(key, Moments.empty(2 if metric.plan.kind in RATIOS else 1))


def units_of(metric: MetricInput, key: str) -> int:
    """Return how many units a variant's value is formed over: of a quantile those that have a value."""
    if metric.plan.kind is not MetricKind.QUANTILE:
        return metric_moments(metric, key).n
    found = metric.estimates.get(key)
    return found.n if isinstance(found, Estimate) else 0


def looking_at(looking: Looking | None, units: tuple[float, ...]) -> Looking | None:
    """Return a plan of looks with the information of a metric for which not all units count yet."""
    return replace(looking, information=units) if isinstance(looking, PlannedLooks) else looking


def other_way(way: str, numbers: ComparisonNumbers) -> Beside:
    """Return a comparison that stands beside another one."""
    found = numbers.difference if isinstance(numbers.difference, Difference) else None
    return Beside(
        way=way,
        value=numbers.treatment.value if isinstance(numbers.treatment, Estimate) else None,
        control_value=numbers.control.value if isinstance(numbers.control, Estimate) else None,
        difference=found.value if found else None,
        difference_interval=bounded(found.interval) if found else None,
        lift=numbers.lift,
        lift_interval=numbers.lift_interval,
        p_value=found.p_value if found else None,
        standard_error=found.standard_error if found else None,
    )


def bounded(interval: tuple[float, float]) -> tuple[float | None, float | None]:
    """Write an interval without bounds as the schema does."""
    low, high = interval
    return (low if math.isfinite(low) else None, high if math.isfinite(high) else None)
