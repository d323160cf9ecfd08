"""Tags and the archive: how lists are kept in order."""

from typing import Annotated

from msgspec import Meta

from experiments import filing
from experiments.api.fields import Taken
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation
from experiments.api.plans import show
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.conclusions import LONGEST_TAG, MOST_TAGS, clean_tags

Tag = Annotated[str, Meta(min_length=1, max_length=LONGEST_TAG, pattern=r"^[^,;]*[^,;\s][^,;]*$")]


class Tags(Taken, frozen=True, kw_only=True):
    """Every tag that the experiment has from now on; small letters are made of capital ones."""

    tags: Annotated[list[Tag], Meta(max_length=MOST_TAGS)]


def set_tags(call: Call, body: Tags) -> ExperimentAnswer:
    """Replace the tags."""
    experiment = experiment_of(call)
    filing.set_tags(experiment, clean_tags(",".join(body.tags)), None)
    return experiment_answer(experiment)


def archive(call: Call) -> ExperimentAnswer:
    """Put it out of the lists."""
    experiment = experiment_of(call)
    filing.archive(experiment, None)
    return experiment_answer(experiment)


def restore(call: Call) -> ExperimentAnswer:
    """Put it back."""
    experiment = experiment_of(call)
    filing.restore(experiment, None)
    return experiment_answer(experiment)


OPERATIONS = [
    Operation(
        method="PUT", path="/experiments/{key}/tags", summary="Replace the tags", handle=set_tags, takes=Tags,
        answers=ExperimentAnswer, current=show,
    ),
    Operation(
        method="POST", path="/experiments/{key}/archive", summary="Put it out of the lists", handle=archive,
        answers=ExperimentAnswer,
    ),
    Operation(
        method="POST", path="/experiments/{key}/restore", summary="Put it back into the lists", handle=restore,
        answers=ExperimentAnswer,
    ),
]  # fmt: skip
