"""How much of a launch a holdout's units could feel: for how long, and how much of the metric its audience holds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis.programme.vectors import Vector
from experiments.domain.kinds import ExperimentKind
from experiments.domain.shares import WHOLE
from experiments.models import Experiment, Project

FIELDS = (
    "pk", "key", "name", "kind", "unit_type", "allocation", "layer", "layer_ranges", "respects_holdout", "started_at",
    "phase_started_at", "stopped_at", "shipped_variant", "shipped_at", "shipped_share", "holdback_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An experiment as far as the holdout is concerned. ``share`` of all units took part in it."""

    id: int
    key: str
    name: str
    kind: str
    unit_type: str
    share: float
    respects_holdout: bool
    started_at: datetime
    stopped_at: datetime | None
    shipped_variant: int | None
    shipped_at: datetime | None
    shipped_share: float


def tried(project: Project) -> dict[int, Tried]:
    """Return the project's started experiments and holdouts, by id."""
    kinds = [ExperimentKind.STANDARD.value, ExperimentKind.HOLDOUT.value]
    rows = Experiment.objects.filter(project=project, started_at__isnull=False, kind__in=kinds).values(*FIELDS)
    return {row["pk"]: _tried(row) for row in rows}


def _tried(row: dict[str, Any]) -> Tried:
    places = sum(end - start for start, end in row["layer_ranges"]) / WHOLE if row["layer"] is not None else 1.0
    return Tried(
        id=row["pk"],
        key=row["key"],
        name=row["name"],
        kind=row["kind"],
        unit_type=row["unit_type"],
        share=row["allocation"] / WHOLE * places,
        respects_holdout=row["respects_holdout"],
        started_at=row["phase_started_at"] or row["started_at"],
        stopped_at=row["stopped_at"],
        shipped_variant=row["shipped_variant"],
        shipped_at=row["shipped_at"],
        shipped_share=row["shipped_share"] / WHOLE * (1 - row["holdback_share"] / WHOLE),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that a holdout measures."""

    start: datetime
    end: datetime

    def part(self, start: datetime | None, end: datetime | None) -> float:
        """Return how much of the window lies between two moments; no end is its own."""
        if start is None:
            return 0.0
        inside = min(end or self.end, self.end) - max(start, self.start)
        return max(0.0, inside / max(self.end - self.start, timedelta(seconds=1)))


def felt(one: Tried, weight: float, window: Window) -> float:
    """Return how much of a treatment the holdout's units could feel on average, from 0 to 1.

    While the experiment ran, those felt it who had the treatment; after the launch everyone whom it reached. Time is
    taken as even over the window. What was on before the holdout began is on for the held-out units too.
    """
    if not one.respects_holdout:
        return 0.0
    during = window.part(one.started_at, one.stopped_at or window.end) * one.share * weight
    return during + window.part(one.shipped_at, window.end) * one.shipped_share


def daily_total(vector: Vector, place: int, one: Tried) -> float:
    """Return what an experiment's audience brings a day, were all of it under control."""
    days = max(1.0, ((one.stopped_at or vector.as_of) - one.started_at) / timedelta(days=1))
    return float(vector.control[place]) * vector.units / max(one.share, 1 / WHOLE) / days


def reach(audience: float, everyone: float) -> float:
    """Return which share of the metric's total the audience of an experiment stands for."""
    return min(1.0, audience / everyone) if everyone > 0 and audience >= 0 else 1.0
