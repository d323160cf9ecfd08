"""Keys are claimed under a lock of the project, because flags and experiments of two tables share them."""

from experiments.domain.names import LONGEST_KEY
from experiments.models import Experiment, Flag, Project


def lock_names(project: Project) -> None:
    """Let nobody else add to the project's keys, or to what leads from one to another, until this transaction ends."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def owner_of(project: Project, key: str) -> Flag | Experiment | None:
    """Return the flag or experiment that apps reach by ``key``, or None where it is free."""
    return (
        Flag.objects.filter(project=project, key=key).first()
        or Experiment.objects.filter(project=project, key=key).first()
    )


def free_key(project: Project, wanted: str) -> str:
    """Return ``wanted``, or the first of ``wanted-2``, ``wanted-3``… that nothing has. Call it under ``lock_names``."""
    number = 1
    while True:
        ending = "" if number == 1 else f"-{number}"
        key = wanted[: LONGEST_KEY - len(ending)] + ending
        if owner_of(project, key) is None:
            return key
        number += 1
