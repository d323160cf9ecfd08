"""Typed builders with defaults: Alice owns, Bob shares, Charlie is a stranger; everything happens around T0."""

import itertools
from datetime import UTC, datetime
from typing import Any

from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric, Membership, Metric, Project, User, Variant

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

_serial = itertools.count(1)


def user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_serial)}@example.com", PASSWORD, **fields)


def project(slug: str = "", *, owner: User | None = None, role: Role = Role.ADMIN, **fields: Any) -> Project:
    slug = slug or f"shop-{next(_serial)}"
    made = Project.objects.create(slug=slug, name=fields.pop("name", slug.replace("-", " ").capitalize()), **fields)
    if owner is not None:
        Membership.objects.create(project=made, user=owner, role=role)
    return made


def metric(home: Project, key: str = "purchase-rate", **fields: Any) -> Metric:
    defaults: dict[str, Any] = {
        "name": key.replace("-", " ").capitalize(),
        "kind": MetricKind.PROPORTION,
        "event": "Order Completed",
        "direction": Direction.INCREASE,
        "display_unit": DisplayUnit.PERCENT,
    }
    return Metric.objects.create(project=home, key=key, **{**defaults, **fields})


def experiment(
    home: Project,
    key: str = "new-ranker",
    *,
    weights: tuple[int, ...] = (5000, 5000),
    status: Status = Status.RUNNING,
    primary: Metric | None = None,
    **fields: Any,
) -> Experiment:
    if status is not Status.DRAFT:
        fields.setdefault("started_at", T0)
    if status is Status.STOPPED:
        fields.setdefault("stopped_at", T0)
    fields.setdefault("name", key.replace("-", " ").capitalize())
    made = Experiment.objects.create(project=home, key=key, status=status, **fields)
    names = ["control", *(["treatment"] if len(weights) == 2 else [f"treatment-{i}" for i in range(1, len(weights))])]
    for position, (name, weight) in enumerate(zip(names, weights, strict=True)):
        Variant.objects.create(experiment=made, key=name, name=name.capitalize(), position=position, weight=weight)
    if primary is not None:
        ExperimentMetric.objects.create(experiment=made, metric=primary, role=MetricRole.PRIMARY)
    return made
