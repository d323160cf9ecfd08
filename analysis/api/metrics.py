"""Count another version of a metric in a started experiment, over the API."""

from typing import Annotated

from msgspec import Meta

from analysis.reversioning import choose_version
from experiments.api.answers import bad_value
from experiments.api.fields import Reason, Taken
from experiments.api.finding import experiment_of, missing
from experiments.api.operations import Call, Operation
from experiments.api.plans import show
from experiments.api.shapes import ExperimentAnswer, experiment_answer


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


OPERATIONS = [
    Operation(
        method="PUT", path="/experiments/{key}/metrics/{metric}/version", summary="Count another version of a metric",
        handle=choose, takes=ChosenVersion, answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
