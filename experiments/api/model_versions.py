"""Model versions: list, read, register, bring up to date."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from django.conf import settings
from django.db.models import Q
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from experiments import audit
from experiments.api.answers import ApiError, bad_value, conflict
from experiments.api.fields import Taken
from experiments.api.finding import missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.domain.metrics import Direction
from experiments.domain.offline import OfflineValue, Origin, VersionStatus
from experiments.mlflow import Registry, RegistryError, pull
from experiments.model_versions import Registration, RegistrationError, bring_up_to_date, register
from experiments.models import ModelVersion, OfflineMetric

ModelName = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
VersionName = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\S")]
ParentName = Annotated[str, Meta(max_length=40, description="A version of the same model; empty is none.")]
Owner = Annotated[str, Meta(max_length=120)]
Artefact = Annotated[str, Meta(max_length=500, description="Where the trained model lies, for people.")]
Notes = Annotated[str, Meta(max_length=2000)]
Until = Annotated[date | None, Meta(description="The first day that is not in the training data any more.")]
Size = Annotated[int, Meta(ge=1, le=10**15)]


class GivenMetric(Taken, frozen=True, kw_only=True):
    """An offline metric. ``low`` and ``high`` are its 95 % interval; without ``direction`` the name decides."""

    name: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"\S")]
    value: float
    low: float | None = None
    high: float | None = None
    method: Annotated[str, Meta(max_length=120, description="How the interval was made.")] = ""
    evaluation_set: Annotated[str, Meta(max_length=120)] = ""
    size: Size | None = None
    direction: Direction | None = None


class NewModelVersion(Taken, frozen=True, kw_only=True):
    """A version. ``offline_metric`` with ``offline_value`` is short for one entry of ``metrics``."""

    name: ModelName
    version: VersionName
    parent: ParentName = ""
    owner: Owner = ""
    artefact: Artefact = ""
    trained_from: date | None = None
    trained_until: Until = None
    status: VersionStatus = VersionStatus.CANDIDATE
    notes: Notes = ""
    metrics: list[GivenMetric] = []
    offline_metric: Annotated[str, Meta(max_length=60)] = ""
    offline_value: float | None = None


class UpToDate(Taken, frozen=True, kw_only=True):
    """A version as it is to be: registered where it is new, else changed; what is left out stays.

    Of ``metrics`` each takes the place of its namesake on the same evaluation set; the others stay.
    """

    name: ModelName
    version: VersionName
    parent: ParentName | UnsetType = UNSET
    owner: Owner | UnsetType = UNSET
    artefact: Artefact | UnsetType = UNSET
    trained_from: date | UnsetType | None = UNSET
    trained_until: date | UnsetType | None = UNSET
    status: VersionStatus | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    metrics: list[GivenMetric] = []


class MetricOfVersion(Struct, frozen=True, kw_only=True):
    """An offline metric of a version on one evaluation set."""

    name: str
    value: float
    low: float | None
    high: float | None
    method: str
    evaluation_set: str
    size: int | None
    direction: Direction


class ModelVersionAnswer(Struct, frozen=True, kw_only=True):
    """A version of a model and how good it looked offline; ``offline_metric`` is the first of ``metrics``."""

    id: int
    name: str
    version: str
    parent: str | None
    owner: str
    artefact: str
    trained_from: date | None
    trained_until: date | None
    status: VersionStatus
    notes: str
    metrics: list[MetricOfVersion]
    offline_metric: str
    offline_value: float | None
    origin: Origin
    created_at: datetime


class ModelVersionList(Struct, frozen=True, kw_only=True):
    """A page of model versions, newest first."""

    model_versions: list[ModelVersionAnswer]
    next: str | None


class VersionPage(Page, frozen=True, kw_only=True):
    """Which part, and of those with a word in their name or version; ``name`` is a model's whole name."""

    search: str = ""
    name: str = ""
    status: VersionStatus | None = None


def version_answer(row: ModelVersion) -> ModelVersionAnswer:
    """Return a version as the API shows it."""
    first = row.headline
    return ModelVersionAnswer(
        id=row.pk,
        name=row.name,
        version=row.version,
        parent=row.parent.version if row.parent else None,
        owner=row.owner,
        artefact=row.artefact,
        trained_from=row.trained_from,
        trained_until=row.trained_until,
        status=VersionStatus(row.status),
        notes=row.notes,
        metrics=[_metric(one) for one in row.offline.all()],
        offline_metric=first.name if first else "",
        offline_value=first.value if first else None,
        origin=Origin(row.origin),
        created_at=row.created_at,
    )


def _metric(row: OfflineMetric) -> MetricOfVersion:
    return MetricOfVersion(
        name=row.name, value=row.value, low=row.low, high=row.high, method=row.method,
        evaluation_set=row.evaluation_set, size=row.size, direction=Direction(row.direction),
    )  # fmt: skip


def versions(call: Call) -> ModelVersionList:
    """List model versions."""
    wanted: VersionPage = call.query
    found = ModelVersion.objects.filter(project=call.project).select_related("parent").prefetch_related("offline")
    if wanted.search:
        found = found.filter(Q(name__icontains=wanted.search) | Q(version__icontains=wanted.search))
    if wanted.name:
        found = found.filter(name=wanted.name)
    if wanted.status:
        found = found.filter(status=wanted.status.value)
    rows, following = page(call, found)
    return ModelVersionList(model_versions=[version_answer(row) for row in rows], next=following)


def version_of(call: Call) -> ModelVersion:
    """Return the version that the address names."""
    found = ModelVersion.objects.filter(project=call.project, pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, "model version", call.args["id"])
    return found


def version(call: Call) -> ModelVersionAnswer:
    """Return one model version."""
    return version_answer(version_of(call))


def new_version(call: Call, body: NewModelVersion) -> ModelVersionAnswer:
    """Register a model version."""
    if (body.offline_value is None) != (not body.offline_metric):
        raise bad_value("Give both the offline metric and its value, or neither.", "offline_value")
    given = [*body.metrics]
    if body.offline_metric and body.offline_value is not None:
        given.insert(0, GivenMetric(name=body.offline_metric, value=body.offline_value))
    fields = {name: getattr(body, name) for name in body.__struct_fields__ if not name.startswith("offline_")}
    wanted = Registration(**{**fields, "metrics": _values(given)})
    try:
        return version_answer(register(call.project, None, wanted, Origin.PROGRAM))
    except RegistrationError as error:
        raise as_refusal(error) from error


def up_to_date(call: Call, body: UpToDate) -> ModelVersionAnswer:
    """Register a model version, or change what is stated of it."""
    given: dict[str, Any] = {name: value for name, value in structs.asdict(body).items() if value is not UNSET}
    wanted = Registration(**{**given, "metrics": _values(body.metrics)})
    try:
        made, _ = bring_up_to_date(call.project, None, wanted, frozenset(given), Origin.PROGRAM)
    except RegistrationError as error:
        raise as_refusal(error) from error
    return version_answer(made)


def as_refusal(error: RegistrationError) -> ApiError:
    """Return what the API says of a version that cannot be registered."""
    if error.taken:
        return conflict(str(error), "key_taken", error.field)
    return bad_value(str(error), error.field)


def _values(given: list[GivenMetric]) -> tuple[OfflineValue, ...]:
    return tuple(OfflineValue(**structs.asdict(one)) for one in given)


class PullRequest(Taken, frozen=True, kw_only=True):
    """A registry and a model in it; ``name`` is what the model is called here. The token is kept nowhere."""

    uri: Annotated[str, Meta(min_length=1, max_length=300)]
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    name: Annotated[str, Meta(max_length=80)] = ""
    token: Annotated[str, Meta(max_length=2000)] = ""


class PullAnswer(Struct, frozen=True, kw_only=True):
    """What a pull did, by version; ``problems`` say which were left out and why."""

    new: list[str]
    changed: list[str]
    same: list[str]
    problems: list[str]


def pull_versions(call: Call, body: PullRequest) -> PullAnswer:
    """Bring a model's versions up to date with an MLflow registry."""
    registry = Registry(uri=body.uri, token=body.token, hosts=settings.REGISTRY_HOSTS)
    try:
        with audit.by_key(call.key.name):
            pulled = pull(call.project, None, registry, body.model, body.name)
    except RegistryError as error:
        raise bad_value(str(error), "uri") from error
    return PullAnswer(new=pulled.new, changed=pulled.changed, same=pulled.same, problems=pulled.problems)


OPERATIONS = [
    Operation(
        method="GET", path="/model-versions", summary="List model versions", handle=versions, query=VersionPage,
        answers=ModelVersionList,
    ),
    Operation(
        method="POST", path="/model-versions", summary="Register a model version", handle=new_version,
        takes=NewModelVersion, answers=ModelVersionAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="PUT", path="/model-versions", summary="Register a model version, or bring it up to date",
        handle=up_to_date, takes=UpToDate, answers=ModelVersionAnswer,
    ),
    Operation(
        method="POST", path="/model-versions/pull", summary="Pull a model's versions from an MLflow registry",
        handle=pull_versions, takes=PullRequest, answers=PullAnswer, apart=True,
    ),
    Operation(
        method="GET", path="/model-versions/{id}", summary="Read one", handle=version, answers=ModelVersionAnswer
    ),
]  # fmt: skip
