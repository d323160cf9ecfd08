"""The part of a results page that is a bandit's own: shares over time, who is best, what moving shares brought."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import colour_of, figure_json, layout, plain_text
from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.results.designs import BanditResult
from analysis.results.schema import Comparison, Results
from experiments.pages.formats import change, lift, moment, number, percent, quantity, weight


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One variant, as the table writes it."""

    name: str
    model_version: str
    is_control: bool
    share: str
    best: str
    value: str
    interval: str
    change: str
    change_interval: str
    mark: Mark | None
    label: str
    reading: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BanditPage:
    """Everything that the template shows."""

    facts: list[tuple[str, str]]
    arms: list[ArmRow]
    scale: Scale
    reward: str
    earned: str
    figure: dict[str, Any] | None
    names: list[str]
    rows: list[tuple[str, list[str], str]]
    withheld: bool
    template: str = "designs/bandit/results.html"

    @property
    def draws(self) -> bool:
        """Say whether there is a chart."""
        return self.figure is not None


TONES = {"Better": "good", "Worse": "bad"}


def bandit_page(results: Results) -> BanditPage | None:
    """Return the block, or None where the result is of another kind."""
    found = results.bandit
    if found is None:
        return None
    metric = results.metrics[0]
    by_variant = {one.variant: one for one in metric.comparisons}
    points = [one.lift for one in metric.comparisons if one.lift is not None]
    scale = scale_for([one.lift_interval for one in metric.comparisons if one.lift_interval], points)
    names = [variant.name for variant in results.variants]
    withheld = not results.health.trustworthy
    return BanditPage(
        facts=[
            (f"{results.experiment.unit_type.capitalize()}s", number(sum(v.units for v in results.variants))),
            ("Batches", number(len(found.history))),
            ("Shares move next", moment(found.next_at) if found.next_at else "–"),
        ],
        arms=_rows(results, found, by_variant, scale, withheld=withheld),
        scale=scale,
        reward=metric.name,
        earned="" if withheld else _earned(results, found),
        figure=_figure(found, names, results.as_of),
        names=names,
        rows=[
            (moment(row.began_at), [weight(share) for share in row.shares], number(row.units)) for row in found.history
        ],
        withheld=withheld,
    )


def _rows(
    results: Results, found: BanditResult, by_variant: dict[str, Comparison], scale: Scale, *, withheld: bool
) -> list[ArmRow]:
    metric, currency = results.metrics[0], results.experiment.currency
    rows = []
    for arm, variant in zip(found.arms, results.variants, strict=True):
        one = by_variant.get(arm.variant)
        shown = "" if one is None or withheld else _moved(one, metric.display_unit, currency)
        spread = "" if one is None or withheld else _spread(one, metric.display_unit, currency)
        interval = None if one is None or withheld else one.lift_interval
        reading = "" if one is None else "Withheld" if withheld else one.reading.value
        rows.append(
            ArmRow(
                name=variant.name,
                model_version=variant.model_version or "",
                is_control=variant.is_control,
                share=weight(arm.share),
                best="–" if withheld or arm.best is None else _chance(arm.best),
                value="–" if withheld else quantity(arm.value, metric.display_unit, currency),
                interval=""
                if withheld or arm.interval is None
                else _between(arm.interval, metric.display_unit, currency),
                change=shown,
                change_interval=spread,
                mark=None if interval is None or one is None else mark(scale, interval, one.lift),
                label=f"{variant.name}: {shown}, interval {spread or 'not known'}",
                reading=reading,
                tone=TONES.get(reading, "flat"),
            )
        )
    return rows


def _moved(one: Comparison, unit: str, currency: str) -> str:
    return lift(one.lift) if one.lift is not None else change(one.difference, unit, currency)


def _spread(one: Comparison, unit: str, currency: str) -> str:
    if one.lift_interval is not None and None not in one.lift_interval:
        return f"{lift(one.lift_interval[0])} to {lift(one.lift_interval[1])}"
    if one.difference_interval is None:
        return ""
    return (
        f"{change(one.difference_interval[0], unit, currency)} to {change(one.difference_interval[1], unit, currency)}"
    )


def _between(interval: tuple[float, float], unit: str, currency: str) -> str:
    return f"{quantity(interval[0], unit, currency)} to {quantity(interval[1], unit, currency)}"


def _earned(results: Results, found: BanditResult) -> str:
    if found.earned is None or found.earned_interval is None or len(found.history) < 2:
        return ""
    unit = results.metrics[0].display_unit
    what, currency = results.metrics[0].name, results.experiment.currency
    # A share's total is a count of units.
    shown = "number" if unit == "percent" else unit
    low, high = (_total(end, shown, currency) for end in found.earned_interval)
    value = _total(found.earned, shown, currency)
    more = f"{value} in all of “{what}”" if shown != "number" else f"{value} of what “{what}” counts"
    even = f"an even split of the same {results.experiment.unit_type}s"
    return f"Beside {even}, moving shares brought {more} ({low} to {high})."


def _chance(share: float) -> str:
    """Write a probability; what is nearly certain is not certain."""
    if share > 0.999:
        return ">99.9%"
    return "<0.1%" if share < 0.001 else percent(share, 1)


def _total(value: float, unit: str, currency: str) -> str:
    if unit == "number":
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):,.0f}"
    return change(value, unit, currency)


def _figure(found: BanditResult, names: list[str], as_of: datetime) -> dict[str, Any] | None:
    """Draw each variant's share over time, stacked: every batch is one step."""
    if len(found.history) < 2:
        return None
    figure = go.Figure()
    # The last shares hold until now: one more point draws them as long as they have lasted.
    rows = [*found.history, found.history[-1]]
    moments = [*(row.began_at for row in found.history), max(as_of, found.history[-1].began_at)]
    for position, name in enumerate(names):
        figure.add_scatter(
            x=moments,
            y=[row.shares[position] / 10_000 for row in rows],
            name=plain_text(name),
            mode="lines",
            line={"shape": "hv", "color": colour_of(position), "width": 2.5},
            hovertemplate="%{y:.1%}",
        )
    figure.update_layout(**layout(legend=True), yaxis_tickformat=".0%", yaxis_range=[0, 1])
    figure.update_xaxes(hoverformat="%-d %b, %H:%M", tickformat="%H:%M\n%-d %b", nticks=5, automargin=True)
    return figure_json(figure)
