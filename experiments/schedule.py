"""What happens by the clock: planned starts and ends, and the steps of ramps. Each move is made once, by any worker."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet

from experiments import audit, lifecycle
from experiments.changes import announce
from experiments.domain import ramps
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.ramps import Ramp, RampError
from experiments.models import Experiment, FlagRule
from experiments.refusals import RefusedError

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(minutes=10)
"""How long after its time a flag rule's beginning or end is announced again: longer than the schedule ever skips."""

MayAdvance = Callable[[Experiment], str | None]
"""Says why a ramp must wait, or None."""

_guards: list[MayAdvance] = []


class What(StrEnum):
    """What the clock did to an experiment."""

    STARTED = "started"
    COULD_NOT_START = "could not start"
    STOPPED = "stopped"
    STEPPED = "stepped"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that the clock did, with its reason where it could not go on."""

    experiment: int
    key: str
    what: What
    why: str = ""


def guard_ramps(guard: MayAdvance) -> None:
    """Have ``guard`` asked before each step of a ramp; a package that knows results registers it when it is ready."""
    if guard not in _guards:
        _guards.append(guard)


def objection(experiment: Experiment) -> str | None:
    """Return the first reason why the experiment's ramp must wait, or None."""
    return next((reason for guard in _guards if (reason := guard(experiment))), None)


def move_due(now: datetime, may_advance: MayAdvance = objection) -> list[Move]:
    """Start, stop and step whatever is due, and return what was done. One that fails does not keep the others waiting.

    Parameters
    ----------
    now
        The moment up to which things are due.
    may_advance
        Says why an experiment's ramp must wait, or None.
    """
    moves = [
        *_each(_to_start(now), lambda one: _start(one, now)),
        *_each(_to_stop(now), lambda one: _stop(one, now)),
        *_each(_with_ramps(), lambda one: _step(one, now, may_advance)),
    ]
    _announce_rules(now)
    return moves


def _each(due: QuerySet[Experiment], act: Callable[[Experiment], Move | None]) -> list[Move]:
    moves = []
    for pk in list(due.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                # Another worker has a locked row in hand; an unlocked one that is no more due was done by it.
                mine = due.select_for_update(skip_locked=True, of=("self",)).select_related("project")
                experiment = mine.filter(pk=pk).first()
                move = act(experiment) if experiment is not None else None
        except Exception:
            logger.exception("the scheduled move of experiment %s failed", pk)
            continue
        if move is not None:
            moves.append(move)
    return moves


def _to_start(now: datetime) -> QuerySet[Experiment]:
    return Experiment.objects.filter(status=Status.DRAFT.value, starts_at__lte=now)


def _start(experiment: Experiment, now: datetime) -> Move | None:
    try:
        started = lifecycle.start(experiment, None, at=now, why="It was planned for this time.")
    except RefusedError as error:
        # Tried once: what somebody completes later must not start by surprise.
        Experiment.objects.filter(pk=experiment.pk).update(starts_at=None)
        _record(experiment, "experiment.start-missed", str(error))
        return _move(experiment, What.COULD_NOT_START, str(error))
    return _move(experiment, What.STARTED) if started else None


def _to_stop(now: datetime) -> QuerySet[Experiment]:
    return Experiment.objects.filter(status__in=[status.value for status in LIVE], ends_at__lte=now)


def _stop(experiment: Experiment, now: datetime) -> Move | None:
    stopped = lifecycle.stop(experiment, None, "It was planned until this time.", at=now)
    return _move(experiment, What.STOPPED) if stopped else None


def _with_ramps() -> QuerySet[Experiment]:
    grows = Q(status=Status.RUNNING.value) | Q(shipped_variant__isnull=False)
    return Experiment.objects.filter(grows).exclude(ramp={})


def _step(experiment: Experiment, now: datetime, may_advance: MayAdvance) -> Move | None:
    try:
        ramp = ramps.read(experiment.ramp)
    except RampError:
        logger.exception("experiment %s has a ramp that cannot be read", experiment.pk)
        return None
    if ramp is None or ramp.held_by_hand or not ramps.is_due(ramp, now):
        return None
    if reason := may_advance(experiment):
        return _hold(experiment, ramp, reason)
    return _advance(experiment, ramps.advanced(ramp, now))


def _hold(experiment: Experiment, ramp: Ramp, reason: str) -> Move | None:
    if ramp.held_because == reason:
        return None
    _save_ramp(experiment, ramps.held(ramp, reason))
    if ramp.held_because:
        return None  # held before, in other words
    _record(experiment, "experiment.ramp-hold", reason)
    return _move(experiment, What.HELD, reason)


def _advance(experiment: Experiment, ramp: Ramp) -> Move:
    field = "allocation" if experiment.shipped_variant_id is None else "shipped_share"
    before = getattr(experiment, field)
    # What a person raised meanwhile stays: traffic only grows.
    after = max(before, ramp.share)
    setattr(experiment, field, after)
    experiment.save(update_fields=[field])
    _save_ramp(experiment, ramp)
    _record(experiment, "experiment.ramp-step", "The step's time had come.", {field: before}, {field: after})
    announce()
    return _move(experiment, What.STEPPED)


def _save_ramp(experiment: Experiment, ramp: Ramp) -> None:
    experiment.ramp = ramps.stored(ramp)
    experiment.save(update_fields=["ramp"])


def _record(
    experiment: Experiment,
    action: str,
    why: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    subject = f"experiment:{experiment.key}"
    audit.record(experiment.project, None, action, subject, before=before, after=after, why=why[:500])


def _move(experiment: Experiment, what: What, why: str = "") -> Move:
    return Move(experiment=experiment.pk, key=experiment.key, what=what, why=why)


@transaction.atomic
def _announce_rules(now: datetime) -> None:
    """Have the edges look again when a flag's rule has begun or ended; looking twice changes nothing."""
    recent = (now - LOOK_BACK, now)
    if FlagRule.objects.filter(Q(starts_at__range=recent) | Q(ends_at__range=recent)).exists():
        announce()
