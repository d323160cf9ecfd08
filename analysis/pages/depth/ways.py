"""A metric's raw sums, and its comparison with and without adjustment and cap beside each other."""

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.decisions.arms import own_moments
from analysis.pages.counting import WAYS
from analysis.results import schema
from analysis.results.schema import Arm, Comparison, MetricResult, Results
from experiments.domain.definitions import BOUNDED
from experiments.domain.metrics import MetricKind
from experiments.pages.formats import bounds, change, lift, number, p_value, quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What a variant's units add up to, written for people: (what, number) in order."""

    variant: str
    facts: list[tuple[str, str]]


def raw_sums(results: Results, metric: MetricResult) -> list[Raw]:
    """Return each variant's raw sums; results of older versions kept none."""
    names = {variant.key: variant.name for variant in results.variants}
    return [
        Raw(variant=names.get(arm.variant, arm.variant), facts=list(facts(arm, metric, results.experiment.unit_type)))
        for arm in metric.arms
    ]


def facts(arm: Arm, metric: MetricResult, unit_type: str) -> Iterator[tuple[str, str]]:
    """Yield what a variant's numbers follow from."""
    if metric.kind == MetricKind.QUANTILE:
        yield f"{unit_type.capitalize()}s with a value", number(arm.n)
        yield "Quantile", "–" if not arm.means else exact(arm.means[0])
        yield "Standard error", "–" if arm.variance is None else exact(arm.variance**0.5)
        return
    yield f"{unit_type.capitalize()}s", number(arm.n)
    found = own_moments(arm)
    if not arm.n:
        return
    if metric.kind in BOUNDED:
        yield f"{unit_type.capitalize()}s that did", number(round(arm.n * arm.means[0]))
    parts = [""] if len(found.mean) == 1 else ["Numerator: ", "Denominator: "]
    for place, part in enumerate(parts):
        mean, squares = float(found.mean[place]), float(found.comoment[place, place])
        yield f"{part}sum", exact(mean * arm.n)
        yield f"{part}mean", exact(mean)
        yield f"{part}variance", "–" if arm.n < 2 else exact(squares / (arm.n - 1))
    if len(parts) == 2 and arm.n > 1:
        yield "Covariance of both", exact(float(found.comoment[0, 1]) / (arm.n - 1))


def exact(value: float) -> str:
    """Write a raw number with seven digits that count."""
    text = f"{value:,.7g}" if abs(value) < 1e15 else f"{value:.7g}"
    return text.replace("-", "−")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One way to make the comparison, in words and numbers."""

    name: str
    treatment: str
    control_value: str
    value: str
    shown: str
    interval: str
    p: str
    why: str


WHY = {
    "unadjusted": "What units did before their exposure is not taken into account.",
    "uncapped": "Units with very large totals count in full.",
}


def beside(results: Results, metric: MetricResult) -> list[Beside]:
    """Return the comparison as reported and made otherwise; nothing where there is no other way."""
    if not any(one.beside for one in metric.comparisons):
        return []
    names = {variant.key: variant.name for variant in results.variants}
    found = []
    for one in metric.comparisons:
        writer = _Writer(metric, results.experiment.currency, names.get(one.variant, one.variant))
        found.append(writer.line("As reported", one, _reported(metric, one)))
        found += [writer.line(WAYS.get(way.way, way.way), way, WHY.get(way.way, "")) for way in one.beside]
    return found


def _reported(metric: MetricResult, one: Comparison) -> str:
    parts = ["adjusted for the days before the exposure"] if one.variance_reduction is not None else []
    parts += ["with its cap"] if metric.uncapped else []
    return f"{' and '.join(parts).capitalize()}." if parts else "Neither adjusted nor capped."


@dataclass(frozen=True, slots=True)
class _Writer:
    metric: MetricResult
    currency: str
    treatment: str

    def line(self, name: str, one: Comparison | schema.Beside, why: str) -> Beside:
        unit = self.metric.display_unit
        relative = one.lift is not None
        ends = one.difference_interval
        absolute = "" if ends is None else " to ".join(change(end, unit, self.currency) for end in ends)
        return Beside(
            name=name,
            treatment=self.treatment,
            control_value=quantity(one.control_value, unit, self.currency),
            value=quantity(one.value, unit, self.currency),
            shown=lift(one.lift) if relative else change(one.difference, unit, self.currency),
            interval=bounds(one.lift_interval) if relative else absolute,
            p=p_value(one.p_value),
            why=why,
        )
