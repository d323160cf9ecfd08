"""A file of decisions is given: evaluate it, keep the answer and who gave what, and nothing of the file."""

from pathlib import Path

from django.db import transaction
from django.utils import timezone

from analysis import pipeline
from analysis.models import ResultSnapshot
from analysis.offpolicy.decisions import from_file
from analysis.offpolicy.result import asked_of, design_of, evaluated
from analysis.results.schema import Results
from experiments import audit
from experiments.domain.designs.offpolicy import LogSource
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, User
from experiments.refusals import RefusedError

LONGEST_NAME = 80


class FileRefusedError(RefusedError):
    """This experiment takes no file, or not now; the message says why."""


def evaluate(experiment: Experiment, file: Path, name: str) -> Results:
    """Return what a file says of the experiment's candidates, without keeping anything.

    Raises:
        RefusalError: the file cannot be read as decisions.
        FileRefusedError: the experiment takes no file.
    """
    if experiment.kind != ExperimentKind.OFF_POLICY or design_of(experiment).source is not LogSource.FILE:
        raise FileRefusedError(f"{experiment.name} reads no file: it is no off-policy evaluation of one.")
    asked = asked_of(experiment, f"the file {name[:LONGEST_NAME]}", timezone.now())
    with from_file(file, [variant.key for variant in asked.candidates]) as decisions:
        return evaluated(asked, decisions)


def give(experiment: Experiment, file: Path, name: str, user: User | None) -> ResultSnapshot:
    """Evaluate a file and keep the answer as the newest result.

    Raises:
        RefusalError: the file cannot be read as decisions.
        FileRefusedError: the experiment takes no file, has not started or is stopped.
    """
    if experiment.status != Status.RUNNING:
        raise FileRefusedError(
            f"{experiment.name} is {experiment.status}: start it, then give the file."
            if experiment.status == Status.DRAFT
            else f"{experiment.name} is {experiment.status}: what it says stays as it is."
        )
    results = evaluate(experiment, file, name)
    with transaction.atomic():
        rows = results.off_policy.rows if results.off_policy else 0
        given: dict[str, object] = {"file": name[:LONGEST_NAME], "rows": rows}
        audit.record(experiment.project, user, "experiment.decisions", f"experiment:{experiment.key}", after=given)
        return pipeline.write(experiment, results, None)
