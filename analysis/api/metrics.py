"""Try a metric on what is in the log, and count another version of one in a started experiment, over the API."""

from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.preview import preview
from analysis.reversioning import choose_version
from analysis.stats.unavailable import NotComputable
from experiments.api.answers import bad_value
from experiments.api.fields import Reason, Taken
from experiments.api.finding import experiment_of, metric_of, missing
from experiments.api.metrics import DefinitionBody, given_definition
from experiments.api.operations import Call, Operation
from experiments.api.plans import show
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.access import Scope
from experiments.domain.definition_words import sentence
from experiments.domain.definitions import Definition
from experiments.domain.units import UnitType


class ChosenVersion(Taken, frozen=True, kw_only=True):
    """The number of the version that counts from now on."""

    version: Annotated[int, Meta(ge=1)]
    why: Reason


def choose(call: Call, body: ChosenVersion) -> ExperimentAnswer:
    """Count a metric by another version, from the start on."""
    experiment = experiment_of(call)
    name = call.args["metric"]
    use = experiment.plan.filter(metric__key=name).select_related("metric", "version", "experiment").first()
    if use is None:
        raise missing(call.project, f"experiment {experiment.key!r} with a metric", name)
    version = use.metric.versions.filter(number=body.version).first()
    if version is None:
        raise bad_value(
            f"{use.metric.name} has no version {body.version}; it has come to {use.metric.version}.", "version"
        )
    choose_version(use, None, version, body.why)
    return experiment_answer(experiment)


class BinAnswer(Struct, frozen=True, kw_only=True):
    """A bar of a histogram: units whose number is from ``low`` up to below ``high``."""

    low: float
    high: float
    units: int


class PreviewAnswer(Struct, frozen=True, kw_only=True):
    """How a metric's numbers are spread over those who sent events in the last days; or ``reason`` why nobody knows.

    ``change`` is the smallest relative change that so many units in two variants would show with 80 % chance.
    """

    sentence: str
    reason: str | None = None
    days: int | None = None
    units: int | None = None
    value: float | None = None
    zeros: float | None = None
    deviation: float | None = None
    top: list[float] = []
    bins: list[BinAnswer] = []
    cap: float | None = None
    capped: int | None = None
    uncapped: float | None = None
    change: float | None = None
    missing: int | None = None


def try_out(call: Call, body: DefinitionBody) -> PreviewAnswer:
    """Try what is no metric yet on the last days' events."""
    return _previewed(call, given_definition(body))


def try_metric(call: Call) -> PreviewAnswer:
    """Try a metric's newest version on the last days' events."""
    return _previewed(call, metric_of(call).definition())


def _previewed(call: Call, definition: Definition) -> PreviewAnswer:
    found = preview(call.project, definition, UnitType.USER, timezone.now())
    said = sentence(definition, UnitType.USER.value)
    if isinstance(found, NotComputable):
        return PreviewAnswer(sentence=said, reason=found.reason)
    return PreviewAnswer(
        sentence=said,
        bins=[BinAnswer(low=one.low, high=one.high, units=one.units) for one in found.bins],
        **{name: getattr(found, name) for name in NUMBERS},
    )


NUMBERS = ("days", "units", "value", "zeros", "deviation", "top", "cap", "capped", "uncapped", "change", "missing")


OPERATIONS = [
    Operation(
        method="POST", path="/metric-previews", summary="Try what is no metric yet on the last days", handle=try_out,
        takes=DefinitionBody, answers=PreviewAnswer, scope=Scope.READ, apart=True,
    ),
    Operation(
        method="GET", path="/metrics/{key}/preview", summary="Try a metric on the last days", handle=try_metric,
        answers=PreviewAnswer,
    ),
    Operation(
        method="PUT", path="/experiments/{key}/metrics/{metric}/version", summary="Count another version of a metric",
        handle=choose, takes=ChosenVersion, answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
