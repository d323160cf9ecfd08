"""What of an experiment's events could not be used: said beside the results, so that an app's mistake is found."""

from datetime import datetime, timedelta

import msgspec

from analysis.models import StrayExposure
from analysis.results.schema import Check, Comparison, MetricResult
from analysis.rollup import sql, units
from experiments.domain.units import UnitType
from experiments.models import Experiment
from experiments.models.metric import Defined

RECENT = timedelta(days=1)
"""A mistake that was put right is not held against the experiment for longer than this."""

OVERRIDDEN = """
SELECT count(*) FROM experiments_override o JOIN experiments_experiment x ON x.id = o.experiment_id
WHERE x.id = %(experiment)s AND EXISTS (
    SELECT FROM events_log l
    WHERE l.project_id = x.project_id AND {unit} = o.unit_id {indexed} AND l.experiment = x.key AND l.environment = 0
      AND l.at >= coalesce(x.phase_started_at, x.started_at) AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
)
"""

_FIELDS = {UnitType.USER: "userId", UnitType.DEVICE: "anonymousId"}


def stray_checks(experiment: Experiment, as_of: datetime) -> list[Check]:
    """Return a failed check for each way in which recent exposures to the experiment could not be used."""
    strays = StrayExposure.objects.filter(
        project=experiment.project_id, experiment=experiment.key, newest_at__gte=as_of - RECENT
    ).order_by("-exposures", "variant")
    unknown = [stray for stray in strays if stray.reason == StrayExposure.Reason.NO_VARIANT]
    nobody = sum(stray.exposures for stray in strays if stray.reason == StrayExposure.Reason.NO_UNIT)
    checks = []
    if unknown:
        checks.append(_unknown_variants(unknown))
    if nobody:
        checks.append(_without_unit(experiment, nobody))
    return checks


def overridden_units(experiment: Experiment) -> int:
    """Return how many units with an override were exposed to the experiment, and are left out of it for that."""
    unit, indexed = units.unit_of(experiment.unit_type), units.indexed(experiment.unit_type)
    return sql.number(OVERRIDDEN.format(unit=unit, indexed=indexed), {"experiment": experiment.pk})


def with_missing_values(result: MetricResult, metric: Defined, missing: int) -> MetricResult:
    """Return a metric's result with a warning about the events whose property was no number."""
    if not missing:
        return result
    events = "1 event carries" if missing == 1 else f"{missing:,} events carry"
    warning = f"{events} no number in the property {metric.property!r}, and add nothing."
    return msgspec.structs.replace(result, comparisons=[_warned(each, warning) for each in result.comparisons])


def _unknown_variants(strays: list[StrayExposure]) -> Check:
    said = _exposures(sum(stray.exposures for stray in strays), "names", "name")
    named = ", ".join(repr(stray.variant) for stray in strays[:3]) + (" and others" if len(strays) > 3 else "")
    return Check(
        key="unknown-variants",
        name="Variant names",
        ok=False,
        summary=f"{said} no variant of this experiment: {named}",
        what_to_do="Have the app send as variation_id the variant that the evaluation returned.",
    )


def _without_unit(experiment: Experiment, exposures: int) -> Check:
    unit_type = UnitType(experiment.unit_type)
    said = _exposures(exposures, "carries", "carry")
    field = _FIELDS.get(unit_type, f"the property {unit_type.value}_id")
    return Check(
        key="exposures-without-unit",
        name="Units named",
        ok=False,
        summary=f"{said} no {unit_type.value}, or an id longer than 255 characters",
        what_to_do=f"Send {field} with every event.",
    )


def _exposures(count: int, one: str, many: str) -> str:
    return f"1 exposure {one}" if count == 1 else f"{count:,} exposures {many}"


def _warned(comparison: Comparison, warning: str) -> Comparison:
    return msgspec.structs.replace(comparison, warnings=[*comparison.warnings, warning])
