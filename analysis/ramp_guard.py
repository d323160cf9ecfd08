"""Hold a ramp while results object: a broken split, a guardrail that is worse, guardrails that nobody can read yet."""

from collections.abc import Iterator
from datetime import datetime

from analysis.results.latest import latest, results_of
from analysis.results.schema import Reading, Results
from experiments.domain import ramps
from experiments.domain.metrics import MetricRole
from experiments.models import Experiment


def objection(experiment: Experiment) -> str | None:
    """Return why the experiment's traffic must not grow now, or None. Of a shipped variant its holdback is asked."""
    measured = _measured(experiment)
    if measured is None:
        return None
    snapshot = latest(measured)
    results = results_of(snapshot) if snapshot is not None else None
    if results is None or results.as_of < _step_began(experiment):
        return _without_result(measured)
    return next(_objections(results), None)


def _measured(experiment: Experiment) -> Experiment | None:
    if experiment.shipped_variant_id is None:
        return experiment
    return experiment.follow_ups.order_by("-started_at").first()


def _step_began(experiment: Experiment) -> datetime:
    ramp = ramps.read(experiment.ramp)
    if ramp is None or ramp.stepped_at is None:
        raise ValueError(f"Experiment {experiment.key!r} has no ramp under way, so that no step of it can be due.")
    return ramp.stepped_at


def _without_result(experiment: Experiment) -> str | None:
    names = [use.metric.name for use in experiment.plan.select_related("metric") if use.role == MetricRole.GUARDRAIL]
    return f"No result shows this step yet, so that nothing is known of {', '.join(names)}." if names else None


def _objections(results: Results) -> Iterator[str]:
    if not results.health.trustworthy:
        failed = [f"{check.name}: {check.summary}" for check in results.health.checks if check.ok is False]
        yield f"The results cannot be trusted. {' '.join(failed)}".strip()
    for metric in results.metrics:
        for one in metric.comparisons:
            if metric.role == MetricRole.GUARDRAIL and (one.margin_crossed or one.reading is Reading.WORSE):
                limit = "crossed its limit" if one.margin_crossed else "is worse"
                yield f"{metric.name} {limit} in {one.variant}."
