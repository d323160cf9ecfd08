"""Which reader makes the results of which kind, when the schedule looks again, and the writing of what is new."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from analysis import pipeline
from analysis.bandits import result as bandits
from analysis.interleaving import result as interleaving
from analysis.models import ResultSnapshot
from analysis.offpolicy import result as offpolicy
from analysis.results import latest
from analysis.results.schema import Results
from analysis.rollup.fold import fold
from analysis.switchback import result as switchbacks
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Experiment

Reader = Callable[[Experiment, datetime], Results | None]

READERS: dict[str, Reader] = {
    ExperimentKind.OFF_POLICY: offpolicy.read,
    ExperimentKind.INTERLEAVING: interleaving.read,
    ExperimentKind.BANDIT: bandits.read,
    ExperimentKind.SWITCHBACK: switchbacks.read,
}
SELDOM = {ExperimentKind.OFF_POLICY: timedelta(hours=1)}
"""Kinds whose reading goes through the log: how long the schedule waits at least."""
YOUNG, OLD = timedelta(minutes=1), timedelta(minutes=5)
LATE = timedelta(days=2)
"""For how long after its stop late events are looked for."""


class NothingNewError(pipeline.NotStartedError):
    """There is nothing that a refresh could read; the message says what to do."""


def refresh(experiment: Experiment, on_progress: pipeline.Progress | None = None) -> ResultSnapshot:
    """Read everything that has arrived and write a new snapshot, whatever kind it is.

    Raises:
        NotStartedError: it is a draft, or its results come from a file that somebody gives.
    """
    reader = READERS.get(experiment.kind)
    if reader is None:
        return pipeline.refresh(experiment, on_progress)
    if experiment.started_at is None:
        raise pipeline.NotStartedError(f"{experiment.name} is a draft and has no results; start it first.")
    if on_progress is not None:
        on_progress(0, "Reading new events")
    fold()
    results = reader(experiment, timezone.now())
    if results is None:
        raise NothingNewError(f"{experiment.name} is read from a file: give it on the results page.")
    return pipeline.write(experiment, results, pipeline.changes_of(experiment))


def refresh_if_due(experiment: Experiment, now: datetime) -> ResultSnapshot | None:
    """Write a new snapshot of what is there, if it is time to and it says anything new."""
    reader = READERS.get(experiment.kind)
    if reader is None:
        return pipeline.refresh_if_due(experiment, now)
    last = latest.latest(experiment)
    if last is not None and not is_due(experiment, last, now):
        return None
    changes = pipeline.changes_of(experiment)
    results = reader(experiment, now)
    if results is None or (last is not None and pipeline.same(last, results)):
        pipeline.mark_shown(experiment, changes)
        return None
    return pipeline.write(experiment, results, changes)


def is_due(experiment: Experiment, last: ResultSnapshot, now: datetime) -> bool:
    """Say whether the schedule should look again: often while it is young, and after the stop for late events."""
    waited = now - last.as_of
    if experiment.stopped_at is not None:
        return last.as_of < experiment.stopped_at or (last.as_of < experiment.stopped_at + LATE and waited >= OLD)
    if experiment.status != Status.RUNNING or experiment.started_at is None:
        return False
    usual = min(max((now - experiment.started_at) / 300, YOUNG), OLD) - timedelta(seconds=5)
    return waited >= max(usual, SELDOM.get(ExperimentKind(experiment.kind), usual))
