"""Find the experiments of a list in the database: search, filters, stages, order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Count, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.fields import DurationField
from django.db.models.functions import Coalesce

from analysis.overview.wanted import MINE, Sort, Wanted
from experiments import filing
from experiments.domain.stages import Stage
from experiments.models import Experiment, ExperimentMetric, Layer, Metric, ModelVersion, Project, User, Variant
from experiments.staging import staged

Found = QuerySet[Experiment, Experiment]

STAGE_ORDER = (Stage.READY, Stage.WRAP_UP, Stage.RUNNING, Stage.DRAFT, Stage.CONCLUDED)
_RANKS = {stage.value: rank for rank, stage in enumerate(STAGE_ORDER)}

_OF_EXPERIMENT = (
    "project", "key", "name", "kind", "status", "hypothesis", "planned_days", "phase_started_at", "started_at",
    "stopped_at", "shipped_at", "tags",
)  # fmt: skip
_OF_RESULT = ("snapshot", "tone", "headline", "trustworthy", "recommendation")
_OF_GLANCE = (
    "metric_name", "treatments", "shown_variant", "reading", "change", "lift", "lift_low", "lift_high", "failed",
    "crossed",
)  # fmt: skip
SHOWN = (
    *_OF_EXPERIMENT, "owner__name", "owner__email", "layer__name",
    *(f"standing__{name}" for name in _OF_RESULT), *(f"standing__glance__{name}" for name in _OF_GLANCE),
)  # fmt: skip
"""What rows say. All columns of five tables would be three times as many, and most of the time of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the filters of a project offer; metrics, models and layers by key and name."""

    owners: Sequence[User] = ()
    tags: Sequence[str] = ()
    metrics: Sequence[tuple[str, str]] = ()
    models: Sequence[str] = ()
    layers: Sequence[tuple[str, str]] = field(default=())


def options(project: Project) -> Options:
    """Return the filters' choices: what at least the catalogue has, and the tags and owners in use."""
    owning = Experiment.objects.filter(project=project).values("owner")
    owners = User.objects.filter(pk__in=owning).order_by("name", "email").only("name", "email")
    models = ModelVersion.objects.filter(project=project).order_by("name").values_list("name", flat=True).distinct()
    return Options(
        owners=list(owners),
        tags=filing.tags_of(project),
        metrics=list(Metric.objects.filter(project=project).values_list("key", "name")),
        models=list(models),
        layers=list(Layer.objects.filter(project=project).values_list("key", "name")),
    )


def found(project: Project, user: User, wanted: Wanted, now: datetime) -> Found:
    """Return the experiments of a list with their stage, of every stage and in no order."""
    rows = staged(Experiment.objects.filter(project=project, archived_at__isnull=not wanted.archived), now)
    for word in wanted.words:
        rows = rows.filter(_has(project, word))
    return _filtered(rows, user, wanted)


def _has(project: Project, word: str) -> Q:
    """Say of one word where it may stand: any part of any of these."""
    measured = ExperimentMetric.objects.filter(metric__project=project, metric__name__icontains=word)
    return (
        Q(name__icontains=word)
        | Q(key__icontains=word)
        | Q(hypothesis__icontains=word)
        | Q(owner__name__icontains=word)
        | Q(owner__email__istartswith=word)
        | Q(tags__contains=[word])
        | Q(pk__in=measured.values("experiment"))
    )


def _filtered(rows: Found, user: User, wanted: Wanted) -> Found:
    if wanted.owner == MINE:
        rows = rows.filter(owner=user)
    elif wanted.owner:
        rows = rows.filter(owner=int(wanted.owner)) if _is_number(wanted.owner) else rows.none()
    if wanted.tag:
        rows = rows.filter(tags__contains=[wanted.tag.lower()])
    if wanted.metric:
        rows = rows.filter(pk__in=ExperimentMetric.objects.filter(metric__key=wanted.metric).values("experiment"))
    if wanted.model:
        rows = rows.filter(pk__in=Variant.objects.filter(model_version__name=wanted.model).values("experiment"))
    if wanted.layer:
        rows = rows.filter(layer__key=wanted.layer)
    if wanted.kind is not None:
        rows = rows.filter(kind=wanted.kind.value)
    if wanted.verdict is not None:
        rows = rows.filter(standing__recommendation=wanted.verdict.value)
    if wanted.since is not None:
        rows = rows.filter(Q(stopped_at__gte=_midnight(wanted.since)) | Q(stopped_at__isnull=True))
    if wanted.until is not None:
        rows = rows.filter(started_at__lt=_midnight(wanted.until + timedelta(days=1)))
    return rows


def of_stages(rows: Found, stages: Sequence[Stage]) -> Found:
    """Return those at these stages; at any, where none is named."""
    return rows.filter(Q(stage__in=[stage.value for stage in stages])) if stages else rows


def counts(rows: Found) -> dict[Stage, int]:
    """Return how many of the experiments are at each stage."""
    counted = dict(rows.order_by().values_list(F("stage")).annotate(n=Count("pk")))
    return {stage: counted.get(stage.value, 0) for stage in Stage}


def placed(rows: Found, sort: Sort) -> list[tuple[int, str]]:
    """Return all that were found, by pk with their stages, in order: a list counts them and shows some of them.

    Stages are told of all of them in one query. Asked for a count, and then for a page in the order of stages, the
    database would tell them three times.
    """
    found = list(ordered(rows, sort).values_list("pk", F("stage")))
    if sort is Sort.STAGE:
        found.sort(key=lambda one: _RANKS[one[1]])
    return found


def counted(placed: Iterable[tuple[int, str]]) -> dict[Stage, int]:
    """Return how many are at each stage."""
    counter = Counter(stage for _, stage in placed)
    return {stage: counter[stage.value] for stage in Stage}


def ordered(rows: Found, sort: Sort) -> Found:
    """Put the experiments into an order that never leaves two of them undecided; for stages ``placed`` does."""
    match sort:
        case Sort.NAME:
            return rows.order_by("name", "pk")
        case Sort.ENDING:
            return rows.order_by(planned_end().asc(nulls_last=True), "pk")
        case Sort.GAIN:
            return rows.order_by(F("standing__glance__lift").desc(nulls_last=True), "-pk")
    return rows.order_by(Coalesce("stopped_at", "started_at", "created_at").desc(), "-pk")


def planned_end() -> Coalesce:
    """Return when an experiment ends, or would by its plan; of a draft when it is planned to."""
    begins = Coalesce("phase_started_at", "started_at", "starts_at")
    lasts = ExpressionWrapper(F("planned_days") * Value(timedelta(days=1)), output_field=DurationField())
    by_plan = ExpressionWrapper(begins + lasts, output_field=DateTimeField())
    return Coalesce("stopped_at", "ends_at", by_plan)


def with_results(rows: Found) -> Found:
    """Bring along what a row says, in the same query; anything else of the experiment is a query of its own."""
    return rows.select_related("owner", "layer", "standing__glance").only(*SHOWN)


def of_known_stages(stages: Mapping[int, str]) -> list[Experiment]:
    """Return the experiments, found by pk with their stages before, in that order and with what rows say."""
    found = with_stages(with_results(Experiment.objects.filter(pk__in=list(stages))), stages)
    shown = {one.pk: one for one in found}
    return [shown[pk] for pk in stages if pk in shown]


def with_stages(found: Iterable[Experiment], stages: Mapping[int, str]) -> list[Experiment]:
    """Return those whose stage is known, with it."""
    known = [one for one in found if one.pk in stages]
    for one in known:
        one.stage = stages[one.pk]  # type: ignore[attr-defined]  # as experiments.staging would annotate it
    return known


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 18
