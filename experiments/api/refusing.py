"""From an action's refusal, which is words for people, to a status and a word for programs."""

from experiments.api.answers import ApiError, bad_value, conflict
from experiments.domain.ramps import RampError
from experiments.domain.targeting import TargetingError
from experiments.domain.values import ValueTypeError
from experiments.refusals import ChangedMeanwhileError, RefusedError
from experiments.setup import PlanError

BAD_VALUES: dict[type[ValueError], str | None] = {ValueTypeError: None, TargetingError: "targeting", RampError: "steps"}

TAKEN = "is already used"
"""How every action says that a key belongs to something else."""


def as_api_error(error: RefusedError | PlanError) -> ApiError:
    """Return 422 for what could never be right, and 409 for what does not fit what is there."""
    if isinstance(error, PlanError):
        return _of_plan(error)
    if isinstance(error, ChangedMeanwhileError):
        return conflict(str(error), "stale")
    for kind, field in BAD_VALUES.items():
        if isinstance(error.__cause__, kind):
            return bad_value(str(error), field)
    return conflict(str(error), "key_taken", "key") if TAKEN in str(error) else conflict(str(error))


def _of_plan(error: PlanError) -> ApiError:
    first = error.problems[0]
    if first.part == "status":
        return conflict(str(error))
    if first.part == "key" and TAKEN in first.message:
        return conflict(str(error), "key_taken", "key")
    return bad_value(str(error), "traffic" if first.part == "allocation" else first.part)
