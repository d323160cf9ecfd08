"""A new result at a glance: what lists show of it, kept in the transaction that stores it."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from scipy import stats

from analysis.models import Glance, ResultSnapshot
from analysis.results.schema import Comparison, Interval, MetricResult, Reading, Results
from experiments import standing
from experiments.domain.metrics import Direction, MetricRole
from experiments.models import Experiment
from experiments.pages.formats import change, lift

_BEST_FIRST = (Reading.BETTER, Reading.NO_CLEAR_CHANGE, Reading.TOO_EARLY, Reading.WORSE, Reading.NOT_TRUSTWORTHY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The columns of a ``Glance``."""

    units: int
    data_up_to: datetime | None
    treatments: int
    failed: list[str]
    crossed: list[str]
    metric: str = ""
    metric_name: str = ""
    shown_variant: str = ""
    reading: str = ""
    change: str = ""
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    lift_error: float | None = None
    alpha: float = field(default=0.05)


def keep(experiment: Experiment, snapshot: ResultSnapshot, results: Results) -> None:
    """Note what the result says, in words for every page and in numbers for lists."""
    standing.note(
        experiment,
        snapshot=snapshot.pk,
        as_of=results.as_of,
        recommendation=results.verdict.decision,
        trustworthy=results.health.trustworthy,
        tone=results.verdict.tone,
        headline=results.verdict.headline,
    )
    Glance.objects.update_or_create(standing_id=experiment.pk, defaults=asdict(shown(results)))


def shown(results: Results) -> Shown:
    """Return what a list shows of a result. Of a broken split it shows no change."""
    primary = next((metric for metric in results.metrics if metric.role == MetricRole.PRIMARY), None)
    best = _best(primary) if primary is not None and results.health.trustworthy else None
    about = _about(results, primary, best) if primary is not None else {}
    return Shown(
        units=sum(variant.units for variant in results.variants),
        data_up_to=results.data_up_to,
        treatments=sum(not variant.is_control for variant in results.variants),
        failed=[check.key for check in results.health.checks if check.ok is False],
        crossed=_crossed(results) if results.health.trustworthy else [],
        **about,
    )


def _about(results: Results, primary: MetricResult, best: Comparison | None) -> dict[str, Any]:
    named = {"metric": primary.key, "metric_name": primary.name}
    if best is None:
        return named
    low, high = best.lift_interval or (None, None)
    names = {variant.key: variant.name for variant in results.variants}
    return {
        **named,
        "shown_variant": names.get(best.variant, best.variant) if len(primary.comparisons) > 1 else "",
        "reading": best.reading.value,
        "change": _in_words(primary, best, results.experiment.currency),
        "lift": best.lift,
        "lift_low": low,
        "lift_high": high,
        "lift_error": lift_error(best),
        "alpha": best.alpha,
    }


def _in_words(metric: MetricResult, best: Comparison, currency: str) -> str:
    if best.lift is not None:
        return lift(best.lift)
    return "" if best.difference is None else change(best.difference, metric.display_unit, currency)


def _best(metric: MetricResult) -> Comparison | None:
    """Return the comparison that speaks most for a treatment."""
    sign = -1 if metric.direction == Direction.DECREASE else 1
    ranked = sorted(
        metric.comparisons,
        key=lambda one: (_BEST_FIRST.index(one.reading), -sign * (one.lift or one.difference or 0.0)),
    )
    return ranked[0] if ranked else None


def _crossed(results: Results) -> list[str]:
    return [
        metric.name
        for metric in results.metrics
        if metric.role == MetricRole.GUARDRAIL and any(one.margin_crossed for one in metric.comparisons)
    ]


def lift_error(comparison: Comparison) -> float | None:
    """Return the standard error of a relative change, from the interval that one look alone would have.

    An interval that allows for looking early is wider by its ``boundary``, which is taken out again.
    """
    if (error := _half(comparison.fixed_lift_interval)) is not None:
        return error / float(stats.norm.isf(comparison.alpha / 2))
    if (error := _half(comparison.lift_interval)) is not None:
        return error / (comparison.boundary or float(stats.norm.isf(comparison.alpha / 2)))
    return None


def _half(interval: Interval | None) -> float | None:
    if interval is None or interval[0] is None or interval[1] is None:
        return None
    return (interval[1] - interval[0]) / 2
