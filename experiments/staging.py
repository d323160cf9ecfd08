"""Stages of many experiments at once: the table of ``domain.stages`` as the database reads it."""

from datetime import datetime, timedelta

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan

from experiments.domain.conclusions import SAYS_SOMETHING, Choice, ConclusionState
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status, day_of
from experiments.domain.looking import ReadingPlan
from experiments.domain.stages import FOLLOWING, Facts, Place, Stage, place
from experiments.models import Conclusion, Experiment, Standing

_LIVE = [status.value for status in LIVE]


def staged(found: "QuerySet[Experiment, Experiment]", now: datetime) -> "QuerySet[Experiment, Experiment]":
    """Add to each experiment its ``stage``, so that it can be filtered, counted and ordered by it."""
    made, asked = (
        Conclusion.objects.filter(experiment=OuterRef("pk"), state=state.value)
        for state in (ConclusionState.MADE, ConclusionState.REQUESTED)
    )
    follows = Q(kind__in=[kind.value for kind in FOLLOWING])
    says = Q(standing__trustworthy=True, standing__recommendation__in=[one.value for one in SAYS_SOMETHING])
    return found.annotate(
        stage=Case(
            When(status=Status.DRAFT.value, then=Value(Stage.DRAFT.value)),
            When(follows & Q(status__in=_LIVE), then=Value(Stage.RUNNING.value)),
            When(follows | Q(Exists(made)) | Q(shipped_at__isnull=False), then=Value(Stage.CONCLUDED.value)),
            When(Q(Exists(asked)) | says, then=Value(Stage.READY.value)),
            When(~Q(status__in=_LIVE) | _past_its_plan(now), then=Value(Stage.WRAP_UP.value)),
            default=Value(Stage.RUNNING.value),
            output_field=CharField(),
        )
    )


def _past_its_plan(now: datetime) -> Q:
    """Say of what is read once at its end whether that end lies back; a pause does not move it."""
    planned = ExpressionWrapper(F("planned_days") * Value(timedelta(days=1)), output_field=DurationField())
    latest_start = ExpressionWrapper(Value(now, output_field=DateTimeField()) - planned, output_field=DateTimeField())
    return Q(reading=ReadingPlan.FIXED.value) & Q(LessThan(Coalesce("phase_started_at", "started_at"), latest_start))


def facts_of(experiment: Experiment, now: datetime) -> Facts:
    """Return what decides the stage of one experiment; its ``standing`` should be at hand."""
    standing: Standing | None = getattr(experiment, "standing", None)
    states = dict(
        Conclusion.objects.filter(
            experiment=experiment, state__in=[ConclusionState.MADE.value, ConclusionState.REQUESTED.value]
        ).values_list("state", "decision")
    )
    decided = states.get(ConclusionState.MADE.value)
    return Facts(
        status=Status(experiment.status),
        kind=ExperimentKind(experiment.kind),
        day=day_of(experiment.counts_from, experiment.stopped_at, now),
        planned_days=experiment.planned_days,
        reading=ReadingPlan(experiment.reading),
        recommendation=standing.recommendation if standing else "",
        trustworthy=standing.trustworthy if standing else None,
        waits_for_second=ConclusionState.REQUESTED.value in states,
        decision=None if decided is None else Choice(decided),
        is_shipped=experiment.shipped_variant_id is not None,
    )


def place_of(experiment: Experiment, now: datetime) -> Place:
    """Return where one experiment is in its life, why, and what is next."""
    return place(facts_of(experiment, now))
