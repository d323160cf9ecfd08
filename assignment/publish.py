"""Take a snapshot from the database: one consistent moment, two queries, whatever the number of experiments."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from assignment.engine.evaluation import ServedExperiment, ServedVariant
from assignment.snapshot import Content, ServedProject
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.lifecycle import Status

# JSON is built by the database, so that a variant's 1.0 arrives as 1.0 and the rows stay one an experiment.
_PROJECTS = """
SELECT p.id, p.slug, e.key, e.unit_type, e.salt, e.allocation, e.status = %(running)s,
       (SELECT jsonb_agg(jsonb_build_object(
                   'key', v.key, 'weight', v.weight, 'value', v.value,
                   'model_version', coalesce(m.name || ' ' || m.version, '')) ORDER BY v.position)
          FROM experiments_variant v LEFT JOIN experiments_modelversion m ON m.id = v.model_version_id
         WHERE v.experiment_id = e.id)
  FROM experiments_project p
  LEFT JOIN experiments_experiment e ON e.project_id = p.id AND e.status <> %(draft)s
 ORDER BY p.id, e.key COLLATE "C"
"""
_KEYS = "SELECT digest, project_id, scopes FROM experiments_apikey WHERE revoked_at IS NULL"


def read_content(connection: psycopg.Connection[Any]) -> Content:
    """Return what is to be served now: started experiments and keys that are not revoked."""
    statuses = {"running": Status.RUNNING.value, "draft": Status.DRAFT.value}
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        projects = cursor.execute(_PROJECTS, statuses).fetchall()
        keys = cursor.execute(_KEYS).fetchall()
    return Content(projects=tuple(_projects(projects)), keys=dict(_grant(*row) for row in keys))


def _projects(rows: Iterable[tuple[Any, ...]]) -> Iterable[ServedProject]:
    found: dict[int, tuple[str, list[ServedExperiment]]] = {}
    for project_id, slug, key, *experiment in rows:
        experiments = found.setdefault(project_id, (slug, []))[1]
        if key is not None:
            experiments.append(_experiment(key, *experiment))
    for project_id, (slug, experiments) in found.items():
        yield ServedProject(id=project_id, slug=slug, experiments=tuple(experiments))


def _experiment(
    key: str, unit_type: str, salt: str, allocation: int, running: bool, variants: list[dict[str, Any]] | None
) -> ServedExperiment:
    rows = variants or []
    values = _one_number_type([row["key"] if row["value"] is None else row["value"] for row in rows])
    served = (
        ServedVariant(key=row["key"], value=value, weight=row["weight"], model_version=row["model_version"])
        for row, value in zip(rows, values, strict=True)
    )
    return ServedExperiment(
        key=key, unit_type=unit_type, salt=salt, allocation=allocation, running=running, variants=tuple(served)
    )


def _one_number_type(values: list[Any]) -> list[Any]:
    """Return the values with 1 as 1.0 where another variant has a fraction: a float flag that answers 1 is refused
    by typed clients."""
    if any(type(value) is float for value in values) and all(type(value) in (int, float) for value in values):
        return [float(value) for value in values]
    return values


def _grant(digest: str, project_id: int, scopes: list[str]) -> tuple[str, KeyGrant]:
    # A scope that this version does not know opens nothing here, rather than refusing every key.
    known = frozenset(Scope(scope) for scope in scopes if scope in set(Scope))
    return digest, KeyGrant(project_id=project_id, scopes=known)
