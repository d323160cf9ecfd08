"""The product's question in one strip: the stations from the offline gain to the business, as the page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.results.chain import Chain, ChainEnd, ChainLink, ChainStage, FunnelSplit, FunnelStep
from analysis.results.schema import Reading, Results
from experiments.pages.formats import GLYPHS, bounds, decimals, level, lift, quantity

STAGES = {ChainStage.OFFLINE: "Offline", ChainStage.PROXY: "What people do", ChainStage.BUSINESS: "The business"}
SAID = {Reading.BETTER: "good", Reading.WORSE: "bad", Reading.NOT_TRUSTWORTHY: "warn"}
SIGNS = {"good": "✓", "bad": "!", "warn": "!"}
RAILS = {"held": "went on", "broken": "stopped here", "reversed": "turned into a loss", "open": "not known yet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station. ``rail`` is how the way to it looks: held, broken, reversed or open; empty for the first."""

    stage: str
    name: str
    metric: str
    values: str
    change: str
    interval: str
    said: str
    note: str
    tone: str
    sign: str
    rail: str
    rail_said: str
    mark: Mark | None
    label: str
    guessed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRow:
    """One step of the funnel; ``points`` (100 times the log lift) add up to the whole's."""

    name: str
    change: str
    interval: str
    points: str
    tone: str
    mark: Mark
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelTable:
    """The funnel with every step on one scale."""

    rows: list[FunnelRow]
    whole: FunnelRow
    scale: Scale
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStrip:
    """One treatment's strip."""

    chain: Chain
    treatment: str
    stations: list[Station]
    scale: Scale
    funnel: FunnelTable | None

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return GLYPHS[self.chain.tone]

    @property
    def guessed(self) -> list[Station]:
        """Return the stations whose metric was chosen by its words."""
        return [station for station in self.stations if station.guessed]


def strips(results: Results) -> list[ChainStrip]:
    """Return one strip a treatment with a model version."""
    names = {variant.key: variant.name for variant in results.variants}
    return [_strip(chain, names.get(chain.variant, chain.variant), results) for chain in results.chains]


def _strip(chain: Chain, treatment: str, results: Results) -> ChainStrip:
    drawn = [link for link in chain.links if link.lift is not None]
    intervals = [link.lift_interval for link in drawn if link.lift_interval is not None]
    scale = scale_for(intervals, [link.lift for link in drawn if link.lift is not None])
    return ChainStrip(
        chain=chain,
        treatment=treatment,
        stations=[_station(chain, place, scale, results.experiment.currency) for place in range(len(chain.links))],
        scale=scale,
        funnel=None if chain.funnel is None else _funnel(chain.funnel),
    )


def _station(chain: Chain, place: int, scale: Scale, currency: str) -> Station:
    link = chain.links[place]
    offline = link.stage is ChainStage.OFFLINE
    tone = "flat" if offline else SAID.get(Reading(link.said), "flat")
    rail = _rail(chain, place)
    shown = link.lift_interval
    return Station(
        stage=STAGES[link.stage],
        name=link.name,
        metric=link.metric,
        values=_values(link, currency),
        change=lift(link.lift) if link.lift is not None else _no_change(link),
        interval=bounds(shown) if shown is not None else "",
        said=link.said,
        note=link.note,
        tone=tone,
        sign=SIGNS.get(tone, ""),
        rail=rail,
        rail_said=RAILS.get(rail, ""),
        mark=None if shown is None or link.lift is None else mark(scale, shown, link.lift),
        label=f"{link.name}: {lift(link.lift)}, {level(link.alpha)} interval {bounds(shown) or 'not known'}",
        guessed=link.guessed,
    )


def _no_change(link: ChainLink) -> str:
    return "withheld" if link.said == Reading.NOT_TRUSTWORTHY else "–"


def _values(link: ChainLink, currency: str) -> str:
    if link.value is None or link.control_value is None:
        return ""
    if link.stage is ChainStage.OFFLINE:
        return f"{decimals(link.control_value, 4)} to {decimals(link.value, 4)}"
    before, after = (quantity(value, link.display_unit, currency) for value in (link.control_value, link.value))
    return f"{before} to {after}"


def _rail(chain: Chain, place: int) -> str:
    """Return how the way from the station before looks."""
    if place == 0:
        return ""
    link = chain.links[place]
    if chain.verdict is ChainEnd.NOT_TRUSTWORTHY or link.arrived is None:
        return "open"
    if link.arrived:
        return "held"
    return "reversed" if link.said == Reading.WORSE else "broken"


def _funnel(split: FunnelSplit) -> FunnelTable:
    every = [*split.steps, split.whole]
    scale = scale_for([step.lift_interval for step in every], [step.lift for step in every])
    rows = [_funnel_row(step, scale, split.alpha) for step in every]
    rounded = _adding_up([step.log_lift for step in split.steps], split.whole.log_lift)
    with_points = [_with_points(row, points) for row, points in zip(rows, rounded, strict=True)]
    return FunnelTable(rows=with_points[:-1], whole=with_points[-1], scale=scale, level=level(split.alpha))


def _adding_up(parts: Sequence[float], whole: float) -> list[float]:
    """Round to a tenth of a point so that what is written adds up as well: the largest rounding errors give way."""
    tenths = [round(1000 * part) for part in parts]
    rest = round(1000 * whole) - sum(tenths)
    order = sorted(range(len(parts)), key=lambda i: tenths[i] - 1000 * parts[i], reverse=rest < 0)
    for i in order[: abs(rest)]:
        tenths[i] += 1 if rest > 0 else -1
    return [one / 10 for one in (*tenths, round(1000 * whole))]


def _funnel_row(step: FunnelStep, scale: Scale, alpha: float) -> FunnelRow:
    low, high = step.lift_interval
    tone = "good" if low > 0 else "bad" if high < 0 else "flat"
    return FunnelRow(
        name=step.name[:1].upper() + step.name[1:],
        change=lift(step.lift),
        interval=bounds(step.lift_interval),
        points="",
        tone=tone,
        mark=mark(scale, step.lift_interval, step.lift),
        label=f"{step.name}: {lift(step.lift)}, {level(alpha)} interval {bounds(step.lift_interval)}",
    )


def _with_points(row: FunnelRow, points: float) -> FunnelRow:
    text = lift(points / 100).removesuffix("%")
    return FunnelRow(
        name=row.name, change=row.change, interval=row.interval, points=text, tone=row.tone, mark=row.mark,
        label=row.label,
    )  # fmt: skip
