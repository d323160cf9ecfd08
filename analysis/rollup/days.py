"""Which days of the log can hold events of a moment or later, so that the fold does not look into all of them.

The log is cut into days by the client's own time stamp, and read by the time corrected for the client's clock. The two
are seldom days apart; the days in which some event happened later than they were over are remembered, and are looked
into as well. What a recompute reads to check the fold is never cut short by this.
"""

from datetime import UTC, date, datetime, timedelta

from analysis.models import Watermark
from analysis.rollup import sql

NAME = "late days"
"""The watermark that says that a log from before this was known has been read for it."""

_LATE = """
INSERT INTO analysis_lateday AS d (day, newest_at)
SELECT (l.ts AT TIME ZONE 'UTC')::date, max(l.at) FROM {rows} l
WHERE l.at >= date_trunc('day', l.ts, 'UTC') + interval '1 day' {only}
GROUP BY 1
ON CONFLICT (day) DO UPDATE SET newest_at = excluded.newest_at WHERE excluded.newest_at > d.newest_at
"""
REMEMBER = _LATE.format(rows="fold_event", only="AND NOT l.past")
REMEMBER_ALL = _LATE.format(rows="events_log", only="AND l.xid < %(hi)s::xid8 AND l.environment = 0")

LATE = "SELECT day FROM analysis_lateday WHERE day < %(since)s::date AND newest_at >= %(since)s::timestamptz"

# What a look-up of one unit costs, in rows that could be read instead: a few for each partition (measured).
LOOKED_INTO = """
SELECT count(*), coalesce(sum(pg_stat_get_live_tuples(relid)), 0)
FROM pg_partition_tree('events_log') WHERE isleaf
  AND (relid::regclass::text !~ '_[0-9]{8}$' OR right(relid::regclass::text, 8) >= %(first)s
       OR right(relid::regclass::text, 8) = ANY(%(late)s))
"""
ROWS_A_LOOK_UP = 6


def catch_up(below: int) -> None:
    """Read a log that was folded before this was known; once, with the watermark locked."""
    if Watermark.objects.filter(name=NAME).exists():
        return
    if below:
        sql.run(REMEMBER_ALL, {"hi": str(below)})
    Watermark.objects.create(name=NAME, xid=below)


def since(moment: datetime) -> "Days":
    """Return the days in which something can have happened at a moment or later."""
    found = sql.rows(LATE, {"since": moment.astimezone(UTC).isoformat()})
    return Days(moment.astimezone(UTC).date(), [day for (day,) in found])


class Days:
    """All days from ``first`` on, and some earlier ones."""

    def __init__(self, first: date, late: list[date]) -> None:
        self.first, self.late = first, late

    def condition(self) -> str:
        """Return the condition that a row ``l`` of the log lies in these days, by which partitions are left out."""
        ranges = [f"l.ts >= '{self.first}T00:00Z'"]
        ranges += [f"(l.ts >= '{day}T00:00Z' AND l.ts < '{day + timedelta(days=1)}T00:00Z')" for day in self.late]
        return f"AND ({' OR '.join(ranges)})"

    def is_cheaper_to_scan(self, look_ups: int) -> bool:
        """Say whether reading these days once is cheaper than looking up so many units in them."""
        ((partitions, rows),) = sql.rows(
            LOOKED_INTO, {"first": f"{self.first:%Y%m%d}", "late": [f"{day:%Y%m%d}" for day in self.late]}
        )
        return look_ups * int(partitions) * ROWS_A_LOOK_UP > int(rows)
