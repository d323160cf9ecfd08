"""What an action says when it cannot be done: always what is the matter and what to do instead."""

from experiments.domain.kinds import ExperimentKind
from experiments.models import Experiment


class RefusedError(Exception):
    """An action that would break something, or that no longer fits what is there; nothing was changed."""


class ChangedMeanwhileError(RefusedError):
    """Somebody else changed the same thing after it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed by somebody else meanwhile. Look at it again, then repeat your change.")


def refuse_follow_up(experiment: Experiment, error: type[RefusedError]) -> None:
    """Refuse what a holdout or holdback has not of its own: both follow from what they were started for."""
    if experiment.kind != ExperimentKind.STANDARD:
        raise error(f"{experiment.name} is a {experiment.kind} and stays as it was started. Stop it and start another.")
