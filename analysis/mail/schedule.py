"""When a digest is due next: pure arithmetic on clocks and calendars (no Django)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

Cadence = Literal["daily", "weekly", "monthly", "milestones"]

# A message that goes out late stands in for an occurrence that would follow within this time: after an outage the
# reader gets one message, not one for the past and another a minute later.
STANDS_IN_FOR = {"daily": timedelta(hours=6), "weekly": timedelta(days=2), "monthly": timedelta(days=7)}
CADENCES = (*STANDS_IN_FOR, "milestones")

# A month, and a day on either side for zones far from UTC.
DAYS_TO_SEARCH = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often, and when on the recipient's own clock.

    ``weekday`` (0 is Monday) counts for weekly digests alone, ``day_of_month`` for monthly ones: in a month that has no
    such day its last day. What goes out at milestones follows no clock.
    """

    cadence: Cadence
    hour: int
    time_zone: str
    weekday: int = 0
    day_of_month: int = 1

    def __post_init__(self) -> None:
        """Refuse what no clock shows."""
        if self.cadence not in CADENCES:
            raise ValueError(f"The cadence is {self.cadence!r}; it must be one of {', '.join(CADENCES)}.")
        if not 0 <= self.hour <= 23:
            raise ValueError(f"The hour is {self.hour}; it must be from 0 to 23.")
        if not 0 <= self.weekday <= 6:
            raise ValueError(f"The weekday is {self.weekday}; it must be from 0 (Monday) to 6 (Sunday).")
        if not 1 <= self.day_of_month <= 31:
            raise ValueError(f"The day of the month is {self.day_of_month}; it must be from 1 to 31.")
        find_zone(self.time_zone)


@cache
def zone_names() -> tuple[str, ...]:
    """Return every time zone that a person may choose, in order."""
    return tuple(sorted(available_timezones() - {"localtime", "posixrules", "Factory"}))


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of this IANA name, or say what a name looks like."""
    if name in zone_names():
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            pass
    raise ValueError(f"The time zone is {name!r}; it must be an IANA name such as Europe/Berlin or UTC.")


def next_due(rhythm: Rhythm, after: datetime) -> datetime | None:
    """Return the first occurrence later than ``after``, in UTC; None where no clock decides.

    An hour that daylight saving skips becomes the moment the clocks jump past it; an hour that comes twice counts
    the first time.
    """
    if rhythm.cadence == "milestones":
        return None
    zone = find_zone(rhythm.time_zone)
    first_day = after.astimezone(zone).date() - timedelta(days=1)
    for offset in range(DAYS_TO_SEARCH):
        day = first_day + timedelta(days=offset)
        if not _is_day(rhythm, day):
            continue
        # fold=0 is the first of two equal hours; in a gap it carries the offset before the jump, which lands after it.
        occurrence = datetime.combine(day, time(rhythm.hour), zone).astimezone(UTC)
        if occurrence > after:
            return occurrence
    raise AssertionError(f"no occurrence of {rhythm} within {DAYS_TO_SEARCH} days of {after}")


def following(rhythm: Rhythm, now: datetime) -> datetime | None:
    """Return when the next message is due once one goes out at ``now``, however many were missed before."""
    return next_due(rhythm, now + STANDS_IN_FOR.get(rhythm.cadence, timedelta(0)))


def _is_day(rhythm: Rhythm, day: date) -> bool:
    if rhythm.cadence == "weekly":
        return day.weekday() == rhythm.weekday
    if rhythm.cadence == "monthly":
        return day.day == min(rhythm.day_of_month, monthrange(day.year, day.month)[1])
    return True
