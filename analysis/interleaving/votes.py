"""Lists shown and items chosen, added up to one vote a unit by the database that holds the log."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from analysis.rollup.units import unit_of
from analysis.stats.interleaving import UserVotes
from assignment.client.drafting import TREATMENT
from experiments.domain.designs.interleaving import InterleavingDesign

CLOCKS = timedelta(days=7)
"""The log is cut by the client's own time: how far that may be from the corrected one before an event is missed."""
LATE_CHOICE = timedelta(hours=24)
"""How long after its list a choice still counts: people leave a page open overnight, and not for weeks."""

# A list counts once, however often it was reported; an item of it counts once, however often it was chosen.
_SHOWN = """
CREATE TEMP TABLE interleaved ON COMMIT DROP AS
SELECT DISTINCT ON (impression) impression, unit, at, items, teams, differs FROM (
    SELECT l.props ->> 'impression_id' AS impression, {unit} AS unit, l.at, l.props -> 'items' AS items,
           l.props -> 'teams' AS teams, coalesce(l.props -> 'differs' <> 'false', true) AS differs
    FROM events_log l
    WHERE l.project_id = %(project)s AND l.name = %(shown)s AND l.environment = 0
      AND l.ts >= %(first)s AND l.ts < %(last)s AND l.at >= %(since)s AND l.at < %(until)s
      AND l.props ->> 'experiment_id' = %(key)s
    OFFSET 0
) x
WHERE impression IS NOT NULL AND jsonb_typeof(items) = 'array' AND jsonb_typeof(teams) = 'array'
  AND jsonb_array_length(items) = jsonb_array_length(teams) AND jsonb_array_length(items) > 0
ORDER BY impression, at
"""
_UNREADABLE = """
SELECT count(*) FROM events_log l
WHERE l.project_id = %(project)s AND l.name = %(shown)s AND l.environment = 0
  AND l.ts >= %(first)s AND l.ts < %(last)s AND l.at >= %(since)s AND l.at < %(until)s
  AND l.props ->> 'experiment_id' = %(key)s
  AND ({unit} IS NULL OR l.props ->> 'impression_id' IS NULL
       OR jsonb_typeof(l.props -> 'items') IS DISTINCT FROM 'array'
       OR jsonb_typeof(l.props -> 'teams') IS DISTINCT FROM 'array'
       OR jsonb_array_length(CASE WHEN jsonb_typeof(l.props -> 'items') = 'array' THEN l.props -> 'items' END)
          IS DISTINCT FROM
          jsonb_array_length(CASE WHEN jsonb_typeof(l.props -> 'teams') = 'array' THEN l.props -> 'teams' END))
"""
_CHOSEN = """
CREATE TEMP TABLE interleaved_choice ON COMMIT DROP AS
SELECT DISTINCT c.impression, c.item, (
    SELECT i.teams ->> (e.place::int - 1) FROM jsonb_array_elements_text(i.items) WITH ORDINALITY e(item, place)
    WHERE e.item = c.item LIMIT 1
) AS team, i.impression IS NOT NULL AS known
FROM (
    SELECT l.props ->> 'impression_id' AS impression, l.props ->> %(item)s AS item, l.at
    FROM events_log l
    WHERE l.project_id = %(project)s AND l.name = %(chosen)s AND l.environment = 0
      AND l.ts >= %(first)s AND l.ts < %(last_choice)s AND l.at >= %(since)s AND l.at < %(until_choice)s
      AND l.props ? 'impression_id'
    OFFSET 0
) c
LEFT JOIN interleaved i ON i.impression = c.impression AND c.at >= i.at - interval '1 minute' AND c.at < i.at + %(late)s
"""
_CREDIT = """
CREATE TEMP TABLE interleaved_credit ON COMMIT DROP AS
SELECT i.unit, (i.at AT TIME ZONE 'UTC')::date AS day, coalesce(k.credit, 0) AS credit
FROM interleaved i
LEFT JOIN (
    SELECT impression, sum(CASE WHEN team = %(treatment)s THEN 1 ELSE -1 END) AS credit
    FROM interleaved_choice WHERE team IS NOT NULL GROUP BY impression
) k ON k.impression = i.impression
WHERE i.unit IS NOT NULL AND i.unit <> ''
"""
_VOTES = """
SELECT count(*), coalesce(sum(v), 0)::float8, coalesce(sum(v * v), 0)::float8, count(*) FILTER (WHERE v > 0),
       count(*) FILTER (WHERE v < 0)
FROM (SELECT avg(credit)::float8 AS v FROM interleaved_credit GROUP BY unit) u
"""
_DAYS = """
SELECT day, count(*), sum(v)::float8, sum(v * v)::float8, count(*) FILTER (WHERE v > 0), count(*) FILTER (WHERE v < 0)
FROM (SELECT day, avg(credit)::float8 AS v FROM interleaved_credit GROUP BY day, unit) u
GROUP BY day ORDER BY day
"""
_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE differs), count(*) FILTER (WHERE differs AND teams ->> 0 = %(treatment)s),
       max(at) FROM interleaved
"""
_CHOICES = """
SELECT count(*) FILTER (WHERE team = %(treatment)s), count(*) FILTER (WHERE team IS NOT NULL AND team <> %(treatment)s),
       count(*) FILTER (WHERE NOT known), count(*) FILTER (WHERE known AND team IS NULL)
FROM interleaved_choice
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose lists: of one project's interleaving, shown in [since, until)."""

    project: int
    key: str
    unit_type: str
    design: InterleavingDesign
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Everything that was shown and chosen.

    Attributes:
        users: units by how they vote, over all days.
        days: the same of each day alone.
        impressions: lists shown.
        differing: lists for which the rankers disagreed.
        treatment_first: of those, lists that the treatment began.
        for_treatment, for_control: items chosen of each.
        orphans: choices whose list is not known (or lies too far back).
        strangers: choices of an item that was not on its list.
        unreadable: reports of a list that lack a unit, an id, or as many teams as items.
        newest_at: the newest list.
    """

    users: UserVotes
    days: list[tuple[date, UserVotes]]
    impressions: int
    differing: int
    treatment_first: int
    for_treatment: int
    for_control: int
    orphans: int
    strangers: int
    unreadable: int
    newest_at: datetime | None


def votes(asked: Asked) -> Votes:
    """Add up the log; call it inside a transaction, whose temporary tables go with it."""
    given: dict[str, Any] = {
        "project": asked.project,
        "key": asked.key,
        "shown": asked.design.shown_event,
        "chosen": asked.design.clicked_event,
        "item": asked.design.item_property,
        "since": asked.since,
        "until": asked.until,
        "until_choice": asked.until + LATE_CHOICE,
        "first": asked.since - CLOCKS,
        "last": asked.until + CLOCKS,
        "last_choice": asked.until + LATE_CHOICE + CLOCKS,
        "late": LATE_CHOICE,
        "treatment": TREATMENT,
    }
    unit = unit_of(asked.unit_type)
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS pg_temp.interleaved, pg_temp.interleaved_choice, pg_temp.interleaved_credit"
        )
        cursor.execute(_SHOWN.format(unit=unit), given)
        cursor.execute("ANALYZE interleaved")
        cursor.execute(_CHOSEN, given)
        cursor.execute(_CREDIT, given)

        def rows(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement, given)
            return list(cursor.fetchall())

        impressions, differing, first, newest = rows(_COUNTS)[0]
        treatment, control, orphans, strangers = rows(_CHOICES)[0]
        return Votes(
            users=_users(*rows(_VOTES)[0]),
            days=[(row[0], _users(*row[1:])) for row in rows(_DAYS)],
            impressions=impressions,
            differing=differing,
            treatment_first=first,
            for_treatment=treatment,
            for_control=control,
            orphans=orphans,
            strangers=strangers,
            unreadable=rows(_UNREADABLE.format(unit=unit))[0][0],
            newest_at=newest,
        )


def _users(users: int, total: float, squares: float, ahead: int, behind: int) -> UserVotes:
    return UserVotes(users=users, total=total, squares=squares, ahead=ahead, behind=behind)
