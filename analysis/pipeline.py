"""From the log to an immutable result: fold, moments, statistics, decision, snapshot."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import msgspec
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from analysis import crossing, data_quality, moment_sets, moments, people, self_check
from analysis.bots.results import bots_check
from analysis.chaining import Setting, chains
from analysis.counted import data_up_to as data_up_to
from analysis.counted import of_plan
from analysis.curves import effect_series
from analysis.decisions.inputs import OfflineFact, Situation, VariantCount
from analysis.decisions.readout import ENGINE_VERSION, Readout, read_out
from analysis.details import keeping as details
from analysis.looking import Course, course, record
from analysis.metric_inputs import extra, metric_input
from analysis.models import FoldedExperiment, MomentSet, ResultSnapshot
from analysis.moment_sets import Sets
from analysis.moments import ExperimentSums
from analysis.programme import vectors
from analysis.results import glance, latest
from analysis.results.schema import (
    SCHEMA_VERSION,
    ExperimentFacts,
    ExposurePoint,
    Health,
    MetricResult,
    Results,
    TriggeredShare,
    to_payload,
)
from analysis.rollup.fold import fold
from analysis.stats.settings import DEFAULTS
from analysis.triggering import triggered_share
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, MetricRole
from experiments.models import Experiment, ExperimentMetric, OfflineMetric, Variant

Progress = Callable[[int, str], None]
FOLDED_PERCENT, SUMMED_PERCENT, DECIDED_PERCENT = 60, 80, 95

LOOK_AGAIN = timedelta(hours=1)
"""A running experiment is read again this often without new events: that none came is a finding too."""


class NotStartedError(Exception):
    """A draft has no results; the message says what to do."""


def refresh(experiment: Experiment, on_progress: Progress | None = None) -> ResultSnapshot:
    """Read everything that has arrived and write a new snapshot, whether or not anything changed.

    Raises:
        NotStartedError: the experiment is a draft.
    """
    say = on_progress or _silent
    say(0, "Reading new events")
    fold(on_progress=lambda done, waiting: say(*_fold_progress(done, waiting)))
    results, changes, at, fault = _results(experiment, say)
    say(DECIDED_PERCENT, "Writing the result")
    snapshot = write(experiment, results, changes, at)
    _finish(experiment, results, changes, at, fault)
    return snapshot


def refresh_if_due(experiment: Experiment, now: datetime) -> ResultSnapshot | None:
    """Write a new snapshot of what is folded, if it is time to and it says anything new: the schedule's way."""
    last = latest.latest(experiment)
    if last is not None and not is_due(experiment, last, now):
        return None
    results, changes, at, fault = _results(experiment, _silent)
    if last is not None and same(last, results):
        mark_shown(experiment, changes)
        return None
    snapshot = write(experiment, results, changes, at)
    _finish(experiment, results, changes, at, fault)
    return snapshot


def is_due(experiment: Experiment, last: ResultSnapshot, now: datetime) -> bool:
    """Say whether the schedule should look at the experiment again.

    A young experiment is looked at every minute, an old one every five: what a minute adds to it is small. One without
    new events is looked at every hour, and one that stopped only when late events came.
    """
    shown = FoldedExperiment.objects.filter(pk=experiment.pk, shown_changes=F("changes")).exists()
    waited = now - last.as_of
    if shown:
        return experiment.status == Status.RUNNING and waited >= LOOK_AGAIN
    if experiment.stopped_at is not None or experiment.started_at is None:
        return True
    age = now - experiment.started_at
    return waited >= min(max(age / 300, timedelta(minutes=1)), timedelta(minutes=5)) - timedelta(seconds=5)


def analyse(experiment: Experiment, sums: ExperimentSums, as_of: datetime, data_up_to: datetime | None) -> Results:
    """Turn sums into results: no writing, no reading of the log."""
    return _analyse(experiment, course(experiment, sums, as_of), as_of, data_up_to, {})


def _analyse(experiment: Experiment, at: Course, as_of: datetime, data_up_to: datetime | None, sets: Sets) -> Results:
    variants = list(experiment.variants.select_related("model_version").prefetch_related("model_version__offline"))
    plan = list(experiment.plan.select_related("metric", "version"))
    for use in plan:
        use.experiment = experiment
    more = extra(experiment, plan, variants, at, data_up_to or moments.NEVER)
    sums = at.sums
    counts = [variant_count(variant, sums) for variant in variants]
    readout = read_out(
        situation(experiment, sums, as_of, data_up_to),
        counts,
        [metric_input(use, variants, at, more) for use in plan],
        DEFAULTS.alpha,
        looking=at.looking,
    )
    metrics = readout.metrics
    triggered = _triggered(plan, variants, sets, at)
    if MomentSet.By.BUCKET in sets:
        metrics = self_check.with_ratios(metrics, variants, sets[MomentSet.By.BUCKET])
    return Results(
        schema=SCHEMA_VERSION,
        engine_version=ENGINE_VERSION,
        as_of=as_of,
        data_up_to=data_up_to,
        alpha=DEFAULTS.alpha,
        experiment=facts(experiment, readout),
        variants=readout.variants,
        health=_health(experiment, readout, metrics, as_of),
        verdict=readout.verdict,
        metrics=[
            data_quality.with_missing_values(result, use.counted, sums.missing.get(use.metric_id, 0))
            for use, result in zip(plan, metrics, strict=True)
        ],
        effect_over_time=[
            series
            for use, result in zip(plan, readout.metrics, strict=True)
            for series in effect_series(use, variants, at, result)
        ],
        exposures_per_day=_exposures_per_day(variants, sums),
        looks=at.facts,
        triggered=triggered,
        chains=chains(
            Setting(
                experiment=experiment, counts=counts, plan=plan, variants=variants, readout=readout, sets=sets, at=at,
                triggered=triggered,
            )
        ),
    )  # fmt: skip


def _health(experiment: Experiment, readout: Readout, metrics: list[MetricResult], as_of: datetime) -> Health:
    """Return the decision's health with the checks of what lies around it: the sums themselves, strays and bots."""
    more = [
        *self_check.check_of(metrics),
        *data_quality.stray_checks(experiment, as_of),
        bots_check(experiment, {variant.key: variant.units for variant in readout.variants}),
    ]
    return msgspec.structs.replace(readout.health, checks=[*readout.health.checks, *filter(None, more)])


def _exposures_per_day(variants: list[Variant], sums: ExperimentSums) -> list[ExposurePoint]:
    return [
        ExposurePoint(day=day, variant=variant.key, units=sums.units.get(variant.pk, {}).get(day, 0))
        for day in sums.days()
        for variant in variants
    ]


def _triggered(plan: list[ExperimentMetric], variants: list[Variant], sets: Sets, at: Course) -> TriggeredShare | None:
    if MomentSet.By.TRIGGER not in sets:
        return None
    primaries = sum(use.role == MetricRole.PRIMARY for use in plan) * (len(variants) - 1)
    shared = DEFAULTS.alpha / max(1, primaries)
    alphas = {use.metric.key: shared if use.role == MetricRole.PRIMARY else DEFAULTS.alpha for use in plan}
    return triggered_share(plan, variants, sets[MomentSet.By.TRIGGER], at, alphas)


@transaction.atomic
def write(experiment: Experiment, results: Results, changes: int | None, at: Course | None = None) -> ResultSnapshot:
    """Store the results for good, with the look that they are, and remember which state of the fold they show."""
    snapshot = ResultSnapshot.objects.create(
        experiment=experiment,
        as_of=results.as_of,
        engine_version=results.engine_version,
        payload=to_payload(results),
    )
    glance.keep(experiment, snapshot, results)
    if at is not None:
        record(experiment, at)
    vectors.keep(experiment, trustworthy=results.health.trustworthy)
    mark_shown(experiment, changes)
    return snapshot


def in_depth(
    experiment: Experiment, changes: int | None, at: Course, as_of: datetime, data_up_to: datetime | None
) -> None:
    """Keep what each metric's own page shows beside the result, after the result itself is safe."""
    metrics = [replace(one, cap=at.sums.caps.get(one.metric)) for one in of_plan(experiment)]
    details.keep(experiment, metrics, changes, as_of, data_up_to or moments.NEVER, at.sums.total)


def situation(experiment: Experiment, sums: ExperimentSums, as_of: datetime, data_up_to: datetime | None) -> Situation:
    """Return the circumstances of the reading."""
    merged = people.merged(experiment)
    return Situation(
        experiment_name=experiment.name,
        unit_type=experiment.unit_type,
        started_at=experiment.counts_from,
        stopped_at=experiment.stopped_at,
        planned_days=experiment.planned_days,
        as_of=as_of,
        data_up_to=data_up_to,
        quarantined_units=sums.quarantined,
        overridden_units=data_quality.overridden_units(experiment),
        merged_units=merged.units,
        merged_quarantined=merged.quarantined,
        currency=experiment.project.currency,
        exposures_per_day={day: sum(per_day.get(day, 0) for per_day in sums.units.values()) for day in sums.days()},
        split_per_day=split_per_day(experiment, sums),
        launch=_launch(experiment),
    )


def _launch(experiment: Experiment) -> str:
    """Return the name of what has shipped, where the experiment is its holdback."""
    is_holdback = experiment.kind == ExperimentKind.HOLDBACK.value
    return experiment.parent.name if is_holdback and experiment.parent is not None else ""


def split_per_day(experiment: Experiment, sums: ExperimentSums) -> dict[date, dict[str, int]]:
    """Return each day's new units by variant key."""
    keys = dict(experiment.variants.values_list("pk", "key"))
    return {day: {key: sums.units.get(pk, {}).get(day, 0) for pk, key in keys.items()} for day in sums.days()}


def variant_count(variant: Variant, sums: ExperimentSums) -> VariantCount:
    """Return a variant with its number of units."""
    model = variant.model_version
    return VariantCount(
        key=variant.key,
        name=variant.name,
        is_control=variant.is_control,
        weight=variant.weight,
        units=sums.count(variant.pk),
        model_version=str(model) if model else None,
        offline=tuple(offline_fact(one) for one in model.offline.all()) if model else (),
    )


def offline_fact(row: OfflineMetric) -> OfflineFact:
    """Return an offline metric as the decision takes it."""
    return OfflineFact(
        name=row.name, value=row.value, low=row.low, high=row.high, evaluation_set=row.evaluation_set,
        direction=Direction(row.direction),
    )  # fmt: skip


def facts(experiment: Experiment, readout: Readout) -> ExperimentFacts:
    """Return the experiment as it is now."""
    started_at = experiment.counts_from
    if started_at is None:
        raise NotStartedError(f"{experiment.name} is a draft and has no results; start it first.")
    return ExperimentFacts(
        key=experiment.key,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        unit_type=experiment.unit_type,
        status=experiment.status,
        started_at=started_at,
        stopped_at=experiment.stopped_at,
        planned_days=experiment.planned_days,
        day=readout.day,
        currency=experiment.project.currency,
    )


def _results(experiment: Experiment, say: Progress) -> tuple[Results, int | None, Course, Exception | None]:
    """Return the results, the state of the fold that they show, their course, and what kept details from being read."""
    if experiment.started_at is None:
        raise NotStartedError(f"{experiment.name} is a draft and has no results; start it first.")
    as_of = timezone.now()
    # Read before the sums: should a fold run in between, its change counts as not yet shown.
    changes = changes_of(experiment)
    newest = data_up_to(experiment, as_of)
    say(FOLDED_PERCENT, "Adding up units")
    moments.keep(experiment)
    crossing.keep(experiment)
    sums = moments.collect(experiment, newest)
    say(SUMMED_PERCENT, "Comparing the variants")
    metrics = [replace(one, cap=sums.caps.get(one.metric)) for one in of_plan(experiment)]
    sets = moment_sets.current(experiment, metrics, changes, as_of, newest)
    at = course(experiment, sums, as_of)
    # A model's chain says for whom it works and whether it lasts. Of many units that takes long, and what was kept with
    # the result before has to do: the result itself must not wait for it.
    fault = None
    if sums.total < details.MANY_UNITS and _tries_models(experiment):
        fault = _in_depth_before(experiment, changes, at, as_of, newest)
    return _analyse(experiment, at, as_of, newest, sets), changes, at, fault


def _in_depth_before(
    experiment: Experiment, changes: int | None, at: Course, as_of: datetime, newest: datetime | None
) -> Exception | None:
    """Read the details first; return what went wrong, which must not hold the result back."""
    try:
        with transaction.atomic():
            in_depth(experiment, changes, at, as_of, newest)
    except Exception as fault:  # a task's time limit too: the result can still be written
        return fault
    return None


def _finish(experiment: Experiment, results: Results, changes: int | None, at: Course, fault: Exception | None) -> None:
    """Read the details where the result did not need them first; if that failed, say so now that the result is safe."""
    if fault is not None:
        raise fault
    in_depth(experiment, changes, at, results.as_of, results.data_up_to)


def _tries_models(experiment: Experiment) -> bool:
    return experiment.variants.filter(position__gt=0, model_version__isnull=False).exists()


def same(last: ResultSnapshot, results: Results) -> bool:
    """Say whether the last snapshot tells the same but for the moment it was made."""
    fresh: dict[str, object] = msgspec.json.decode(msgspec.json.encode(results))
    return {**last.payload, "as_of": None} == {**fresh, "as_of": None}


def changes_of(experiment: Experiment) -> int | None:
    """Return how often the fold has changed what is known of the experiment; None before it ever did."""
    return FoldedExperiment.objects.filter(pk=experiment.pk).values_list("changes", flat=True).first()


def mark_shown(experiment: Experiment, changes: int | None) -> None:
    """Remember that the newest result shows this state of the fold."""
    FoldedExperiment.objects.filter(pk=experiment.pk).update(shown_changes=changes)


def _silent(percent: int, step: str) -> None:
    """Tell nobody."""


def _fold_progress(done: int, waiting: int) -> tuple[int, str]:
    share = done / waiting if waiting else 1.0
    return int(FOLDED_PERCENT * share), f"Reading new events ({done:,} of {waiting:,})"
