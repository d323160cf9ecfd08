"""Start, pause, resume and stop experiments: one conditional update, so that a double click moves one once."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.changes import announce
from experiments.domain import ramps
from experiments.domain.kinds import FOLLOW_UPS, WITHOUT_PAUSE
from experiments.domain.lifecycle import TRANSITIONS, Status, Step
from experiments.metric_versions import fix_versions
from experiments.models import Experiment, User
from experiments.refusals import RefusedError
from experiments.setup import missing_for_start
from experiments.shipping import ShipError, ship, withdraw
from experiments.traffic import TrafficError, grow_traffic, hold_ramp, new_phase, release_ramp, set_ramp

__all__ = [
    "NotReadyError",
    "ShipError",
    "TrafficError",
    "grow_traffic",
    "hold_ramp",
    "is_live",
    "new_phase",
    "pause",
    "release_ramp",
    "resume",
    "set_ramp",
    "ship",
    "start",
    "stop",
    "withdraw",
]


class NotReadyError(RefusedError):
    """An experiment cannot start yet; the message lists what is missing."""


def start(experiment: Experiment, user: User | None, *, at: datetime | None = None, why: str = "") -> bool:
    """Start a draft, at its ramp's first step if it has one. Return whether this call did it: False when it was
    started before.

    ``at`` is for replays and demo data, whose events carry times in the past.
    """
    if missing := missing_for_start(experiment):
        raise NotReadyError(f"{experiment.name} cannot start yet: {' '.join(missing)}")
    now = at or timezone.now()
    if experiment.ends_at is not None and experiment.ends_at <= now:
        raise NotReadyError(f"{experiment.name} cannot start: its planned end has passed. Set a later end or none.")
    columns: dict[str, object] = {"started_at": now}
    ramp = ramps.read(experiment.ramp)
    if ramp is not None:
        columns |= {"ramp": ramps.stored(ramps.begun(ramp, now)), "allocation": ramp.steps[0].share}
    return _move(experiment, Step.START, user, columns, why)


def pause(experiment: Experiment, user: User | None, why: str) -> bool:
    """Give everyone the control for a while; return whether this call did it. Each unit keeps its variant for later."""
    if experiment.kind in FOLLOW_UPS:
        raise RefusedError(
            f"{experiment.name} is a {experiment.kind}: a pause would show its units what is kept from them. "
            "Stop it instead."
        )
    if experiment.kind in WITHOUT_PAUSE:
        raise RefusedError(
            f"{experiment.name} is a {experiment.kind.replace('_', '-')}: a pause would leave holes in its design. "
            "Stop it instead."
        )
    return _move(experiment, Step.PAUSE, user, {}, why)


def resume(experiment: Experiment, user: User | None, why: str = "") -> bool:
    """Go on after a pause, each unit with the variant it had; return whether this call did it.

    A ramp's step begins again: the hours of the pause have shown nothing.
    """
    ramp = ramps.read(experiment.ramp)
    columns = {"ramp": ramps.stored(ramps.again(ramp, timezone.now()))} if ramp else {}
    return _move(experiment, Step.RESUME, user, columns, why)


def stop(experiment: Experiment, user: User | None, why: str, *, at: datetime | None = None) -> bool:
    """Stop a running or paused experiment for good. Return whether this call did it.

    Everyone gets the control from then on; of a holdback, everyone gets what was shipped.
    """
    return _move(experiment, Step.STOP, user, {"stopped_at": at or timezone.now()}, why)


@transaction.atomic
def _move(experiment: Experiment, step: Step, user: User | None, columns: Mapping[str, object], why: str) -> bool:
    sources, after = TRANSITIONS[step]
    # Whoever locks the row first wins; everyone else finds it in another state than they expected.
    row = Experiment.objects.select_for_update().filter(pk=experiment.pk, status__in=[s.value for s in sources])
    before = row.values_list("status", flat=True).first()
    if before is not None:
        Experiment.objects.filter(pk=experiment.pk).update(status=after.value, **columns)
        if step is Step.START:
            fix_versions(experiment)
        shown = {name: value.isoformat() for name, value in columns.items() if isinstance(value, datetime)}
        audit.record(
            experiment.project,
            user,
            f"experiment.{step.value}",
            f"experiment:{experiment.key}",
            before={"status": before},
            after={"status": after.value, **shown},
            why=why,
        )
        announce()
    experiment.refresh_from_db(fields=["status", "started_at", "stopped_at", "allocation", "ramp"])
    return before is not None


def is_live(experiment: Experiment) -> bool:
    """Say whether units are being assigned right now."""
    return experiment.status == Status.RUNNING
