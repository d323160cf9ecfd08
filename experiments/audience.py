"""For whom and where an experiment is, and when it starts and ends: free in a draft, only wider once it has started."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.changes import announce
from experiments.domain.environments import Environment
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.targeting import only_widens
from experiments.domain.units import UnitType
from experiments.domain.values import same
from experiments.models import Experiment, User
from experiments.refusals import RefusedError, refuse_follow_up
from experiments.traffic import checked_targeting, locked

COLUMNS = ("targeting", "environments", "fallback_unit_type", "respects_holdout")


class AudienceError(RefusedError):
    """An experiment's audience or times cannot be changed as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who may take part. A sticky client looks a unit up under ``fallback_unit_type`` too, for before the sign-in."""

    targeting: dict[str, Any] = field(default_factory=dict)
    environments: tuple[Environment, ...] = tuple(Environment)
    fallback_unit_type: UnitType | None = None
    respects_holdout: bool = True


def audience_of(experiment: Experiment) -> Audience:
    """Read an experiment's audience."""
    fallback = experiment.fallback_unit_type
    return Audience(
        targeting=experiment.targeting,
        environments=tuple(Environment(name) for name in experiment.environments),
        fallback_unit_type=UnitType(fallback) if fallback else None,
        respects_holdout=experiment.respects_holdout,
    )


@transaction.atomic
def set_audience(experiment: Experiment, user: User | None, audience: Audience, why: str = "") -> bool:
    """Change who may take part; return whether anything was different.

    Raises
    ------
    AudienceError
        When units of a started experiment would leave it, or something does not fit.
    """
    mine = locked(experiment)
    refuse_follow_up(mine, AudienceError)
    checked_targeting(mine, audience.targeting)
    wanted = _columns(audience)
    before = {name: getattr(mine, name) for name in COLUMNS}
    if same(before, wanted):
        return False
    if not audience.environments:
        raise AudienceError("Choose one environment or more; to serve it nowhere, pause or stop it.")
    if audience.fallback_unit_type == mine.unit_type:
        raise AudienceError(f"The experiment randomises {mine.unit_type}s already; choose another fallback or none.")
    if mine.status != Status.DRAFT:
        _refuse_loss(mine, audience)
    for name, value in wanted.items():
        setattr(mine, name, value)
    mine.save(update_fields=COLUMNS)
    audit.record(
        mine.project, user, "experiment.audience", f"experiment:{mine.key}", before=before, after=wanted, why=why
    )
    announce()
    experiment.refresh_from_db(fields=COLUMNS)
    return True


def _columns(audience: Audience) -> dict[str, object]:
    return {
        "targeting": audience.targeting,
        "environments": [one.value for one in Environment if one in audience.environments],
        "fallback_unit_type": audience.fallback_unit_type.value if audience.fallback_unit_type else "",
        "respects_holdout": audience.respects_holdout,
    }


def _refuse_loss(experiment: Experiment, audience: Audience) -> None:
    before = audience_of(experiment)
    if experiment.status not in LIVE:
        raise AudienceError(f"{experiment.name} has stopped. Start a new experiment for another audience.")
    if before.fallback_unit_type != audience.fallback_unit_type:
        raise AudienceError(
            f"{experiment.name} has started: another fallback would move units. Start a new experiment."
        )
    if before.respects_holdout != audience.respects_holdout:
        raise AudienceError(f"{experiment.name} has started: whether it respects the holdout stays as it is.")
    production = Environment.PRODUCTION
    if production in before.environments and production not in audience.environments:
        raise AudienceError(f"{experiment.name} runs in production: pause or stop it there, for all environments.")
    if not only_widens(before.targeting, audience.targeting):
        raise AudienceError(
            f"{experiment.name} has started: with this targeting units could leave it that have seen a variant. "
            "Add alternatives with “or”, or begin a new phase with it."
        )


@transaction.atomic
def set_times(
    experiment: Experiment, user: User | None, starts_at: datetime | None, ends_at: datetime | None, why: str = ""
) -> bool:
    """Plan when a draft starts and when it stops, by itself; return whether the times were others."""
    mine = locked(experiment)
    if (mine.starts_at, mine.ends_at) == (starts_at, ends_at):
        return False
    if mine.status == Status.STOPPED:
        raise AudienceError(f"{mine.name} has stopped; its times mean nothing any more.")
    if mine.status in LIVE and starts_at != mine.starts_at:
        raise AudienceError(f"{mine.name} has started; only its end can be planned.")
    if starts_at and ends_at and starts_at >= ends_at:
        raise AudienceError("The end must lie after the start.")
    if ends_at and ends_at != mine.ends_at and ends_at <= timezone.now():
        raise AudienceError("The end lies in the past. To stop it now, stop it.")
    before, after = _written(mine.starts_at, mine.ends_at), _written(starts_at, ends_at)
    mine.starts_at, mine.ends_at = starts_at, ends_at
    mine.save(update_fields=["starts_at", "ends_at"])
    audit.record(mine.project, user, "experiment.times", f"experiment:{mine.key}", before=before, after=after, why=why)
    experiment.refresh_from_db(fields=["starts_at", "ends_at"])
    return True


def _written(starts_at: datetime | None, ends_at: datetime | None) -> dict[str, object]:
    times = {"starts_at": starts_at, "ends_at": ends_at}
    return {name: time.isoformat() if time else None for name, time in times.items()}
