"""Where an experiment stands against its planned end: what may be read before it and what may not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.decisions.rules import DEFAULTS, Rules
from experiments.domain.lifecycle import day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """``day`` counts from 1 on the day of the start (0 before it); ``reached`` says the planned days have passed."""

    day: int
    planned_days: int
    running: bool
    reached: bool

    @property
    def peeking(self) -> bool:
        """Say whether a reading now is a look before the planned end."""
        return not self.reached


def horizon(
    started_at: datetime | None,
    stopped_at: datetime | None,
    as_of: datetime,
    planned_days: int,
    rules: Rules = DEFAULTS,
) -> Horizon:
    """Return where the experiment stands at ``as_of``."""
    if started_at is None:
        return Horizon(day=0, planned_days=planned_days, running=False, reached=False)
    running = stopped_at is None or stopped_at > as_of
    end = as_of if stopped_at is None else min(stopped_at, as_of)
    elapsed = max(timedelta(0), end - started_at)
    return Horizon(
        day=day_of(started_at, stopped_at, as_of),
        planned_days=planned_days,
        running=running,
        reached=elapsed + rules.horizon_grace >= timedelta(days=planned_days),
    )
