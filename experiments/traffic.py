"""Traffic of an experiment: it grows, by hand or by a ramp, and never shrinks; a new phase deals everyone anew."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from django.db import transaction
from django.utils import timezone

from experiments import audit, standing
from experiments.changes import announce
from experiments.domain import ramps
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.ramps import Ramp, RampError, RampStep
from experiments.domain.shares import WHOLE, percent
from experiments.domain.targeting import TargetingError, check
from experiments.models import Experiment, User
from experiments.models.salt import new_salt
from experiments.refusals import RefusedError, refuse_follow_up
from experiments.segments import usable_keys

CHANGED = ("allocation", "salt", "phase", "phase_started_at", "bucket_version", "ramp", "shipped_share")


class TrafficError(RefusedError):
    """An experiment's traffic or split cannot be changed as asked."""


def locked(experiment: Experiment) -> Experiment:
    """Return the experiment as it is now, for this transaction alone."""
    return Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)


@transaction.atomic
def grow_traffic(experiment: Experiment, user: User | None, share: int, why: str = "") -> bool:
    """Let a larger share of the units take part; return whether this call did it. Who takes part keeps their variant.

    Raises
    ------
    TrafficError
        When the experiment has started and the share is smaller, or when it has stopped.
    """
    mine = locked(experiment)
    if not 0 < share <= WHOLE:
        raise TrafficError("The share of traffic must be more than 0 % and at most 100 %.")
    if mine.status == Status.STOPPED:
        raise TrafficError(f"{mine.name} has stopped; its traffic means nothing any more.")
    refuse_follow_up(mine, TrafficError)
    if share == mine.allocation:
        return False
    if share < mine.allocation and mine.status != Status.DRAFT:
        _refuse_shrinking(mine, share)
    before = {"allocation": mine.allocation}
    mine.allocation = share
    _save(mine, user, "experiment.traffic", ["allocation"], before, {"allocation": share}, why)
    _refresh(experiment)
    return True


def _refuse_shrinking(experiment: Experiment, share: int) -> NoReturn:
    raise TrafficError(
        f"{percent(experiment.allocation)} of the traffic takes part and {percent(share)} was asked for. Traffic only "
        "grows once an experiment has started: those who left would have seen a variant and not be in it. "
        "Pause it, or start a new phase with less traffic."
    )


@transaction.atomic
def new_phase(
    experiment: Experiment,
    user: User | None,
    why: str,
    *,
    weights: Mapping[str, int] | None = None,
    allocation: int | None = None,
    targeting: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> bool:
    """Deal all units anew, with other weights, traffic or targeting if given; return whether this call did it.

    Units change variants here and only here, so that results count from now on; what came before is of an earlier
    phase. A double click begins one phase: a phase younger than a minute with the same reason is the one asked for.

    Raises
    ------
    TrafficError
        When the experiment is not running or paused, no reason is given, or the weights do not fit.
    """
    now = at or timezone.now()
    mine = locked(experiment)
    if mine.status not in LIVE:
        raise TrafficError(f"{mine.name} is {mine.status}; a new phase is for an experiment that has started.")
    refuse_follow_up(mine, TrafficError)
    if not why.strip():
        raise TrafficError("Say why the units are dealt anew; whoever reads the results needs to know.")
    if _has_just_begun(mine, why, now):
        _refresh(experiment)
        return False
    before = _split(mine)
    if weights is not None:
        _reweigh(mine, weights)
    if allocation is not None:
        if not 0 < allocation <= WHOLE:
            raise TrafficError("The share of traffic must be more than 0 % and at most 100 %.")
        mine.allocation = allocation
    if targeting is not None:
        mine.targeting = checked_targeting(mine, targeting)
    mine.salt, mine.phase, mine.phase_started_at = new_salt(), mine.phase + 1, now
    mine.bucket_version += 1  # so that sticky clients forget the old split
    fields = ["allocation", "targeting", "salt", "phase", "phase_started_at", "bucket_version"]
    standing.forget(mine)
    _save(mine, user, "experiment.new-phase", fields, before, _split(mine), why)
    _refresh(experiment, "targeting")
    return True


def checked_targeting(experiment: Experiment, targeting: dict[str, Any]) -> dict[str, Any]:
    """Return targeting that the experiment may have, or raise ``TrafficError`` with what is wrong with it."""
    try:
        return check(targeting, usable_keys(experiment.project))
    except TargetingError as error:
        raise TrafficError(str(error)) from error


def _has_just_begun(experiment: Experiment, why: str, now: datetime) -> bool:
    if experiment.phase_started_at is None or not 0 <= (now - experiment.phase_started_at).total_seconds() < 60:
        return False
    last = experiment.project.audit_entries.filter(
        subject=f"experiment:{experiment.key}", action="experiment.new-phase"
    ).latest("at")
    return last.why == audit.signed(why)


def _split(experiment: Experiment) -> dict[str, object]:
    return {
        "phase": experiment.phase,
        "salt": experiment.salt,
        "allocation": experiment.allocation,
        "targeting": experiment.targeting,
        "weights": {variant.key: variant.weight for variant in experiment.variants.all()},
    }


def _reweigh(experiment: Experiment, weights: Mapping[str, int]) -> None:
    variants = {variant.key: variant for variant in experiment.variants.all()}
    if set(weights) != set(variants):
        raise TrafficError(f"Give a weight for each of {', '.join(variants)}; these were given: {', '.join(weights)}.")
    if min(weights.values()) <= 0 or sum(weights.values()) != WHOLE:
        raise TrafficError(
            f"The weights add up to {percent(sum(weights.values()))}; each must be above 0 %, and all exactly 100 %."
        )
    for key, weight in weights.items():
        variants[key].weight = weight
        variants[key].save(update_fields=["weight"])


@transaction.atomic
def set_ramp(
    experiment: Experiment, user: User | None, steps: Sequence[RampStep], why: str = "", *, at: datetime | None = None
) -> bool:
    """Let traffic grow by these steps, from the start or, when it has started, from now on; none ends the ramp.

    Returns whether the steps were others. The traffic that is reached already stays.
    """
    mine = locked(experiment)
    if mine.status == Status.STOPPED:
        raise TrafficError(f"{mine.name} has stopped; its traffic means nothing any more.")
    refuse_follow_up(mine, TrafficError)
    before = ramps.read(mine.ramp)
    ramp = Ramp(steps=tuple(steps)) if steps else None
    if (before.steps if before else ()) == tuple(steps):
        return False
    columns = ["ramp"]
    if ramp is not None:
        ramp = _begun_if_live(mine, ramp, at or timezone.now())
        if mine.status in LIVE:
            mine.allocation = ramp.share
            columns.append("allocation")
    shown = {"ramp": mine.ramp}
    mine.ramp = ramps.stored(ramp)
    _save(mine, user, "experiment.ramp", columns, shown, {"ramp": mine.ramp}, why)
    _refresh(experiment)
    return True


def _begun_if_live(experiment: Experiment, ramp: Ramp, now: datetime) -> Ramp:
    try:
        ramps.check(ramp)
    except RampError as error:
        raise TrafficError(str(error)) from error
    if experiment.status not in LIVE:
        return ramp
    if ramp.steps[0].share < experiment.allocation:
        raise TrafficError(
            f"{percent(experiment.allocation)} of the traffic takes part already, and the ramp begins with "
            f"{percent(ramp.steps[0].share)}. Begin it with {percent(experiment.allocation)} or more."
        )
    return ramps.begun(ramp, now)


def hold_ramp(experiment: Experiment, user: User | None, why: str) -> bool:
    """Keep the ramp where it is until a person lets it go on; return whether this call did it."""
    if not why.strip():
        raise TrafficError("Say why the ramp is held.")
    return _hold(experiment, user, why, by_hand=True)


def release_ramp(experiment: Experiment, user: User | None, why: str = "") -> bool:
    """Let a held ramp go on; return whether this call did it. What a guardrail holds, it will hold again."""
    return _hold(experiment, user, why, by_hand=False)


@transaction.atomic
def _hold(experiment: Experiment, user: User | None, why: str, *, by_hand: bool) -> bool:
    mine = locked(experiment)
    ramp = ramps.read(mine.ramp)
    if ramp is None or ramp.is_done:
        raise TrafficError(f"{mine.name} has no ramp that goes on.")
    changed = ramps.held(ramp, why if by_hand else "", by_hand=by_hand)
    if changed == ramp:
        return False
    mine.ramp = ramps.stored(changed)
    action = "experiment.ramp-hold" if by_hand else "experiment.ramp-release"
    before, after = {"held_because": ramp.held_because}, {"held_because": changed.held_because}
    _save(mine, user, action, ["ramp"], before, after, why)
    _refresh(experiment)
    return True


def _save(
    experiment: Experiment,
    user: User | None,
    action: str,
    fields: list[str],
    before: Mapping[str, object],
    after: Mapping[str, object],
    why: str,
) -> None:
    experiment.save(update_fields=fields)
    audit.record(
        experiment.project,
        user,
        action,
        f"experiment:{experiment.key}",
        before=dict(before),
        after=dict(after),
        why=why,
    )
    announce()


def _refresh(experiment: Experiment, *more: str) -> None:
    experiment.refresh_from_db(fields=[*CHANGED, *more])
