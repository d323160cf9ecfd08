"""An experiment as the API shows it."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from experiments.api.operations import link
from experiments.domain import layers as places
from experiments.domain import ramps
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.domain.ramps import RampStep
from experiments.domain.units import UnitType
from experiments.models import Experiment, Variant


class ModelRef(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registered model version by name."""

    name: str
    version: str


class VariantAnswer(Struct, frozen=True, kw_only=True):
    """One of the things compared; the first is the control. ``weight`` is in ten-thousandths."""

    key: str
    name: str
    weight: int
    value: Any
    model: ModelRef | None


class UseAnswer(Struct, frozen=True, kw_only=True):
    """What a metric is for. ``margin`` is in ten-thousandths of the control's value; ``version`` is what counts."""

    metric: str
    role: MetricRole
    margin: int | None
    version: int
    stands_for: StandsFor | None


class PlaceAnswer(Struct, frozen=True, kw_only=True):
    """An experiment's part of a layer, in ten-thousandths."""

    layer: str
    share: int


class RampAnswer(Struct, frozen=True, kw_only=True):
    """Steps of traffic and where they stand; ``step`` counts from 0."""

    steps: list[RampStep]
    step: int
    stepped_at: datetime | None
    held_because: str


class ShippedAnswer(Struct, frozen=True, kw_only=True):
    """The variant that everyone gets, but for those held back. Shares are in ten-thousandths."""

    variant: str
    at: datetime
    share: int
    holdback: int


class ExperimentAnswer(Struct, frozen=True, kw_only=True):
    """An experiment. ``traffic`` and ``matters`` are in ten-thousandths; a draft has not ``started_at``."""

    key: str
    name: str
    hypothesis: str
    owner: str | None
    page_address: str
    kind: ExperimentKind
    status: Status
    unit_type: UnitType
    fallback_unit_type: UnitType | None
    traffic: int
    planned_days: int
    reading: ReadingPlan
    planned_units: int | None
    matters: int | None
    adjusted: bool
    design: dict[str, Any]
    variants: list[VariantAnswer]
    metrics: list[UseAnswer]
    targeting: dict[str, Any]
    environments: list[Environment]
    respects_holdout: bool
    prerequisites: dict[str, Any]
    layer: PlaceAnswer | None
    ramp: RampAnswer | None
    phase: int
    phase_started_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    shipped: ShippedAnswer | None
    parent: str | None
    tags: list[str]
    archived_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    revision: int
    links: dict[str, str]


def experiment_answer(experiment: Experiment) -> ExperimentAnswer:
    """Return the experiment as it is in the database now."""
    row = Experiment.objects.select_related("layer", "parent", "shipped_variant", "owner").get(pk=experiment.pk)
    return ExperimentAnswer(
        key=row.key,
        name=row.name,
        hypothesis=row.hypothesis,
        owner=row.owner.email if row.owner else None,
        page_address=row.page_address,
        kind=ExperimentKind(row.kind),
        status=Status(row.status),
        unit_type=UnitType(row.unit_type),
        fallback_unit_type=UnitType(row.fallback_unit_type) if row.fallback_unit_type else None,
        traffic=row.allocation,
        planned_days=row.planned_days,
        reading=ReadingPlan(row.reading),
        planned_units=row.planned_units,
        matters=row.matters,
        adjusted=row.adjusted,
        design=row.design,
        variants=[_variant(variant) for variant in row.variants.select_related("model_version")],
        metrics=[
            UseAnswer(
                metric=use.metric.key,
                role=MetricRole(use.role),
                margin=use.margin,
                version=use.number,
                stands_for=StandsFor(use.stands_for) if use.stands_for else None,
            )
            for use in row.plan.select_related("metric", "version")
        ],
        targeting=row.targeting,
        environments=[Environment(name) for name in row.environments],
        respects_holdout=row.respects_holdout,
        prerequisites={need.parent_key: need.value for need in row.prerequisites.all()},
        layer=_place(row),
        ramp=_ramp(row),
        phase=row.phase,
        phase_started_at=row.phase_started_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        shipped=_shipped(row),
        parent=row.parent.key if row.parent else None,
        tags=row.tags,
        archived_at=row.archived_at,
        created_at=row.created_at,
        started_at=row.started_at,
        stopped_at=row.stopped_at,
        revision=row.revision,
        links={"self": link("/experiments/{key}", key=row.key), "results": _results_link(row)},
    )


def _results_link(row: Experiment) -> str:
    return link("/experiments/{key}/results", key=row.key)


def _variant(variant: Variant) -> VariantAnswer:
    model = variant.model_version
    return VariantAnswer(
        key=variant.key,
        name=variant.name,
        weight=variant.weight,
        value=variant.value,
        model=ModelRef(name=model.name, version=model.version) if model else None,
    )


def _place(row: Experiment) -> PlaceAnswer | None:
    if row.layer is None:
        return None
    return PlaceAnswer(layer=row.layer.key, share=places.size(places.read_ranges(row.layer_ranges)))


def _ramp(row: Experiment) -> RampAnswer | None:
    ramp = ramps.read(row.ramp)
    if ramp is None:
        return None
    return RampAnswer(
        steps=list(ramp.steps), step=ramp.step, stepped_at=ramp.stepped_at, held_because=ramp.held_because
    )


def _shipped(row: Experiment) -> ShippedAnswer | None:
    if row.shipped_variant is None or row.shipped_at is None:
        return None
    return ShippedAnswer(
        variant=row.shipped_variant.key, at=row.shipped_at, share=row.shipped_share, holdback=row.holdback_share
    )
