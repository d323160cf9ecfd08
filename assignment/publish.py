"""Take what is to be served from the database: one consistent moment, a fixed number of queries."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import psycopg
from msgspec import Raw, Struct
from psycopg.rows import tuple_row

from assignment import document
from assignment.served import (
    ExperimentRow,
    FlagRow,
    ProjectRows,
    SegmentRow,
    ServedEnvironment,
    ServedProject,
    sealed,
)
from assignment.snapshot import Content
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery

# JSON is built by the database, so that a value's 1.0 arrives as 1.0 and each project is one row.
# As text and not as jsonb, which takes twice the time to build.
# Grouped before they are joined: asked for one experiment at a time, the variants of thousands took most of the time.
_EXPERIMENTS = """
WITH chosen AS (
    SELECT id FROM experiments_experiment WHERE %(only)s::bigint IS NULL OR project_id = %(only)s
), of_variants AS (
    SELECT v.experiment_id, json_agg(json_build_object(
               'key', v.key, 'name', v.name, 'weight', v.weight, 'value', v.value,
               'model', coalesce(m.name || ' ' || m.version, '')) ORDER BY v.position) AS made
      FROM chosen JOIN experiments_variant v ON v.experiment_id = chosen.id
      LEFT JOIN experiments_modelversion m ON m.id = v.model_version_id
     GROUP BY v.experiment_id
), of_overrides AS (
    SELECT o.experiment_id, json_agg(json_build_object('unit', o.unit_id, 'variant', v.key)
               ORDER BY o.unit_id COLLATE "C") AS made
      FROM chosen JOIN experiments_override o ON o.experiment_id = chosen.id
      JOIN experiments_variant v ON v.id = o.variant_id
     GROUP BY o.experiment_id
), of_needs AS (
    SELECT q.experiment_id, json_agg(json_build_object('key', q.parent_key, 'value', q.value)
               ORDER BY q.parent_key COLLATE "C") AS made
      FROM chosen JOIN experiments_prerequisite q ON q.experiment_id = chosen.id
     GROUP BY q.experiment_id
)
SELECT e.project_id, json_agg(json_build_object(
    'key', e.key, 'name', e.name, 'kind', e.kind, 'unit_type', e.unit_type, 'fallback_unit_type', e.fallback_unit_type,
    'status', e.status, 'allocation', e.allocation, 'salt', e.salt, 'targeting', e.targeting,
    'environments', e.environments, 'respects_holdout', e.respects_holdout, 'layer_salt', l.salt,
    'layer_ranges', e.layer_ranges, 'phase', e.phase, 'bucket_version', e.bucket_version,
    'min_bucket_version', e.min_bucket_version, 'shipped', s.key, 'shipped_share', e.shipped_share,
    'holdback_share', e.holdback_share, 'parent', p.key,
    'variants', coalesce(of_variants.made, '[]'),
    'overrides', coalesce(of_overrides.made, '[]'),
    'prerequisites', coalesce(of_needs.made, '[]')
    ) ORDER BY e.key COLLATE "C")::text
  FROM experiments_experiment e
  LEFT JOIN of_variants ON of_variants.experiment_id = e.id
  LEFT JOIN of_overrides ON of_overrides.experiment_id = e.id
  LEFT JOIN of_needs ON of_needs.experiment_id = e.id
  LEFT JOIN experiments_layer l ON l.id = e.layer_id
  LEFT JOIN experiments_variant s ON s.id = e.shipped_variant_id
  LEFT JOIN experiments_experiment p ON p.id = e.parent_id
 WHERE %(only)s::bigint IS NULL OR e.project_id = %(only)s
 GROUP BY e.project_id
"""
# The database's clock decides when a rule's time has come, so that all edges agree.
_FLAGS = """
SELECT f.project_id, json_agg(json_build_object(
    'key', f.key, 'name', f.name, 'value_type', f.value_type, 'default', f.default_value,
    'enabled', coalesce((
        SELECT json_agg(n.environment ORDER BY n.environment COLLATE "C")
          FROM experiments_flagenvironment n WHERE n.flag_id = f.id AND n.enabled), '[]'),
    'rules', coalesce((
        SELECT json_agg(json_build_object('id', r.id, 'kind', r.kind, 'name', r.name,
                         'environments', r.environments, 'targeting', r.targeting, 'value', r.value, 'share', r.share,
                         'unit_type', r.unit_type, 'salt', r.salt, 'experiment', e.key,
                         'active', coalesce(r.starts_at <= now(), true) AND coalesce(r.ends_at > now(), true))
                         ORDER BY r.position)
          FROM experiments_flagrule r LEFT JOIN experiments_experiment e ON e.id = r.experiment_id
         WHERE r.flag_id = f.id), '[]'),
    'prerequisites', coalesce((
        SELECT json_agg(json_build_object('key', q.parent_key, 'value', q.value) ORDER BY q.parent_key COLLATE "C")
          FROM experiments_prerequisite q WHERE q.flag_id = f.id), '[]')
    ) ORDER BY f.key COLLATE "C")::text
  FROM experiments_flag f
 WHERE f.archived_at IS NULL AND (%(only)s::bigint IS NULL OR f.project_id = %(only)s)
 GROUP BY f.project_id
"""
_SEGMENTS = """
SELECT g.project_id, json_agg(json_build_object(
    'key', g.key, 'attribute', g.unit_attribute, 'values', g.values,
    'condition', CASE WHEN g.kind = 'condition' THEN g.targeting END) ORDER BY g.key COLLATE "C")::text
  FROM experiments_segment g
 WHERE %(only)s::bigint IS NULL OR g.project_id = %(only)s
 GROUP BY g.project_id
"""
_PROJECTS = """
SELECT id, slug, created_at FROM experiments_project WHERE %(only)s::bigint IS NULL OR id = %(only)s ORDER BY id
"""
_KEYS = """
SELECT digest, project_id, scopes, environment, delivery, encryption_key
  FROM experiments_apikey WHERE revoked_at IS NULL
"""
_CHANGED = "SELECT project_id, max(at) FROM experiments_auditentry WHERE project_id = ANY(%s) GROUP BY project_id"

_encoder = msgspec.json.Encoder()
_rows = msgspec.json.Decoder(list[Raw])


class _Named(Struct):
    key: str


_named = msgspec.json.Decoder(_Named)
_experiment = msgspec.json.Decoder(ExperimentRow)
_flag = msgspec.json.Decoder(FlagRow)
_segment = msgspec.json.Decoder(SegmentRow)
Row = TypeVar("Row")


class Publisher:
    """Reads the database again and again, and builds only the projects whose rows have changed."""

    def __init__(self) -> None:
        self._built: dict[int, tuple[bytes, ServedProject]] = {}

    def read(self, connection: psycopg.Connection[Any]) -> Content:
        """Return what is to be served now: every project in each environment, and keys that are not revoked."""
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            projects = _texts(cursor)
            keys = cursor.execute(_KEYS).fetchall()
            stale = {one.id: one for one in projects if self._built.get(one.id, (b"",))[0] != one.digest}
            # Only where something changed: the audit of a large project is long.
            changed: dict[int, datetime] = dict(cursor.execute(_CHANGED, [list(stale)]).fetchall()) if stale else {}
        for one in stale.values():
            self._built[one.id] = one.digest, _build(one, changed.get(one.id) or one.created_at)
        self._built = {one.id: self._built[one.id] for one in projects}
        return Content(
            projects=tuple(built for _, built in self._built.values()), keys=dict(_grant(*row) for row in keys)
        )


def read_content(connection: psycopg.Connection[Any]) -> Content:
    """Return what is to be served now, read for the first time."""
    return Publisher().read(connection)


def read_project(connection: psycopg.Connection[Any], project_id: int) -> ServedProject:
    """Return one project as it would be served now; the connection may be in a transaction, whose changes count.

    Raises
    ------
    LookupError
        When there is no such project.
    """
    found = read_texts(connection, project_id)
    return _build(found, found.created_at)


def read_texts(connection: psycopg.Connection[Any], project_id: int) -> "Texts":
    """Return one project's rows as the database writes them; raise LookupError when there is no such project."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = _texts(cursor, project_id)
    if not found:
        raise LookupError(f"there is no project {project_id}.")
    return found[0]


def build_environment(texts: "Texts", environment: Environment) -> ServedEnvironment:
    """Return what one environment of a project is served."""
    rows, unread = _decoded(texts)
    return _environment(document.publish(rows, environment), unread, texts.created_at)


class Texts(Struct, frozen=True):
    """A project's experiments, flags and segments as the database writes them."""

    id: int
    slug: str
    created_at: datetime
    tables: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        """Return what changes with any of the rows."""
        text = "\0".join((self.slug, *self.tables))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _texts(cursor: psycopg.Cursor[tuple[Any, ...]], only: int | None = None) -> list[Texts]:
    asked = {"only": only}
    projects = cursor.execute(_PROJECTS, asked).fetchall()
    tables: list[dict[int, str]] = [
        dict(cursor.execute(query, asked).fetchall()) for query in (_EXPERIMENTS, _FLAGS, _SEGMENTS)
    ]
    return [
        Texts(one, slug, created_at, tuple(table.get(one, "[]") for table in tables))
        for one, slug, created_at in projects
    ]


def _build(texts: Texts, changed_at: datetime) -> ServedProject:
    """Return a project in each environment."""
    rows, unread = _decoded(texts)
    return serve(texts.id, texts.slug, rows, changed_at, unread)


def _decoded(texts: Texts) -> tuple[ProjectRows, dict[str, str]]:
    """Return a project's rows, and the keys of those that could not be read with the reason."""
    experiments, flags, segments = (_rows.decode(text) for text in texts.tables)
    unread: dict[str, str] = {}
    rows = ProjectRows(
        experiments=tuple(_read(experiments, _experiment, unread)),
        flags=tuple(_read(flags, _flag, unread)),
        segments=tuple(_read(segments, _segment, unread)),
    )
    return rows, unread


def serve(
    project_id: int, slug: str, rows: ProjectRows, changed_at: datetime, unread: Mapping[str, str] | None = None
) -> ServedProject:
    """Return a project in each environment; ``unread`` are the keys of rows that could not be read, and why."""
    return ServedProject(
        id=project_id,
        slug=slug,
        environments={
            environment.value: _environment(document.publish(rows, environment), unread or {}, changed_at)
            for environment in Environment
        },
    )


def _read(rows: Iterable[Raw], decoder: "msgspec.json.Decoder[Row]", unread: dict[str, str]) -> Iterator[Row]:
    for raw in rows:
        try:
            yield decoder.decode(raw)
        except msgspec.ValidationError as error:
            # One row in an unusual shape must not keep all others from being served.
            unread[_named.decode(raw).key] = f"its row cannot be read: {error}."


def _environment(published: document.Document, unread: Mapping[str, str], changed_at: datetime) -> ServedEnvironment:
    return sealed(
        features={key: Raw(_encoder.encode(feature)) for key, feature in published.features.items()},
        saved_groups=Raw(_encoder.encode(published.saved_groups)),
        facts=published.facts,
        refused={**published.refused, **unread},
        date_updated=changed_at,
    )


def _grant(
    digest: str, project_id: int, scopes: list[str], environment: str, delivery: str, encryption_key: str
) -> tuple[str, KeyGrant]:
    # A scope that this version does not know opens nothing here, rather than refusing every key.
    known = frozenset(Scope(scope) for scope in scopes if scope in set(Scope))
    return digest, KeyGrant(
        project_id=project_id,
        scopes=known,
        environment=Environment(environment),
        delivery=Delivery(delivery),
        encryption_key=encryption_key,
    )
