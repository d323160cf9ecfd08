"""Metrics: list, read, add, change, certify, archive; each change of what they count makes a version."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any

from django.db.models import Q
from msgspec import UNSET, Meta, Struct, UnsetType

from experiments.api.answers import bad_value, conflict
from experiments.api.fields import Description, Name, Taken, Why, WhyOnly
from experiments.api.finding import metric_of
from experiments.api.listing import SearchPage, page
from experiments.api.operations import Call, Operation
from experiments.domain.definition_words import sentence
from experiments.domain.definitions import (
    COVARIATE_DAYS,
    MOST_COVARIATE_DAYS,
    MOST_HOURS,
    Definition,
    FunnelStep,
    flaws,
)
from experiments.domain.filters import Filter, Operator
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, StandsFor
from experiments.domain.names import RESERVED_KEYS
from experiments.domain.shares import WHOLE
from experiments.metric_versions import DefinitionError, revise_metric
from experiments.metrics import (
    MetricWords,
    add_metric,
    archive_metric,
    certify,
    edit_metric,
    restore_metric,
    withdraw_certificate,
)
from experiments.models import Membership, Metric, MetricVersion, Project, User
from experiments.models.metric import Defined, columns_of

MetricKey = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[-a-zA-Z0-9_]+$")]
EventName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\S")]
OtherName = Annotated[str, Meta(max_length=128)]
Hours = Annotated[int, Meta(ge=0, le=MOST_HOURS)]
Days = Annotated[int, Meta(ge=0, le=MOST_COVARIATE_DAYS)]
Level = Annotated[int, Meta(ge=1, lt=WHOLE, description="Ten-thousandths: 9500 is the 95th percentile.")]
Amount = Annotated[float, Meta(gt=0, lt=1e18)]
Note = Annotated[str, Meta(max_length=300, description="What is different, and why.")]
Scalar = str | int | float | bool


class FilterBody(Taken, frozen=True, kw_only=True):
    """A condition on a property. ``value`` is a list for "in", and left out for "exists"."""

    property: Annotated[str, Meta(min_length=1, max_length=128)]
    operator: Operator
    value: Scalar | list[Scalar] | None = None


class StepBody(Taken, frozen=True, kw_only=True):
    """A step of a funnel."""

    event: EventName
    filters: list[FilterBody] = []


class Counts(Struct, frozen=True, kw_only=True):
    """What a metric counts. Hours are after a unit's first exposure, ``level`` and ``cap_share`` ten-thousandths."""

    kind: MetricKind
    event: str
    property: str
    filters: list[FilterBody]
    denominator_event: str
    denominator_property: str
    denominator_filters: list[FilterBody]
    refund_event: str
    refund_property: str
    steps: list[StepBody]
    level: int | None
    delay_hours: int
    window_hours: int | None
    minimum_hours: int
    cap_value: float | None
    cap_share: int | None
    covariate_days: int
    sentence: str


class MetricAnswer(Counts, frozen=True, kw_only=True):
    """A metric: how events of one unit become that unit's number. What it counts is that of its newest version."""

    key: str
    name: str
    description: str
    direction: Direction
    display_unit: DisplayUnit
    stands_for: StandsFor | None
    version: int
    owner: str | None
    certified_version: int | None
    certified_by: str | None
    certified_at: datetime | None
    archived_at: datetime | None
    created_at: datetime


class MetricList(Struct, frozen=True, kw_only=True):
    """A page of metrics, newest first."""

    metrics: list[MetricAnswer]
    next: str | None


class VersionAnswer(Counts, frozen=True, kw_only=True):
    """One definition that a metric has or had, and the experiments that count by it."""

    version: int
    note: str
    created_by: str | None
    created_at: datetime
    experiments: list[str]


class VersionList(Struct, frozen=True, kw_only=True):
    """All versions of a metric, newest first."""

    versions: list[VersionAnswer]


class MetricPage(SearchPage, frozen=True, kw_only=True):
    """Which part; archived ones only where they are asked for."""

    archived: bool = False


class DefinitionBody(Taken, frozen=True, kw_only=True):
    """What a metric counts. What a kind needs and what it may have says docs/metrics.md."""

    kind: MetricKind
    event: OtherName = ""
    property: OtherName = ""
    filters: list[FilterBody] = []
    denominator_event: OtherName = ""
    denominator_property: OtherName = ""
    denominator_filters: list[FilterBody] = []
    refund_event: OtherName = ""
    refund_property: OtherName = ""
    steps: list[StepBody] = []
    level: Level | None = None
    delay_hours: Hours = 0
    window_hours: Hours | None = None
    minimum_hours: Hours = 0
    cap_value: Amount | None = None
    cap_share: Level | None = None
    covariate_days: Days = COVARIATE_DAYS


class NewMetric(DefinitionBody, frozen=True, kw_only=True):
    """A metric with what it counts, whose first version this is."""

    key: MetricKey
    name: Name
    direction: Direction = Direction.INCREASE
    display_unit: DisplayUnit = DisplayUnit.NUMBER
    description: Description = ""
    stands_for: StandsFor | None = None
    owner: str | None = None
    note: Note = ""


class MetricChanges(Taken, frozen=True, kw_only=True):
    """What is to be different; what is left out stays. Another definition makes a version, and needs a note."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET
    display_unit: DisplayUnit | UnsetType = UNSET
    stands_for: StandsFor | UnsetType | None = UNSET
    owner: str | UnsetType | None = UNSET
    kind: MetricKind | UnsetType = UNSET
    event: OtherName | UnsetType = UNSET
    property: OtherName | UnsetType = UNSET
    filters: list[FilterBody] | UnsetType = UNSET
    denominator_event: OtherName | UnsetType = UNSET
    denominator_property: OtherName | UnsetType = UNSET
    denominator_filters: list[FilterBody] | UnsetType = UNSET
    refund_event: OtherName | UnsetType = UNSET
    refund_property: OtherName | UnsetType = UNSET
    steps: list[StepBody] | UnsetType = UNSET
    level: Level | UnsetType | None = UNSET
    delay_hours: Hours | UnsetType = UNSET
    window_hours: Hours | UnsetType | None = UNSET
    minimum_hours: Hours | UnsetType = UNSET
    cap_value: Amount | UnsetType | None = UNSET
    cap_share: Level | UnsetType | None = UNSET
    covariate_days: Days | UnsetType = UNSET
    note: Note = ""


class Certifying(Taken, frozen=True, kw_only=True):
    """Which version somebody looked at: it must be the newest."""

    version: Annotated[int, Meta(ge=1)]
    why: Why = ""


PARTS = tuple(name for name in MetricChanges.__struct_fields__ if name in Definition.__dataclass_fields__)


def _counts(row: Defined) -> dict[str, Any]:
    found = row.definition()
    kept = columns_of(found)
    return {
        **{name: kept[name] for name in PARTS},
        "kind": found.kind,
        "cap_value": None if found.cap_value is None else float(found.cap_value),
        "filters": _filters(found.filters),
        "denominator_filters": _filters(found.denominator_filters),
        "steps": [StepBody(event=step.event, filters=_filters(step.filters)) for step in found.steps],
        "sentence": sentence(found),
    }


def _filters(filters: tuple[Filter, ...]) -> list[FilterBody]:
    return [
        FilterBody(
            property=one.property,
            operator=one.operator,
            value=list(one.value) if isinstance(one.value, tuple) else one.value,
        )
        for one in filters
    ]


def _metric(row: Metric) -> MetricAnswer:
    return MetricAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        direction=Direction(row.direction),
        display_unit=DisplayUnit(row.display_unit),
        stands_for=StandsFor(row.stands_for) if row.stands_for else None,
        version=row.version,
        owner=None if row.owner is None else row.owner.email,
        certified_version=row.certified_version,
        certified_by=None if row.certified_by is None else row.certified_by.email,
        certified_at=row.certified_at,
        archived_at=row.archived_at,
        created_at=row.created_at,
        **_counts(row),
    )


def metrics(call: Call) -> MetricList:
    """List metrics."""
    found = Metric.objects.filter(project=call.project, archived_at__isnull=not call.query.archived)
    if word := call.query.search:
        found = found.filter(Q(key__icontains=word) | Q(name__icontains=word))
    rows, following = page(call, found.select_related("owner", "certified_by"))
    return MetricList(metrics=[_metric(row) for row in rows], next=following)


def metric(call: Call) -> MetricAnswer:
    """Return one metric."""
    return _metric(metric_of(call))


def new_metric(call: Call, body: NewMetric) -> MetricAnswer:
    """Add a metric."""
    wanted = given_definition(body)
    if body.key in RESERVED_KEYS:
        raise bad_value(f"The key {body.key!r} is an address of its own; choose another.", "key")
    if Metric.objects.filter(project=call.project, key=body.key).exists():
        raise conflict(f"The key {body.key!r} is already used in this project; choose another.", "key_taken", "key")
    made = Metric(
        key=body.key,
        name=body.name,
        description=body.description,
        direction=body.direction.value,
        display_unit=body.display_unit.value,
        stands_for=body.stands_for or "",
        owner=_member(call.project, body.owner),
        **columns_of(wanted),
    )
    return _metric(add_metric(call.project, None, made, body.note))


def given_definition(body: DefinitionBody) -> Definition:
    """Return what a client wants counted.

    Raises
    ------
    ApiError
        When it cannot be counted, or names what its kind does not use.
    """
    wanted = _wanted(Definition(kind=body.kind, event=body.event), {name: getattr(body, name) for name in PARTS})
    if wanted.kind is MetricKind.FUNNEL and wanted.steps:
        wanted = replace(wanted, event=wanted.steps[-1].event, filters=wanted.steps[-1].filters)
    for flaw in flaws(wanted):
        raise bad_value(flaw.message, flaw.field)
    return wanted


def change(call: Call, body: MetricChanges) -> MetricAnswer:
    """Change a metric's words, or what it counts."""
    row = metric_of(call)
    given = {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}
    owner = _member(call.project, given["owner"]) if "owner" in given else row.owner
    try:
        revise_metric(row, None, _wanted(row.definition(), given), body.note)
    except DefinitionError as error:
        raise bad_value(str(error), error.field) from error
    words = MetricWords(
        name=given.get("name", row.name),
        description=given.get("description", row.description),
        direction=Direction(given.get("direction", row.direction)),
        display_unit=DisplayUnit(given.get("display_unit", row.display_unit)),
        owner=owner,
        stands_for=given.get("stands_for", StandsFor(row.stands_for) if row.stands_for else None),
    )
    edit_metric(row, None, words, body.note)
    return _metric(metric_of(call))


def _wanted(before: Definition, given: dict[str, Any]) -> Definition:
    """Return the definition with what a client gave in place of what was."""
    parts = {name: given[name] for name in PARTS if name in given}
    for name in ("filters", "denominator_filters"):
        if name in parts:
            parts[name] = tuple(map(_filter, parts[name]))
    if "steps" in parts:
        parts["steps"] = tuple(
            FunnelStep(event=step.event, filters=tuple(map(_filter, step.filters))) for step in parts["steps"]
        )
    if parts.get("cap_value") is not None:
        parts["cap_value"] = Decimal(str(parts["cap_value"]))
    return replace(before, **parts)


def _filter(given: FilterBody) -> Filter:
    value = tuple(given.value) if isinstance(given.value, list) else given.value
    return Filter(property=given.property, operator=given.operator, value=value)


def _member(project: Project, email: str | None) -> User | None:
    if email is None:
        return None
    found = Membership.objects.filter(project=project, user__email__iexact=email).select_related("user").first()
    if found is None:
        raise bad_value(f"Project {project.slug} has no member {email[:100]!r}.", "owner")
    return found.user


def versions(call: Call) -> VersionList:
    """List a metric's versions."""
    rows = metric_of(call).versions.select_related("created_by").prefetch_related("uses__experiment")
    return VersionList(versions=[_version(row) for row in rows])


def _version(row: MetricVersion) -> VersionAnswer:
    return VersionAnswer(
        version=row.number,
        note=row.note,
        created_by=None if row.created_by is None else row.created_by.email,
        created_at=row.created_at,
        experiments=sorted(use.experiment.key for use in row.uses.all()),
        **_counts(row),
    )


def vouch(call: Call, body: Certifying) -> MetricAnswer:
    """Certify a metric's newest version."""
    certify(metric_of(call), None, body.version, body.why)
    return metric(call)


def take_back(call: Call, body: WhyOnly) -> MetricAnswer:
    """Take a certificate back."""
    withdraw_certificate(metric_of(call), None, body.why)
    return metric(call)


def archive(call: Call, body: WhyOnly) -> MetricAnswer:
    """Archive a metric."""
    archive_metric(metric_of(call), None, body.why)
    return metric(call)


def restore(call: Call, body: WhyOnly) -> MetricAnswer:
    """Restore a metric."""
    restore_metric(metric_of(call), None, body.why)
    return metric(call)


def _act(path: str, summary: str, handle: Any, takes: type[Taken] = WhyOnly) -> Operation:
    return Operation(
        method="POST", path=f"/metrics/{{key}}/{path}", summary=summary, handle=handle, takes=takes,
        answers=MetricAnswer, current=metric,
    )  # fmt: skip


OPERATIONS = [
    Operation(
        method="GET", path="/metrics", summary="List metrics", handle=metrics, query=MetricPage, answers=MetricList
    ),
    Operation(
        method="POST", path="/metrics", summary="Add a metric", handle=new_metric, takes=NewMetric,
        answers=MetricAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/metrics/{key}", summary="Read one", handle=metric, answers=MetricAnswer),
    Operation(
        method="PATCH", path="/metrics/{key}", summary="Change it: another definition makes a version",
        handle=change, takes=MetricChanges, answers=MetricAnswer, current=metric,
    ),
    Operation(
        method="GET", path="/metrics/{key}/versions", summary="List its versions", handle=versions,
        answers=VersionList,
    ),
    _act("certify", "Vouch for its newest version", vouch, Certifying),
    _act("uncertify", "Take the certificate back", take_back),
    _act("archive", "Take it out of the lists", archive),
    _act("restore", "Put it back into the lists", restore),
]  # fmt: skip
