"""The product's question in one strip: did the offline gain reach clicks, and did clicks reach the business?"""

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.results.schema import Comparison, MetricResult, Reading, Results, VariantFact
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole
from experiments.pages.formats import GLYPHS, bounds, decimals, lift

TONES = {Reading.BETTER: "good", Reading.WORSE: "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of the chain, with its change in words."""

    stage: str
    name: str
    change: str
    detail: str
    tone: str
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The steps for one treatment, and what they amount to."""

    treatment: str
    links: list[Link]
    sentence: str


def chains(results: Results) -> list[Chain]:
    """Return one chain a treatment whose variant and control both name a model version; none without."""
    control = next((v for v in results.variants if v.is_control), None)
    if control is None or control.model_version is None:
        return []
    treatments = [v for v in results.variants if not v.is_control and v.model_version is not None]
    return [_chain(results, control, treatment) for treatment in treatments]


def _chain(results: Results, control: VariantFact, treatment: VariantFact) -> Chain:
    offline = _offline(control, treatment)
    steps = list(_steps(results, treatment))
    withheld = not results.health.trustworthy
    links = [offline, *(_online(stage, metric, comparison, withheld=withheld) for stage, metric, comparison in steps)]
    return Chain(
        treatment=treatment.name,
        links=links,
        sentence=_sentence(control, treatment, [(m, c) for _, m, c in steps], withheld=withheld),
    )


def _offline(control: VariantFact, treatment: VariantFact) -> Link:
    name = treatment.offline_metric or "Offline metric"
    versions = f"{control.model_version} to {treatment.model_version}"
    gain = _gain(control, treatment)
    if gain is None:
        return Link(stage="Offline", name=name, change="not recorded", detail=versions, tone="flat", sign="–")
    values = f"{decimals(control.offline_value, 4)} to {decimals(treatment.offline_value, 4)}"
    # An offline gain is a promise and has no interval here: it gets no colour.
    return Link(stage="Offline", name=name, change=lift(gain), detail=values, tone="flat", sign="")


def _gain(control: VariantFact, treatment: VariantFact) -> float | None:
    same = control.offline_metric == treatment.offline_metric
    if not same or not control.offline_value or treatment.offline_value is None:
        return None
    return treatment.offline_value / control.offline_value - 1


def _steps(results: Results, treatment: VariantFact) -> Iterator[tuple[str, MetricResult, Comparison]]:
    """Yield the metrics on the way to the business: behaviour first, then the primary metric, then money."""
    candidates = [m for m in results.metrics if m.role != MetricRole.GUARDRAIL]
    clicks = [m for m in candidates if "click" in f"{m.key} {m.name}".lower()][:1]
    primary = [m for m in candidates if m.role == MetricRole.PRIMARY and m not in clicks][:1]
    # Money a unit spends, the primary metric before others; an average order says nothing about how many there are.
    money = [m for m in candidates if m.display_unit == DisplayUnit.CURRENCY and m.kind == MetricKind.SUM]
    business = sorted(money, key=lambda m: m.role != MetricRole.PRIMARY)[:1]
    primary = [m for m in primary if m not in business]
    staged = [("Behaviour", clicks), ("Primary metric", primary), ("Business", business)]
    for stage, metrics in staged:
        for metric in metrics:
            for comparison in metric.comparisons:
                if comparison.variant == treatment.key:
                    yield stage, metric, comparison


def _online(stage: str, metric: MetricResult, comparison: Comparison, *, withheld: bool) -> Link:
    if withheld:
        return Link(stage=stage, name=metric.name, change="withheld", detail="", tone="warn", sign="")
    tone = TONES.get(comparison.reading, "flat")
    detail = f"{comparison.reading.value}, {bounds(comparison.lift_interval) or 'no interval yet'}"
    return Link(
        stage=stage, name=metric.name, change=lift(comparison.lift), detail=detail, tone=tone, sign=GLYPHS[tone]
    )


def _sentence(
    control: VariantFact, treatment: VariantFact, steps: list[tuple[MetricResult, Comparison]], *, withheld: bool
) -> str:
    if withheld:
        return "The online part is withheld until the health checks above pass."
    gain = _gain(control, treatment)
    if not steps or gain is None or gain <= 0:
        return ""
    names = {reading: [metric.name for metric, c in steps if c.reading is reading] for reading in Reading}
    reached, worse = names[Reading.BETTER], names[Reading.WORSE]
    unclear = [metric.name for metric, c in steps if c.reading not in TONES]
    if not reached and not worse:
        return "So far there is no proof that the offline gain reached anything that people do."
    said = [f"The offline gain reached {_listed(reached)}."] if reached else []
    if worse:
        paid = ", so it did not pay" if steps[-1][0].name in worse else ""
        said.append(f"{_listed(worse)} got worse{paid}.")
    if unclear:
        said.append(f"For {_listed(unclear)} there is no proof of a change.")
    return " ".join(said)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
