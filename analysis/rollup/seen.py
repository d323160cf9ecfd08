"""What a chunk holds, added up in one pass, so that whatever has nothing to do is left out."""

from dataclasses import dataclass

from analysis.rollup import scores, sql

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_seen (
    project_id bigint NOT NULL, name text NOT NULL, experiment text, variant text, past boolean NOT NULL,
    oldest timestamptz NOT NULL, newest timestamptz NOT NULL, data_up_to timestamptz NOT NULL, events bigint NOT NULL,
    crossed boolean NOT NULL, scored boolean NOT NULL, all_users boolean NOT NULL, all_devices boolean NOT NULL
) ON COMMIT DELETE ROWS;
"""

# crossed: something happened, by the corrected clock, after the day of the log that it lies in (days.py).
# all_users, all_devices: every row names one that can be a unit.
FILL = f"""
INSERT INTO fold_seen
SELECT project_id, name, experiment, variant, past, min(at), max(at), max(least(at, received_at)), count(*),
       coalesce(bool_or(at > ts AND at >= date_trunc('day', ts, 'UTC') + interval '1 day'), false),
       coalesce(bool_or(props ? '{scores.PROPERTY}') FILTER (WHERE experiment IS NOT NULL), false),
       bool_and(user_id IS NOT NULL AND char_length(user_id) BETWEEN 1 AND 255),
       bool_and(anonymous_id IS NOT NULL AND char_length(anonymous_id) BETWEEN 1 AND 255)
FROM fold_event WHERE past = {{past}}
GROUP BY project_id, name, experiment, variant, past
"""  # noqa: S608  (own words)

_SUMMARY = """
SELECT coalesce(sum(events) FILTER (WHERE NOT past), 0), coalesce(bool_or(crossed), false),
       coalesce(bool_or(name IN ('$identify', '$alias')), false), coalesce(bool_or(scored), false),
       coalesce((min(oldest) AT TIME ZONE 'UTC')::date = (max(newest) AT TIME ZONE 'UTC')::date, true)
FROM fold_seen
"""

# Where ids are linked, the unit is not the id that the row carries: then all exposures are looked at.
_STRAYS = """
SELECT FROM fold_seen s
LEFT JOIN experiments_experiment x ON x.project_id = s.project_id AND x.key = s.experiment
LEFT JOIN experiments_variant v ON v.experiment_id = x.id AND v.key = s.variant
WHERE s.experiment IS NOT NULL AND NOT s.past
  AND (v.id IS NULL OR s.project_id = ANY(%(linked)s)
       OR NOT CASE x.unit_type WHEN 'user' THEN s.all_users WHEN 'device' THEN s.all_devices ELSE false END)
LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is in a chunk: its new rows, and whether any crossed a day, links ids or carries a score."""

    events: int
    crosses_days: bool
    links: bool
    scores: bool
    one_day: bool


def scan() -> Seen:
    """Add up the chunk's new rows in ``fold_seen``."""
    sql.run(FILL.format(past="false"))
    return read()


def scan_past() -> None:
    """Add up the past rows that joined the chunk."""
    sql.run(FILL.format(past="true"))


def read() -> Seen:
    """Return what there is in the chunk, with the past rows that joined it by now."""
    ((events, crosses_days, links, scored, one_day),) = sql.rows(_SUMMARY)
    return Seen(events=int(events), crosses_days=crosses_days, links=links, scores=scored, one_day=one_day)


def may_have_strays(linked: list[int]) -> bool:
    """Say whether some exposure may name no experiment, no variant or no unit."""
    return bool(sql.rows(_STRAYS, {"linked": linked}))
