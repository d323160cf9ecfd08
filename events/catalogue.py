"""The catalogue of events: what has been seen, how often a day, with which properties. Kept up by watermark.

Every settled row of the log is counted once: rows of transactions between the last watermark and the oldest transaction
still running, as the fold does (docs/architecture.md). Nothing here is on an event's way to the disk.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from events.intake.fields import EXPOSURE
from events.models import ArrivalDay, CatalogueMark, DuplicateDay, SeenDay, SeenEvent, SeenHour, SeenProperty

logger = logging.getLogger(__name__)

CHUNK_EVENTS = 200_000
MOST_CHUNKS = 20
"""A run takes no more than this: the next one goes on where it ended."""
SAMPLED = 50
"""Events of one name, a chunk, whose properties are looked at."""
MOST_EVENTS = 1_000
MOST_PROPERTIES = 200
"""Names a project and properties an event at most: an app that makes names up must not fill the catalogue."""
EXAMPLE_CHARACTERS = 80
HOURS_KEPT = timedelta(weeks=6)
"""Five past weeks say what is usual in an hour (analysis/stats/volume.py), and the sixth is the one being judged."""
ARRIVALS_KEPT = timedelta(days=90)
WRONG_CLOCK = timedelta(seconds=10)
"""A device that is this far off is no delay of the network."""
LATE = timedelta(hours=1)
MARK = "catalogue"

SETTLED = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
LAST_OF_CHUNK = """
SELECT xid::text::bigint FROM events_log WHERE xid >= %(lo)s::xid8 AND xid < %(hi)s::xid8
ORDER BY xid OFFSET %(skip)s LIMIT 1
"""
SEEN = f"""
WITH arrived AS (
    SELECT l.project_id, l.name, min(l.at) AS first_at, max(l.at) AS last_at, count(*) AS events
    FROM events_log l JOIN experiments_project p ON p.id = l.project_id
    WHERE l.xid >= %(lo)s::xid8 AND l.xid < %(hi)s::xid8 AND char_length(l.name) <= 255
    GROUP BY l.project_id, l.name
), room AS (
    SELECT p.project_id, {MOST_EVENTS} - count(e.name) AS left
    FROM (SELECT DISTINCT project_id FROM arrived) p LEFT JOIN events_seenevent e ON e.project_id = p.project_id
    GROUP BY p.project_id
), ranked AS (
    SELECT a.*, k.name IS NOT NULL AS known,
           row_number() OVER (PARTITION BY a.project_id, k.name IS NOT NULL ORDER BY a.events DESC, a.name) AS place
    FROM arrived a LEFT JOIN events_seenevent k ON k.project_id = a.project_id AND k.name = a.name
)
INSERT INTO events_seenevent AS s (project_id, name, first_at, last_at, events)
SELECT r.project_id, r.name, r.first_at, r.last_at, r.events
FROM ranked r JOIN room USING (project_id) WHERE r.known OR r.place <= room.left
ON CONFLICT (project_id, name) DO UPDATE SET
    first_at = least(s.first_at, excluded.first_at), last_at = greatest(s.last_at, excluded.last_at),
    events = s.events + excluded.events
"""  # noqa: S608  (a constant)
DAYS = """
INSERT INTO events_seenday AS d (event_id, environment, day, events)
SELECT s.id, l.environment, (l.at AT TIME ZONE 'UTC')::date, count(*)
FROM events_log l JOIN events_seenevent s ON s.project_id = l.project_id AND s.name = l.name
WHERE l.xid >= %(lo)s::xid8 AND l.xid < %(hi)s::xid8
GROUP BY 1, 2, 3
ON CONFLICT (event_id, environment, day) DO UPDATE SET events = d.events + excluded.events
"""
HOURS = """
INSERT INTO events_seenhour AS h (event_id, hour, events)
SELECT s.id, date_trunc('hour', l.at, 'UTC'), count(*)
FROM events_log l JOIN events_seenevent s ON s.project_id = l.project_id AND s.name = l.name
WHERE l.xid >= %(lo)s::xid8 AND l.xid < %(hi)s::xid8 AND l.environment = 0 AND l.at >= now() - %(kept)s
GROUP BY 1, 2
ON CONFLICT (event_id, hour) DO UPDATE SET events = h.events + excluded.events
"""
# A number is what the fold takes for one (analysis_number): a JSON number, or a text that reads as one.
ARRIVALS = r"""
WITH summed AS (
    SELECT project_id, event AS name, array_agg(DISTINCT property) AS properties
    FROM experiments_metric WHERE property <> '' AND archived_at IS NULL GROUP BY 1, 2
)
INSERT INTO events_arrivalday AS a (event_id, door, day, events, late, corrected, farthest, missing)
SELECT s.id, l.door, (l.received_at AT TIME ZONE 'UTC')::date, count(*),
       count(*) FILTER (WHERE l.received_at - l.at > %(late)s), count(*) FILTER (WHERE o.off > %(wrong)s),
       coalesce(extract(epoch FROM max(o.off) FILTER (WHERE o.off > %(wrong)s))::bigint, 0),
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM unnest(m.properties) AS p(key) WHERE NOT coalesce(
               jsonb_typeof(l.props -> p.key) = 'number'
               OR (l.props ->> p.key) ~ '^\s*[+-]?[0-9]{1,18}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?\s*$', false)))
FROM events_log l
JOIN events_seenevent s ON s.project_id = l.project_id AND s.name = l.name
CROSS JOIN LATERAL (SELECT greatest(l.at - l.ts, l.ts - l.at) AS off) o
LEFT JOIN summed m ON m.project_id = l.project_id AND m.name = l.name
WHERE l.xid >= %(lo)s::xid8 AND l.xid < %(hi)s::xid8 AND l.environment = 0
GROUP BY 1, 2, 3
ON CONFLICT (event_id, door, day) DO UPDATE SET
    events = a.events + excluded.events, late = a.late + excluded.late, corrected = a.corrected + excluded.corrected,
    farthest = greatest(a.farthest, excluded.farthest), missing = a.missing + excluded.missing
"""
PROPERTIES = f"""
WITH sampled AS (
    SELECT n.event_id, n.props FROM (
        SELECT s.id AS event_id, l.props, row_number() OVER (PARTITION BY s.id) AS place
        FROM events_log l JOIN events_seenevent s ON s.project_id = l.project_id AND s.name = l.name
        WHERE l.xid >= %(lo)s::xid8 AND l.xid < %(hi)s::xid8
    ) n WHERE n.place <= {SAMPLED}
), found AS (
    SELECT p.event_id, e.key, jsonb_typeof(e.value) AS type,
           min(left(e.value #>> '{{}}', {EXAMPLE_CHARACTERS})) AS example
    FROM sampled p CROSS JOIN LATERAL jsonb_each(p.props) e
    WHERE char_length(e.key) BETWEEN 1 AND 255 AND e.key <> '$context' AND jsonb_typeof(e.value) <> 'null'
    GROUP BY 1, 2, 3
), ranked AS (
    SELECT f.*, k.id IS NOT NULL AS known,
           row_number() OVER (PARTITION BY f.event_id, k.id IS NOT NULL ORDER BY f.key, f.type) AS place
    FROM found f LEFT JOIN events_seenproperty k ON k.event_id = f.event_id AND k.key = f.key AND k.type = f.type
)
INSERT INTO events_seenproperty AS k (event_id, key, type, example)
SELECT r.event_id, r.key, r.type, r.example FROM ranked r
WHERE r.known
   OR r.place <= {MOST_PROPERTIES} - (SELECT count(*) FROM events_seenproperty o WHERE o.event_id = r.event_id)
ON CONFLICT (event_id, key, type) DO UPDATE SET example = excluded.example
"""  # noqa: S608  (constants)


def bring_up_to_date(*, chunk_events: int = CHUNK_EVENTS) -> int:
    """Count what has settled since the last time; return how many chunks it took. Two workers at once take turns."""
    CatalogueMark.objects.get_or_create(name=MARK)
    settled = _number(SETTLED, {})
    for chunk in range(MOST_CHUNKS):
        with transaction.atomic():
            mark = CatalogueMark.objects.select_for_update().get(name=MARK)
            if mark.xid >= settled:
                return chunk
            last = _number(
                LAST_OF_CHUNK, {"lo": str(mark.xid), "hi": str(settled), "skip": chunk_events - 1}, settled - 1
            )
            bounds: dict[str, Any] = {
                "lo": str(mark.xid), "hi": str(last + 1), "kept": HOURS_KEPT, "late": LATE, "wrong": WRONG_CLOCK,
            }  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL work_mem = '64MB'")
                for statement in (SEEN, DAYS, HOURS, ARRIVALS, PROPERTIES):
                    cursor.execute(statement, bounds)
            mark.xid = last + 1
            mark.save(update_fields=["xid"])
    return MOST_CHUNKS


def drop_old_hours(now: datetime) -> int:
    """Forget the hours that nothing is compared with any more, and how events arrived a season ago; days stay.

    Return how many hours there were.
    """
    for table in (ArrivalDay, DuplicateDay):
        table.objects.filter(day__lt=(now - ARRIVALS_KEPT).date()).delete()
    return SeenHour.objects.filter(hour__lt=now - HOURS_KEPT).delete()[0]


@transaction.atomic
def begin_anew() -> None:
    """Forget everything, and count the whole log again by and by."""
    CatalogueMark.objects.filter(name=MARK).update(xid=0)
    SeenEvent.objects.all().delete()


def events_of(project_id: int) -> QuerySet[SeenEvent]:
    """Return a project's events, most recent first."""
    return SeenEvent.objects.filter(project_id=project_id).order_by("-last_at", "name")


def describe(events: Sequence[SeenEvent], today: date, days: int) -> None:
    """Give events their ``volume`` (production's, a day) and ``kinds``, in two queries."""
    ids = [event.pk for event in events]
    first = today - timedelta(days=days - 1)
    volumes: dict[int, dict[date, int]] = {}
    for event_id, day, count in SeenDay.objects.filter(
        event__in=ids, environment=0, day__gte=first, day__lte=today
    ).values_list("event_id", "day", "events"):
        volumes.setdefault(event_id, {})[day] = count
    kinds: dict[int, dict[str, list[SeenProperty]]] = {}
    for each in SeenProperty.objects.filter(event__in=ids).order_by("key", "type"):
        kinds.setdefault(each.event_id, {}).setdefault(each.key, []).append(each)
    for event in events:
        counted = volumes.get(event.pk, {})
        event.volume = [counted.get(first + timedelta(days=offset), 0) for offset in range(days)]
        event.kinds = kinds.get(event.pk, {})


def names(project_id: int) -> list[str]:
    """Return the names of a project's events for suggestions, exposures and calls of the protocols left out."""
    found = SeenEvent.objects.filter(project_id=project_id).exclude(name__startswith="$").exclude(name=EXPOSURE)
    return list(found.order_by("-events").values_list("name", flat=True)[:200])


def properties(project_id: int, name: str) -> list[SeenProperty]:
    """Return the properties of one event for suggestions."""
    return list(SeenProperty.objects.filter(event__project_id=project_id, event__name=name).order_by("key", "type"))


def _number(statement: str, parameters: dict[str, str | int], default: int = 0) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return int(row[0]) if row else default
