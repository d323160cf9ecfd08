"""The steps from what people see to the money they spend, found in an experiment's metrics, and their exact split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.decisions.inputs import MetricPlan
from analysis.decisions.story import is_business, is_proxy
from analysis.moment_sets import Cells
from analysis.results.chain import FunnelSplit, FunnelStep
from analysis.stats.funnel import Step, funnel
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole
from experiments.models import ExperimentMetric
from experiments.models.metric import Defined

IMPRESSIONS, CLICKS, ORDERS, VALUE = "impressions", "clicks", "orders", "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One number on the way: what it counts, its word, and the column that holds it a unit."""

    key: str
    word: str
    column: str


def places(uses: Sequence[tuple[ExperimentMetric, MetricPlan]]) -> list[Place]:
    """Return the numbers on the way from a view to money, in its order; fewer than two are no way.

    Money a unit names the order's event; the same event counted, under the same filters and in the same window, is the
    orders; the proxy's event the clicks; what the proxy is divided by the views. All are columns of moments that exist
    anyhow.
    """
    every = [use for use, _ in uses]
    money = next((use for use in every if _is_money(use)), None)
    proxy = next((use for use, plan in uses if is_proxy(plan) and _counts_events(use.counted)), None)
    if proxy is None:
        return []
    orders = next(_counts(every, _occasion(money.counted)), "") if money else _any_orders(uses)
    found = [
        Place(key=IMPRESSIONS, word="view", column=f"{proxy.metric.key}/")
        if proxy.counted.kind == MetricKind.RATIO
        else None,
        Place(key=CLICKS, word="click", column=proxy.metric.key),
        Place(key=ORDERS, word="order", column=orders) if orders else None,
        Place(key=VALUE, word="money", column=money.metric.key) if money else None,
    ]
    way = [place for place in found if place is not None]
    return way if len(way) > 1 and way[-1].key != CLICKS else []


def _is_money(use: ExperimentMetric) -> bool:
    return use.metric.display_unit == DisplayUnit.CURRENCY and use.counted.kind == MetricKind.SUM


def _counts_events(metric: Defined) -> bool:
    """Say whether a metric's first number counts events, and nothing is left out of what it is divided by."""
    ratio = metric.kind == MetricKind.RATIO and not metric.property and not metric.denominator_property
    return ratio or metric.kind == MetricKind.COUNT


def _occasion(metric: Defined) -> tuple[object, ...]:
    """Return which events a metric looks at, and when."""
    return metric.event, metric.filters, metric.delay_hours, metric.window_hours


def split(
    way: Sequence[Place], cells: Cells, control: int, treatment: int, unit: str, alpha: float
) -> FunnelSplit | None:
    """Return the change of the last number as the sum of its steps'; None where one is missing or not positive."""
    if len(way) < 2 or any(place.column not in cells.names for place in way):
        return None
    at = [cells.names.index(place.column) for place in way]
    moments: list[Moments] = [cells.of(variant).select(at) for variant in (control, treatment)]
    found = funnel([place.key for place in way], moments[0], moments[1], alpha)
    if isinstance(found, NotComputable):
        return None
    steps = [
        _step(place.key, name, step) for place, name, step in zip(way, _names(way, unit), found.steps, strict=True)
    ]
    whole = "money" if way[-1].key == VALUE else "orders"
    return FunnelSplit(
        steps=steps,
        whole=_step("whole", f"{whole} per {unit}", found.whole),
        covariance=found.covariance.tolist(),
        alpha=alpha,
    )


def _counts(uses: Sequence[ExperimentMetric], occasion: tuple[object, ...]) -> Iterator[str]:
    """Yield the columns that count these events a unit."""
    same = [(use.metric.key, use.counted) for use in uses if _occasion(use.counted) == occasion]
    yield from (key for key, counted in same if counted.kind == MetricKind.COUNT)
    yield from (f"{key}/" for key, counted in same if counted.kind == MetricKind.AVERAGE)
    yield from (key for key, counted in same if counted.kind == MetricKind.RATIO and not counted.property)


def _any_orders(uses: Sequence[tuple[ExperimentMetric, MetricPlan]]) -> str:
    counts = [(use, plan) for use, plan in uses if use.counted.kind == MetricKind.COUNT]
    orders = (use for use, plan in counts if plan.role is not MetricRole.GUARDRAIL and is_business(plan))
    return next((use.metric.key for use in orders), "")


def _names(way: Sequence[Place], unit: str) -> Iterator[str]:
    before = unit
    for place in way:
        yield f"value per {before}" if place.key == VALUE else f"{place.word}s per {before}"
        before = place.word


def _step(key: str, name: str, step: Step) -> FunnelStep:
    return FunnelStep(
        key=key, name=name, log_lift=step.value, lift=step.lift, lift_interval=step.lift_interval, p_value=step.p_value
    )
