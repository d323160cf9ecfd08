"""Quiet hours on the recipient's own clock: pure arithmetic on clocks and calendars (no Django)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analysis.mail.schedule import find_zone

QUARTER = timedelta(minutes=15)
"""Every zone's offset is a whole number of quarters of an hour today, so that an hour begins on one of them in UTC."""
LONGEST_QUIET = 4 * 24 * 4
"""Quarters to search: a night, a weekend and a clock change fit into four days."""
SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """When not to ring. ``start`` and ``end`` are hours of the day, equal for none; over midnight is allowed."""

    time_zone: str = "UTC"
    start: int = 0
    end: int = 0
    weekends: bool = False

    def __post_init__(self) -> None:
        """Refuse what no clock shows."""
        for hour in (self.start, self.end):
            if not 0 <= hour <= 23:
                raise ValueError(f"The hour is {hour}; it must be from 0 to 23.")
        find_zone(self.time_zone)


def is_quiet(hours: QuietHours, at: datetime) -> bool:
    """Say whether ``at`` lies in the quiet hours. By the clock on the wall: an hour that comes twice is twice quiet."""
    local = at.astimezone(find_zone(hours.time_zone))
    if hours.weekends and local.weekday() >= SATURDAY:
        return True
    if hours.start == hours.end:
        return False
    if hours.start < hours.end:
        return hours.start <= local.hour < hours.end
    return local.hour >= hours.start or local.hour < hours.end


def next_allowed(hours: QuietHours, at: datetime) -> datetime:
    """Return ``at`` itself, or the moment at which the quiet hours that it lies in end, in UTC."""
    if not is_quiet(hours, at):
        return at.astimezone(UTC)
    began = at.astimezone(UTC).replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    for quarter in range(1, LONGEST_QUIET):
        moment = began + quarter * QUARTER
        if not is_quiet(hours, moment):
            return moment
    raise AssertionError(f"no end of {hours} within four days of {at}")
