"""The metric that the project's business goes by."""

from msgspec import Struct

from experiments import north_star
from experiments.api.fields import Key, Taken, Why
from experiments.api.finding import named_metric
from experiments.api.operations import Call, Operation


class NorthStarAnswer(Struct, frozen=True, kw_only=True):
    """The metric's key, or null where none is chosen."""

    metric: str | None


class NewNorthStar(Taken, frozen=True, kw_only=True):
    """The metric to go by; null is none."""

    metric: Key | None
    why: Why = ""


def show(call: Call) -> NorthStarAnswer:
    """Return the metric that the business goes by."""
    star = call.project.north_star
    return NorthStarAnswer(metric=None if star is None else star.key)


def choose(call: Call, body: NewNorthStar) -> NorthStarAnswer:
    """Choose the metric that the business goes by."""
    metric = None if body.metric is None else named_metric(call.project, body.metric, "metric")
    north_star.choose(call.project, metric, None, body.why)
    return show(call)


OPERATIONS = [
    Operation(
        method="GET", path="/north-star", summary="The metric that the business goes by", handle=show,
        answers=NorthStarAnswer,
    ),
    Operation(
        method="PUT", path="/north-star", summary="Choose that metric", handle=choose, takes=NewNorthStar,
        answers=NorthStarAnswer, current=show,
    ),
]  # fmt: skip
