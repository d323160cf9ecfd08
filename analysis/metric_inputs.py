"""What the decision needs of each metric of a plan: moments, covariates, what is without its cap, quantiles, notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from analysis import covariates, quantile_readings
from analysis.counted import Counted, of_use
from analysis.covariates import Moment
from analysis.crossing import Key
from analysis.decisions import wording
from analysis.decisions.inputs import MetricInput, MetricPlan
from analysis.looking import Course, information_of
from analysis.moments import ExperimentSums
from analysis.stats.estimates import Estimate
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.definition_words import percentile, sentence, time
from experiments.domain.metrics import Direction, DisplayUnit, MetricRole, StandsFor
from experiments.models import Experiment, ExperimentMetric, Variant
from experiments.models.experiment import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What moments of units by day do not hold: (metric, variant) -> moments with covariates, and quantiles.

    ``read_at``: metric -> when its quantiles were read, where that is a while ago.
    """

    covariates: Mapping[Key, Moments]
    quantiles: Mapping[Key, Estimate | NotComputable]
    read_at: Mapping[int, datetime] = field(default_factory=dict)


NOTHING = Extra(covariates={}, quantiles={})


def extra(
    experiment: Experiment, plan: Sequence[ExperimentMetric], variants: Sequence[Variant], at: Course, horizon: datetime
) -> Extra:
    """Read it from the database, as it stands now or stood at the end of the plan's last look."""
    metrics = [of_use(use, experiment) for use in plan]
    when = Moment(horizon=horizon, until=at.facts.until or date.max)
    quantiles, read_at = quantile_readings.collect(experiment, metrics, [variant.pk for variant in variants], when)
    return Extra(
        covariates=covariates.collect(experiment, metrics, at.sums.caps, when), quantiles=quantiles, read_at=read_at
    )


def metric_input(use: ExperimentMetric, variants: Sequence[Variant], at: Course, more: Extra = NOTHING) -> MetricInput:
    """Return a metric of the plan with each variant's numbers."""
    sums, metric = at.sums, use.metric_id
    counted = of_use(use, use.experiment)
    kind = counted.definition.kind
    keys = {variant.pk: variant.key for variant in variants}
    uncapped = sums.caps.get(metric) is not None
    return MetricInput(
        plan=metric_plan(use, use.stands_for, notes=tuple(_notes(use, counted, sums, more.read_at.get(metric)))),
        moments={key: sums.final(metric, kind, pk) for pk, key in keys.items()},
        covariates={keys[pk]: found for (one, pk), found in more.covariates.items() if one == metric and pk in keys},
        uncapped={key: sums.final(-metric, kind, pk) for pk, key in keys.items()} if uncapped else {},
        estimates={keys[pk]: found for (one, pk), found in more.quantiles.items() if one == metric and pk in keys},
        looked=information_of(use.experiment, at, metric) if counted.matures else None,
    )


def metric_plan(use: ExperimentMetric, stands_for: str, notes: tuple[str, ...] = ()) -> MetricPlan:
    """Return a metric as the decision sees it; without ``stands_for`` its words say what it stands for."""
    metric, counted = use.metric, use.counted.definition()
    return MetricPlan(
        key=metric.key,
        name=metric.name,
        kind=counted.kind,
        role=MetricRole(use.role),
        direction=Direction(metric.direction),
        display_unit=DisplayUnit(metric.display_unit),
        margin=None if use.margin is None else use.margin / WHOLE,
        description=metric.description,
        event=counted.event,
        matters=_matters(use),
        stands_for=StandsFor(stands_for) if stands_for else None,
        declared_late=bool(stands_for) and use.declared_at is not None,
        definition=sentence(counted, use.experiment.unit_type),
        version=use.number,
        notes=notes,
    )


def _matters(use: ExperimentMetric) -> float | None:
    """Return the smallest change of a primary metric that is worth acting on, where the plan names one."""
    smallest = use.experiment.matters
    return None if smallest is None or use.role != MetricRole.PRIMARY else smallest / WHOLE


def _notes(use: ExperimentMetric, counted: Counted, sums: ExperimentSums, read_at: datetime | None) -> list[str]:
    notes = []
    if use.version_chosen_at is not None:
        at = use.version_chosen_at
        notes.append(f"Version {use.number} counts since {wording.day(at.day, at.month)}: chosen after the start.")
    if counted.matures:
        done = sum(sums.count(variant, counted.metric) for variant in sums.units)
        unit = use.experiment.unit_type
        notes.append(
            f"Counts whoever has been in for {time(counted.matures)}: {done:,} of "
            f"{wording.units(sums.total, unit)} so far."
        )
    if counted.metric in sums.caps:
        notes.append(_cap_note(counted, sums, use.experiment.unit_type))
    if read_at is not None:
        notes.append(
            f"As it was on {wording.day(read_at.day, read_at.month)} at {read_at:%H:%M} UTC: the more values there "
            "are, the less often a quantile is read from all of them."
        )
    return notes


def _cap_note(counted: Counted, sums: ExperimentSums, unit: str) -> str:
    cap, found_at = sums.caps[counted.metric], sums.found_at.get(counted.metric)
    share = counted.definition.cap_share
    if cap is None:
        return f"The {percentile(share or 0)} of all {unit}s is not above zero, so nothing is capped."
    which = "" if share is None else f", the {percentile(share)}"
    if found_at is not None:
        which += f" as it was on {wording.day(found_at.day, found_at.month)} at {found_at:%H:%M} UTC"
    return f"No {unit} counts for more than {cap:,.6g}{which}, in every variant the same."
