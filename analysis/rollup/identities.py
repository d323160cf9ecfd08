"""Ids that belong to one person: learnt from the log, resolved, and applied to units that are folded already.

``$identify`` says that a device is a user, ``$alias`` that an older id is. Of the links of one id the earliest counts
(of two at the same moment, the one to the lesser user id), whatever order they arrive in; links of links are followed,
and where they go round in a circle its newest is left out. So who somebody is follows from the set of all links, and a
recompute gives the same. docs/decisions/0015 says why.

A link that changes who an id counts for makes its people's units *relinked*: what was folded of them goes, and all
their past events join the chunk, in which they are then folded like any unit that is new.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.models import Watermark
from analysis.rollup import days, sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.rollup.units import TAKES_LINKS
from analysis.rollup.watermark import Bounds

NAME = "identities"
"""The watermark that says that the log's links are read: an installation is older than its first link."""

NOBODY = ("0", "anonymous", "guest", "n/a", "nan", "nil", "none", "null", "true", "false", "undefined", "unknown",
          "[object object]", "00000000-0000-0000-0000-000000000000")  # fmt: skip
"""Ids that apps send when they know none: a link with one of them would make everybody one person."""

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_touched (
    project_id bigint NOT NULL, alias text NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_relinked (
    project_id bigint NOT NULL, alias text NOT NULL, was text, person text, chained boolean NOT NULL,
    PRIMARY KEY (project_id, alias)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_person (
    project_id bigint NOT NULL, unit text NOT NULL, PRIMARY KEY (project_id, unit)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_id (
    project_id bigint NOT NULL, id text NOT NULL, since timestamptz NOT NULL, PRIMARY KEY (project_id, id)
) ON COMMIT DELETE ROWS;
"""

_NOBODY = ", ".join(f"'{one}'" for one in NOBODY)
LINKS = f"""
SELECT project_id, alias, user_id, min(at) AS linked_at
FROM (
    SELECT l.project_id, l.user_id, l.at,
           CASE WHEN l.name = '$identify' THEN l.anonymous_id
                WHEN jsonb_typeof(l.props -> '$previous_id') IN ('string', 'number')
                THEN l.props ->> '$previous_id' END AS alias
    FROM {{rows}} l
    WHERE l.name IN ('$identify', '$alias') AND l.user_id IS NOT NULL {{only}}
) said
WHERE alias <> user_id AND btrim(alias) <> '' AND char_length(alias) <= 255
  AND lower(alias) NOT IN ({_NOBODY}) AND lower(user_id) NOT IN ({_NOBODY})
GROUP BY project_id, alias, user_id
"""  # noqa: S608  (own words)
IN_LOG = "AND l.environment = 0 AND l.xid < %(hi)s::xid8"

ADD_LINKS = """
WITH added AS (
    INSERT INTO analysis_link AS k (project_id, alias, user_id, linked_at) {links}
    ON CONFLICT (project_id, alias, user_id) DO UPDATE SET linked_at = excluded.linked_at
    WHERE excluded.linked_at < k.linked_at
    RETURNING project_id, alias
)
INSERT INTO fold_touched SELECT DISTINCT project_id, alias FROM added
"""

# What each alias that may count for another person now says itself, and all aliases that lead to it.
_EARLIEST = """
    SELECT k.user_id, k.linked_at FROM analysis_link k
    WHERE k.project_id = {of}.project_id AND k.alias = {of}.{alias} ORDER BY k.linked_at, k.user_id COLLATE "C" LIMIT 1
"""
RELINK = f"""
WITH RECURSIVE upward AS (
    SELECT project_id, alias FROM fold_touched
    UNION
    SELECT k.project_id, k.alias FROM upward t
    JOIN analysis_link k ON k.project_id = t.project_id AND k.user_id = t.alias
)
INSERT INTO fold_relinked
SELECT t.project_id, t.alias, i.person, own.user_id,
       EXISTS (SELECT FROM analysis_link k WHERE k.project_id = t.project_id AND k.alias = own.user_id)
FROM upward t
LEFT JOIN LATERAL ({_EARLIEST.format(of="t", alias="alias")}) own ON true
LEFT JOIN analysis_identity i ON i.project_id = t.project_id AND i.alias = t.alias
"""  # noqa: S608  (own words)
CHAINS = f"""
WITH RECURSIVE chain AS (
    SELECT t.project_id, t.alias, own.user_id, own.linked_at
    FROM fold_relinked t CROSS JOIN LATERAL ({_EARLIEST.format(of="t", alias="alias")}) own WHERE t.chained
    UNION
    SELECT c.project_id, c.user_id, own.user_id, own.linked_at
    FROM chain c CROSS JOIN LATERAL ({_EARLIEST.format(of="c", alias="user_id")}) own
)
SELECT project_id, alias, user_id, extract(epoch FROM linked_at) FROM chain
"""  # noqa: S608  (own words)
SET_PERSONS = """
UPDATE fold_relinked t SET person = nullif(r.person, '')
FROM unnest(%(projects)s::bigint[], %(aliases)s::text[], %(persons)s::text[]) AS r(project_id, alias, person)
WHERE t.project_id = r.project_id AND t.alias = r.alias AND t.chained
"""
KEEP = """
DELETE FROM fold_relinked WHERE was IS NOT DISTINCT FROM person;
DELETE FROM analysis_identity i USING fold_relinked t
WHERE i.project_id = t.project_id AND i.alias = t.alias AND t.person IS NULL;
INSERT INTO analysis_identity (project_id, alias, person)
SELECT project_id, alias, person FROM fold_relinked WHERE person IS NOT NULL
ON CONFLICT (project_id, alias) DO UPDATE SET person = excluded.person;
"""

# Only where some experiment counts by person.
FILL_PERSONS = f"""
INSERT INTO fold_person
SELECT DISTINCT t.project_id, p.unit
FROM fold_relinked t CROSS JOIN LATERAL unnest(ARRAY[t.alias, t.was, t.person]) AS p(unit)
WHERE p.unit IS NOT NULL
  AND EXISTS (SELECT FROM fold_experiment x WHERE x.project_id = t.project_id AND NOT x.stale AND {TAKES_LINKS});
INSERT INTO fold_id
SELECT n.project_id, n.id, s.since
FROM (
    SELECT project_id, unit AS id FROM fold_person
    UNION
    SELECT i.project_id, i.alias FROM fold_person p
    JOIN analysis_identity i ON i.project_id = p.project_id AND i.person = p.unit
) n
JOIN (
    SELECT x.project_id, min(x.started_at - x.before) AS since FROM fold_experiment x WHERE {TAKES_LINKS}
    GROUP BY x.project_id
) s ON s.project_id = n.project_id;
ANALYZE fold_person, fold_id;
"""  # noqa: S608  (own words)

SET_PERSON = """
UPDATE fold_event l SET person = i.person FROM analysis_identity i
WHERE i.project_id = l.project_id AND i.alias = coalesce(l.user_id, l.anonymous_id)
"""

# Each row of the past is found once: by its user, or where it has none by its device. Few ids are looked up, many are
# met in one pass, as in totals.py.
_PAST = """
INSERT INTO fold_event (project_id, at, received_at, name, user_id, anonymous_id, experiment, variant, props, person,
                        past)
SELECT l.project_id, l.at, l.received_at, l.name, l.user_id, l.anonymous_id, l.experiment, l.variant, l.props, i.person,
       true
FROM {found}
LEFT JOIN analysis_identity i ON i.project_id = l.project_id AND i.alias = n.id
WHERE l.experiment IS NOT NULL OR (l.project_id, l.name) IN (SELECT project_id, name FROM fold_term)
"""
_BEFORE = "l.project_id = n.project_id AND l.at >= n.since AND l.xid < %(lo)s::xid8 AND l.environment = 0 {days}"
PAST_BY_INDEX = _PAST.replace(
    "{found}",
    f"""
    (SELECT * FROM fold_id OFFSET 0) n
    CROSS JOIN LATERAL (
        SELECT * FROM events_log l WHERE l.user_id = n.id AND {_BEFORE}
        UNION ALL
        SELECT * FROM events_log l WHERE l.anonymous_id = n.id AND l.user_id IS NULL AND {_BEFORE}
        OFFSET 0
    ) l
""",  # noqa: S608  (own words)
)
PAST_BY_SCAN = _PAST.replace(
    "{found}", f"fold_id n JOIN events_log l ON coalesce(l.user_id, l.anonymous_id) = n.id AND {_BEFORE}"
)

FORGET = f"""
DELETE FROM {{table}} t USING fold_experiment x, fold_person p
WHERE NOT x.stale AND {TAKES_LINKS} AND p.project_id = x.project_id AND t.experiment_id = x.experiment_id
  AND t.unit = p.unit
"""  # noqa: S608  (own words)

# All they ever did is in the chunk: nothing of them has to be read from the log again.
STAND = f"""
UPDATE fold_unit m SET moved = false FROM fold_experiment x, fold_person p
WHERE x.experiment_id = m.experiment_id AND {TAKES_LINKS} AND p.project_id = x.project_id AND p.unit = m.unit
"""  # noqa: S608  (own words)

# A person one of whose ids is given a variant by hand is nobody's evidence either.
SPREAD_OVERRIDES = f"""
INSERT INTO fold_override
SELECT o.experiment_id, i.person FROM fold_override o
JOIN fold_experiment x ON x.experiment_id = o.experiment_id AND {TAKES_LINKS}
JOIN analysis_identity i ON i.project_id = x.project_id AND i.alias = o.unit
ON CONFLICT DO NOTHING
"""  # noqa: S608  (own words)

LINKED = """
SELECT p.id FROM experiments_project p
WHERE EXISTS (SELECT FROM analysis_identity i WHERE i.project_id = p.id) ORDER BY p.id
"""

FOLD_ANEW = f"""
UPDATE analysis_foldedexperiment f SET plan = 'identities' FROM experiments_experiment x
WHERE x.id = f.experiment_id AND {TAKES_LINKS}
  AND EXISTS (SELECT FROM analysis_identity i WHERE i.project_id = x.project_id)
"""  # noqa: S608  (own words)


# After an erasure: links of ids are what the log that is left says.
FORGET_LINKS = """
WITH gone AS (
    DELETE FROM analysis_link k
    WHERE k.project_id = %(project)s AND (k.alias = ANY(%(ids)s) OR k.user_id = ANY(%(ids)s))
    RETURNING project_id, alias
)
INSERT INTO fold_touched SELECT DISTINCT project_id, alias FROM gone
"""
OF_IDS = f"""
SELECT * FROM ({LINKS.format(rows="events_log", only=IN_LOG + " AND l.project_id = %(project)s")}) l
WHERE l.alias = ANY(%(ids)s) OR l.user_id = ANY(%(ids)s)
"""  # noqa: S608  (own words)

# Links whose events are dropped by now stand; what the log still says must be there.
LINK_DIFFERENCES = f"""
WITH chosen AS (SELECT DISTINCT project_id FROM experiments_experiment WHERE id = ANY(%(experiments)s)),
     kept AS (SELECT * FROM analysis_link WHERE project_id IN (SELECT project_id FROM chosen)),
     fresh AS (SELECT * FROM ({LINKS.format(rows="events_log", only=IN_LOG)}) l
               WHERE project_id IN (SELECT project_id FROM chosen)),
     horizon AS (
         SELECT coalesce(max(data_up_to), '-infinity') AS at FROM analysis_watermark WHERE name = 'retention'
     )
SELECT coalesce(a.project_id, b.project_id), coalesce(a.alias, b.alias), 'link to ' || coalesce(a.user_id, b.user_id),
       a.linked_at::text, b.linked_at::text
FROM kept a
FULL JOIN fresh b ON b.project_id = a.project_id AND b.alias = a.alias AND b.user_id = a.user_id
WHERE a.linked_at IS DISTINCT FROM b.linked_at AND coalesce(a.linked_at, 'infinity') >= (SELECT at FROM horizon)
"""  # noqa: S608  (own words)
TOUCH_ALL = """
INSERT INTO fold_touched SELECT DISTINCT k.project_id, k.alias FROM analysis_link k
WHERE k.project_id IN (SELECT project_id FROM experiments_experiment WHERE id = ANY(%(experiments)s))
"""
PERSON_DIFFERENCES = """
SELECT project_id, alias, 'person', was, person FROM fold_relinked WHERE was IS DISTINCT FROM person
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The link that counts of an alias: the id that it leads to, and when it was first said (seconds)."""

    user_id: str
    at: float


Alias = tuple[int, str]


def scratch() -> None:
    """Have the tables that a fold works on, empty."""
    sql.make_empty(SCRATCH)


def linked_projects() -> list[int]:
    """Return the projects in which ids are linked."""
    return [pk for (pk,) in sql.rows(LINKED)]


def catch_up(below: int) -> None:
    """Read the links of a log that was folded before links were known; once, with the watermark locked."""
    if Watermark.objects.filter(name=NAME).exists():
        return
    if below:
        scratch()
        sql.run(ADD_LINKS.format(links=LINKS.format(rows="events_log", only=IN_LOG)), {"hi": str(below)})
        resolve()
        sql.run(FOLD_ANEW)
    Watermark.objects.create(name=NAME, xid=below)


def merge(bounds: Bounds, *, learns: bool) -> bool:
    """Name the person of each of the chunk's rows, and add the past of whoever is relinked; say whether anybody is.

    ``learns``: the chunk holds links, which are learnt first.
    """
    if learns:
        sql.run(ADD_LINKS.format(links=LINKS.format(rows="fold_event", only="")))
    if learns and sql.rows("SELECT FROM fold_touched LIMIT 1"):
        resolve()
        sql.run(FILL_PERSONS)
    if not linked_projects():
        return False
    sql.run(SET_PERSON)
    sql.run(SPREAD_OVERRIDES)
    ((ids, since),) = sql.rows("SELECT count(*), min(since) FROM fold_id")
    if not ids:
        return False
    some = days.since(since)
    scan = some.is_cheaper_to_scan(ids)
    sql.run(SCAN if scan else NO_SCAN)
    past = PAST_BY_SCAN if scan else PAST_BY_INDEX
    sql.run(past.replace("{days}", some.condition()), bounds.as_parameters())
    sql.run(NO_SCAN)
    return True


def resolve() -> None:
    """Follow the links of the aliases touched, and keep who they count for now."""
    follow()
    sql.run(KEEP)


def follow() -> None:
    """Fill ``fold_relinked`` with who the aliases touched, and all that lead to them, count for."""
    sql.run(RELINK)
    chains: dict[Alias, Said] = {
        (project, alias): Said(user_id=user, at=float(at)) for project, alias, user, at in sql.rows(CHAINS)
    }
    if chains:
        found = roots(chains)
        keys = list(found)
        sql.run(
            SET_PERSONS,
            {
                "projects": [project for project, _ in keys],
                "aliases": [alias for _, alias in keys],
                "persons": ["" if found[key] == key[1] else found[key] for key in keys],
            },
        )


def relearn(project: int, ids: list[str]) -> None:
    """Have of some ids only the links that the log still says; with the watermark locked."""
    below = sql.number("SELECT xid FROM analysis_watermark WHERE name = 'results'")
    scratch()
    sql.run(FORGET_LINKS, {"project": project, "ids": ids})
    sql.run(ADD_LINKS.format(links=OF_IDS), {"project": project, "ids": ids, "hi": str(below)})
    resolve()


def differences(below: int, experiments: list[int]) -> list[tuple[int, str, str, str | None, str | None]]:
    """Return where links, or who an alias counts for, differ from what the log and the links say.

    Each is the project, the alias, what it is, what is kept and what it should be; with the watermark locked.
    """
    if not Watermark.objects.filter(name=NAME).exists():
        return []  # the next fold reads them
    scratch()
    sql.run(TOUCH_ALL, {"experiments": experiments})
    follow()
    return [
        *sql.rows(LINK_DIFFERENCES, {"experiments": experiments, "hi": str(below)}),
        *sql.rows(PERSON_DIFFERENCES),
    ]


def relinked() -> bool:
    """Say whether the fold under way has people whose units are folded anew."""
    return bool(sql.rows("SELECT FROM fold_person LIMIT 1"))


def forget(tables: Iterable[str]) -> None:
    """Delete what was folded of the people who are relinked."""
    for table in tables:
        sql.run(FORGET.format(table=table))


def roots(said: Mapping[Alias, Said]) -> dict[Alias, str]:
    """Return the person at the end of each alias's links; of a circle, the id whose link is its newest."""
    found: dict[Alias, str] = {}
    for start in said:
        path: dict[Alias, int] = {}
        at = start
        while at in said and at not in found and at not in path:
            path[at] = len(path)
            at = (at[0], said[at].user_id)
        if at in found:
            end = found[at]
        elif at in path:
            circle = list(path)[path[at] :]
            end = max(circle, key=lambda one: (said[one].at, one))[1]
        else:
            end = at[1]
        found.update(dict.fromkeys(path, end))
    return found
