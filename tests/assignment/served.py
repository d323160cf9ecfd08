"""Builders of what the edge serves, without a database."""

from pathlib import Path
from typing import Any

from assignment.edge import Edge
from assignment.publish import serve
from assignment.served import ExperimentRow, FlagRow, ProjectRows, SegmentRow, ServedProject
from assignment.snapshot import Content
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.keys import digest
from tests.assignment.rows import experiment as experiment
from tests.assignment.rows import flag as flag
from tests.assignment.rows import variant as variant
from tests.builders import T0

KEY = "tl_" + "k" * 43


def project(*rows: Any, slug: str = "shop", **fields: int) -> ServedProject:
    def of(kind: type) -> tuple[Any, ...]:
        return tuple(row for row in rows if isinstance(row, kind))

    rows_ = ProjectRows(experiments=of(ExperimentRow), flags=of(FlagRow), segments=of(SegmentRow))
    return serve(fields.get("id", 1), slug, rows_, T0)


def grant(*scopes: str, project_id: int = 1, **fields: Any) -> KeyGrant:
    return KeyGrant(project_id=project_id, scopes=frozenset(Scope(scope) for scope in scopes), **fields)


def content(*projects: ServedProject, keys: dict[str, KeyGrant] | None = None) -> Content:
    return Content(
        projects=projects or (project(experiment()),),
        keys={"a" * 64: grant("evaluate")} if keys is None else keys,
    )


def content_for(plain: str, *rows: Any, **fields: Any) -> Content:
    """Return a project with these rows and one key that may evaluate."""
    return content(project(*rows), keys={digest(plain): grant("evaluate", **fields)})


def edge_of(*rows: Any, home: Path, **fields: Any) -> Edge:
    """Return an edge without a database that serves these rows to one key."""
    edge = Edge("", home / "snapshot.json")
    edge.offer(content_for(KEY, *rows, **fields))
    return edge
