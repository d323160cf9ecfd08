"""Builders of what the edge serves, without a database."""

from typing import Any

from assignment.engine.evaluation import ServedExperiment, ServedVariant
from assignment.snapshot import Content, ServedProject
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.keys import digest

KEY = "tl_" + "k" * 43


def variant(key: str, **fields: Any) -> ServedVariant:
    return ServedVariant(key=key, **{"value": key, "weight": 5000, **fields})


def experiment(key: str = "ranker", **fields: Any) -> ServedExperiment:
    defaults: dict[str, Any] = {
        "unit_type": "user",
        "salt": "0123456789abcdef",
        "allocation": 10_000,
        "running": True,
        "variants": (variant("control"), variant("treatment")),
    }
    return ServedExperiment(key=key, **{**defaults, **fields})


def project(*experiments: ServedExperiment, **fields: Any) -> ServedProject:
    return ServedProject(**{"id": 1, "slug": "shop", "experiments": experiments, **fields})


def grant(*scopes: str, project_id: int = 1) -> KeyGrant:
    return KeyGrant(project_id=project_id, scopes=frozenset(Scope(scope) for scope in scopes))


def content(*projects: ServedProject, keys: dict[str, KeyGrant] | None = None) -> Content:
    return Content(
        projects=projects or (project(experiment()),),
        keys={"a" * 64: grant("evaluate")} if keys is None else keys,
    )


def content_for(plain: str, *experiments: ServedExperiment) -> Content:
    """Return a project with these experiments and one key that may evaluate."""
    return content(project(*experiments), keys={digest(plain): grant("evaluate")})
