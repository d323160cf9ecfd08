"""What every simulation of a kind has: a draft that starts in the past, events, a refresh, and its truth."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scipy.stats import norm

from analysis.results.schema import Results
from config.demo.client import AppClient, Event, ShopError
from config.demo.drive import send_all
from config.demo.progress import Reporter
from config.demo.project import reproducible_salt, start_in_the_past
from experiments.domain.designs.stored import Design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.domain.units import UnitType
from experiments.metrics import add_metric
from experiments.models import Experiment, Metric, Project, User
from experiments.setup import ExperimentPlan, MetricPlan, VariantPlan, create_experiment

BEYOND_CHANCE = 0.001
"""Two-sided risk with which a right product would be called wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for.

    ``apart`` ends the names of events and regions of an experiment with a key of its own: a log of decisions and a
    market belong to all experiments that read them, and a second simulation would be mixed into the first.
    """

    project: Project
    user: User
    key: str
    apart: str
    size: int
    days: int
    seed: int
    effect: float
    start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A true number beside what the product says of it."""

    name: str
    truth: float
    value: float | None
    interval: tuple[float, float] | None
    alpha: float = 0.05

    @property
    def is_beyond_chance(self) -> bool:
        """Say whether the truth lies further from the interval than chance explains, or there is none."""
        if self.value is None or self.interval is None:
            return True
        half = (self.interval[1] - self.interval[0]) / 2
        wider = float(norm.isf(BEYOND_CHANCE / 2) / norm.isf(self.alpha / 2))
        return abs(self.truth - self.value) > half * wider

    def line(self) -> str:
        """Return it as one line."""
        if self.value is None or self.interval is None:
            return f"  {self.name:<34} true {self.truth:>9.4f}   reported: nothing"
        low, high = self.interval
        inside = "inside" if low <= self.truth <= high else "outside"
        reported = f"{self.value:>9.4f} ({low:.4f} to {high:.4f})"
        return f"  {self.name:<34} true {self.truth:>9.4f}   reported {reported}  {inside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The plan of a simulated experiment."""

    kind: ExperimentKind
    name: str
    hypothesis: str
    variants: tuple[tuple[str, str], ...]
    design: Design
    unit_type: UnitType
    metric: Metric | None


def metric_of(wish: Wish, key: str, name: str, kind: MetricKind, event: str, unit: DisplayUnit) -> Metric:
    """Return the project's metric of that key, made when it is missing."""
    found = Metric.objects.filter(project=wish.project, key=key).first()
    if found is not None:
        return found
    made = Metric(
        key=key, name=name, kind=kind.value, event=event, direction=Direction.INCREASE.value, display_unit=unit.value
    )
    return add_metric(wish.project, wish.user, made)


def started(wish: Wish, draft: Draft) -> Experiment:
    """Return the running experiment, created and started back then when it is missing."""
    found = Experiment.objects.filter(project=wish.project, key=wish.key).first()
    if found is None:
        count = len(draft.variants)
        weights = [10_000 // count + (place < 10_000 % count) for place in range(count)]
        plan = ExperimentPlan(
            key=wish.key,
            name=draft.name,
            hypothesis=draft.hypothesis,
            kind=draft.kind,
            design=draft.design,
            unit_type=draft.unit_type,
            planned_days=wish.days,
            variants=tuple(
                VariantPlan(key=key, name=name, weight=weight)
                for (key, name), weight in zip(draft.variants, weights, strict=True)
            ),
            metrics=() if draft.metric is None else (MetricPlan(metric=draft.metric, role=MetricRole.PRIMARY),),
        )
        found = create_experiment(wish.project, wish.user, plan)
        found.salt = reproducible_salt(wish.key, wish.seed)
        found.save(update_fields=["salt"])
    if found.kind != draft.kind:
        raise ShopError(f"The experiment {wish.key} is a {found.kind}; choose another --experiment.")
    start_in_the_past(found, wish.user, wish.start)
    return found


def event(name: str, at: datetime, message: str, properties: dict[str, Any], *, user: str = "someone") -> Event:
    """Return one event as Segment's door takes it."""
    return {
        "type": "track",
        "event": name,
        "userId": user,
        "timestamp": at.isoformat(),
        "messageId": message,
        "properties": properties,
    }


async def send(client: AppClient, events: Iterable[Event], reporter: Reporter, name: str) -> None:
    """Send events; sending them again counts nothing twice."""
    gathered = list(events)
    await send_all(client, (len(gathered), gathered), reporter, name)


def said(results: Results) -> list[str]:
    """Return the product's own sentence, and what it found wrong."""
    failed = [f"  ! {check.name}: {check.summary}" for check in results.health.checks if check.ok is False]
    return [f"The product says: {results.verdict.headline}", *failed]
