"""Find the units whose rate no person reaches, day by day, and keep the evidence.

A day is counted when it is over, and again when late events reach it: what is kept follows from the log alone. Users
and devices are looked at. An event belongs to the day of its corrected time; one whose own clock was off by more than
two days is not counted here.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from analysis.bots import excluding
from analysis.models import BotDay, BotRule, Watermark
from analysis.rollup import units, watermark
from experiments.domain.units import UnitType

NAME = "bots"
RATED = (UnitType.USER, UnitType.DEVICE)
"""An account may be a whole company, an impression or a block of time has many people; a session has a device."""
MANY_A_DAY = 1_000
"""More than an event a minute for sixteen hours without a pause."""
MANY_A_MINUTE = 100
"""More than three events in two seconds for a whole minute."""
CLOCKS_OFF = timedelta(days=2)
MOST_UNITS = 10_000
"""Units kept of a project's day, the busiest first: a mistake in the app must not fill the table."""
DAY = timedelta(days=1)

TOUCHED = """
SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM events_log
WHERE xid >= %(lo)s::xid8 AND xid < %(hi)s::xid8 AND environment = 0 AND at < %(today)s ORDER BY 1
"""
COUNT = f"""
WITH counted AS (
    SELECT project_id, unit, sum(events) AS events, max(events) AS busiest
    FROM (
        SELECT l.project_id, {{unit}} AS unit, count(*) AS events
        FROM events_log l
        WHERE l.ts >= %(begins)s - %(off)s AND l.ts < %(ends)s + %(off)s AND l.at >= %(begins)s AND l.at < %(ends)s
          AND l.xid < %(hi)s::xid8 AND l.environment = 0
        GROUP BY l.project_id, {{unit}}, date_trunc('minute', l.at)
    ) minutes
    WHERE char_length(unit) BETWEEN 1 AND 255
    GROUP BY project_id, unit
    HAVING sum(events) > {MANY_A_DAY} OR max(events) > {MANY_A_MINUTE}
)
SELECT project_id, unit, events, busiest
FROM (SELECT c.*, row_number() OVER (PARTITION BY project_id ORDER BY events DESC, unit) AS place FROM counted c) ranked
WHERE place <= {MOST_UNITS} AND EXISTS (SELECT FROM experiments_project p WHERE p.id = project_id)
"""  # noqa: S608  (constants)


def flag(now: datetime) -> int:
    """Count every day that is over and that new events have reached; return how many days that was."""
    Watermark.objects.get_or_create(name=NAME)
    today = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
    with transaction.atomic():
        mark = Watermark.objects.select_for_update().get(name=NAME)
        settled = watermark.settled_xid()
        days = _days(mark, settled, today)
        for day in days:
            _flag_day(day, settled)
        mark.xid, mark.advanced_at = max(mark.xid, settled), now
        mark.save(update_fields=["xid", "advanced_at"])
    return len(days)


def _days(mark: Watermark, settled: int, today: datetime) -> list[date]:
    """Return the days that rows since the last time belong to, and those that have ended since."""
    asked: dict[str, Any] = {"lo": str(mark.xid), "hi": str(settled), "today": today}
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, asked)
        touched = {day for (day,) in cursor.fetchall()}
    ended = today.date() if mark.advanced_at is None else mark.advanced_at.astimezone(UTC).date()
    while ended < today.date():
        touched.add(ended)
        ended += DAY
    return sorted(touched)


def _flag_day(day: date, settled: int) -> None:
    begins = datetime.combine(day, time.min, UTC)
    asked: dict[str, Any] = {"begins": begins, "ends": begins + DAY, "off": CLOCKS_OFF, "hi": str(settled)}
    for unit_type in RATED:
        with connection.cursor() as cursor:
            cursor.execute(COUNT.format(unit=units.unit_of(unit_type)), asked)
            found = cursor.fetchall()
        kept = [
            BotDay(project_id=project, unit_type=unit_type.value, unit=unit, day=day, events=events, busiest=busiest)
            for project, unit, events, busiest in found
        ]
        _leave_out(unit_type, day, kept)
        BotDay.objects.bulk_create(
            kept, update_conflicts=True, unique_fields=["project", "unit_type", "unit", "day"],
            update_fields=["events", "busiest"],
        )  # fmt: skip


def _leave_out(unit_type: UnitType, day: date, found: list[BotDay]) -> None:
    """Mark the experiments of units that break their project's rule on this day, and have not done so before."""
    projects = {one.project_id for one in found}
    for rule in BotRule.objects.filter(project__in=projects):
        known = set(excluding.breaking(rule).filter(unit_type=unit_type.value, day=day).values_list("unit", flat=True))
        units = {one.unit for one in found if one.project_id == rule.project_id and excluding.breaks(rule, one)}
        if units - known:
            watermark.make()
            watermark.lock()
            excluding.mark(rule, unit_type, sorted(units - known))
