"""Start and stop experiments: one conditional update, so that a double click moves an experiment once."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.changes import announce
from experiments.domain.lifecycle import TRANSITIONS, Status, Step
from experiments.models import Experiment, User
from experiments.setup import missing_for_start


class NotReadyError(Exception):
    """An experiment cannot start yet; the message lists what is missing."""


def start(experiment: Experiment, user: User | None, *, at: datetime | None = None) -> bool:
    """Start a draft. Return whether this call did it: False when it was started before.

    ``at`` is for replays and demo data, whose events carry times in the past.
    """
    if missing := missing_for_start(experiment):
        raise NotReadyError(f"{experiment.name} cannot start yet: {' '.join(missing)}")
    return _move(experiment, Step.START, user, started_at=at or timezone.now())


def stop(experiment: Experiment, user: User | None, why: str, *, at: datetime | None = None) -> bool:
    """Stop a running experiment for good. Return whether this call did it."""
    return _move(experiment, Step.STOP, user, why=why, stopped_at=at or timezone.now())


@transaction.atomic
def _move(experiment: Experiment, step: Step, user: User | None, *, why: str = "", **times: datetime) -> bool:
    sources, after = TRANSITIONS[step]
    before = experiment.status
    # Whoever changes the row first wins; everyone else finds no row in the state they expected.
    moved = Experiment.objects.filter(pk=experiment.pk, status__in=[s.value for s in sources]).update(
        status=after.value, **times
    )
    if moved:
        stamps = {name: time.isoformat() for name, time in times.items()}
        audit.record(
            experiment.project,
            user,
            f"experiment.{step.value}",
            f"experiment:{experiment.key}",
            before={"status": before},
            after={"status": after.value, **stamps},
            why=why,
        )
        announce()
    experiment.refresh_from_db(fields=["status", "started_at", "stopped_at"])
    return bool(moved)


def is_live(experiment: Experiment) -> bool:
    """Say whether units are being assigned right now."""
    return experiment.status == Status.RUNNING
