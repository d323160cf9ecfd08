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
from experiments.models import Metric

IMPRESSIONS, CLICKS, ORDERS, VALUE = "impressions", "clicks", "orders", "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One number on the way: what it counts, its word, and the column that holds it a unit."""

    key: str
    word: str
    column: str


def places(metrics: Sequence[tuple[Metric, MetricPlan]]) -> list[Place]:
    """Return the numbers on the way from a view to money, in its order; fewer than two are no way.

    Money a unit names the order's event; the same event counted, under the same filters and in the same window, is the
    orders; the proxy's event the clicks; what the proxy is divided by the views. All are columns of moments that exist
    anyhow.
    """
    money = next((m for m, _ in metrics if m.display_unit == DisplayUnit.CURRENCY and m.kind == MetricKind.SUM), None)
    proxy = next((m for m, plan in metrics if is_proxy(plan) and _counts_events(m)), None)
    if proxy is None:
        return []
    every = [metric for metric, _ in metrics]
    orders = next(_counts(every, _occasion(money)), "") if money else _any_orders(metrics)
    found = [
        Place(key=IMPRESSIONS, word="view", column=f"{proxy.key}/") if proxy.kind == MetricKind.RATIO else None,
        Place(key=CLICKS, word="click", column=proxy.key),
        Place(key=ORDERS, word="order", column=orders) if orders else None,
        Place(key=VALUE, word="money", column=money.key) if money else None,
    ]
    way = [place for place in found if place is not None]
    return way if len(way) > 1 and way[-1].key != CLICKS else []


def _counts_events(metric: Metric) -> bool:
    """Say whether a metric's first number counts events, and nothing is left out of what it is divided by."""
    ratio = metric.kind == MetricKind.RATIO and not metric.property and not metric.denominator_property
    return ratio or metric.kind == MetricKind.COUNT


def _occasion(metric: Metric) -> tuple[object, ...]:
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


def _counts(metrics: Sequence[Metric], occasion: tuple[object, ...]) -> Iterator[str]:
    """Yield the columns that count these events a unit."""
    same = [metric for metric in metrics if _occasion(metric) == occasion]
    yield from (metric.key for metric in same if metric.kind == MetricKind.COUNT)
    yield from (f"{metric.key}/" for metric in same if metric.kind == MetricKind.AVERAGE)
    yield from (metric.key for metric in same if metric.kind == MetricKind.RATIO and not metric.property)


def _any_orders(metrics: Sequence[tuple[Metric, MetricPlan]]) -> str:
    counts = [(m, plan) for m, plan in metrics if m.kind == MetricKind.COUNT and plan.role is not MetricRole.GUARDRAIL]
    return next((m.key for m, plan in counts if is_business(plan)), "")


def _names(way: Sequence[Place], unit: str) -> Iterator[str]:
    before = unit
    for place in way:
        yield f"value per {before}" if place.key == VALUE else f"{place.word}s per {before}"
        before = place.word


def _step(key: str, name: str, step: Step) -> FunnelStep:
    return FunnelStep(
        key=key, name=name, log_lift=step.value, lift=step.lift, lift_interval=step.lift_interval, p_value=step.p_value
    )
