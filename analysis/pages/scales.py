"""A change told in three ways: relative, in the metric's own unit, and as what it would be over a year for everyone."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from analysis.chaining import monthly_units
from analysis.decisions.worth import MONTHS, money
from analysis.results.schema import Comparison, MetricResult, Results
from experiments.domain.metrics import DisplayUnit, MetricKind
from experiments.models import Experiment
from experiments.pages.formats import MINUS, change, number

TOTALS = (MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.SUM, MetricKind.RETENTION, MetricKind.DISTINCT,
          MetricKind.FUNNEL)  # fmt: skip
"""Kinds of which a unit has one number, so that a year of units has a total; a ratio or a quantile has none."""


class Telling(StrEnum):
    """How changes are told."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    YEARLY = "yearly"


NAMES = {Telling.RELATIVE: "Relative", Telling.ABSOLUTE: "Absolute", Telling.YEARLY: "A year, for everyone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """How the table tells changes, what else can be chosen, and what a yearly total rests on."""

    telling: Telling
    monthly_units: int
    is_estimated: bool
    unit_type: str

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """Return (value, name, chosen) of each way."""
        return [(one.value, name, one is self.telling) for one, name in NAMES.items()]

    @property
    def hint(self) -> str:
        """Say what a yearly total is."""
        if self.telling is not Telling.YEARLY:
            return ""
        whence = "as this experiment’s traffic suggests" if self.is_estimated else "as the plan says"
        return (
            f"The change of one {self.unit_type} times twelve months of {number(self.monthly_units)} "
            f"{self.unit_type}s, {whence}; the effect is taken to last as it was measured. "
            "Ratios and quantiles have no total."
        )


def scales(experiment: Experiment, results: Results, wanted: str) -> Scales:
    """Return how changes are told: relative, unless another known way is wanted."""
    stated = experiment.monthly_units
    total = sum(variant.units for variant in results.variants)
    return Scales(
        telling=Telling(wanted) if wanted in list(Telling) else Telling.RELATIVE,
        monthly_units=stated or monthly_units(experiment, total, results.experiment.day),
        is_estimated=not stated,
        unit_type=results.experiment.unit_type,
    )


def told(chosen: Scales, metric: MetricResult, one: Comparison, currency: str) -> tuple[str, str] | None:
    """Return a change and its interval as they are told; None where the table's own way is the way."""
    if chosen.telling is Telling.RELATIVE or one.difference is None:
        return None
    if chosen.telling is Telling.ABSOLUTE:
        return change(one.difference, metric.display_unit, currency), _between(
            one, lambda end: change(end, metric.display_unit, currency)
        )
    if metric.kind not in TOTALS or metric.display_unit == DisplayUnit.MILLISECONDS:
        return "no total", ""
    year = chosen.monthly_units * MONTHS
    return _total(one.difference * year, metric, currency), _between(
        one, lambda end: _total(end * year, metric, currency)
    )


def _between(one: Comparison, write: Callable[[float], str]) -> str:
    if one.difference_interval is None or None in one.difference_interval:
        return ""
    low, high = one.difference_interval
    return "" if low is None or high is None else f"{write(low)} to {write(high)}"


def _total(amount: float, metric: MetricResult, currency: str) -> str:
    """Write a yearly total shortly with its sign: +€1.2M, −12k."""
    is_money = metric.display_unit == DisplayUnit.CURRENCY
    text = money(abs(amount), currency if is_money else "EUR")
    text = text if is_money else text.removeprefix("€")
    return f"{'+' if amount > 0 else MINUS if amount < 0 else ''}{text}"
