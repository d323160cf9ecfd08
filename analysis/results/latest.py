"""The newest result of an experiment, and those before it."""

from collections.abc import Iterable

from analysis.models import ResultSnapshot
from analysis.results.schema import Results, from_payload
from experiments.models import Experiment


def latest(experiment: Experiment) -> ResultSnapshot | None:
    """Return the newest snapshot, or None while there is none."""
    return ResultSnapshot.objects.filter(experiment=experiment).order_by("-id").first()


def latest_of_each(experiments: Iterable[Experiment]) -> dict[int, ResultSnapshot]:
    """Return the newest snapshot of each experiment that has one, by the experiment's id, in one query."""
    ids = [experiment.pk for experiment in experiments]
    newest = ResultSnapshot.objects.filter(experiment__in=ids).order_by("experiment_id", "-id")
    return {snapshot.experiment_id: snapshot for snapshot in newest.distinct("experiment_id")}


def newest_verdicts(experiments: Iterable[Experiment]) -> dict[int, dict[str, object]]:
    """Return each experiment's newest verdict with its snapshot and time (no numbers), by the experiment's id."""
    ids = [experiment.pk for experiment in experiments]
    newest = ResultSnapshot.objects.filter(experiment__in=ids).order_by("experiment_id", "-id")
    rows = newest.distinct("experiment_id").values_list("experiment_id", "id", "as_of", "payload__verdict")
    return {
        experiment: {"snapshot": snapshot, "as_of": as_of, **(verdict or {})}
        for experiment, snapshot, as_of, verdict in rows
    }


def history(experiment: Experiment, limit: int = 50) -> list[ResultSnapshot]:
    """Return the newest snapshots first, without their payloads."""
    return list(ResultSnapshot.objects.filter(experiment=experiment).order_by("-id").defer("payload")[:limit])


def results_of(snapshot: ResultSnapshot) -> Results:
    """Return what a snapshot says."""
    return from_payload(snapshot.payload)
