"""The part of a results page that is a switchback's own: effects, blocks in time, regions, what comes next."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import colour_of, figure_json, layout, plain_text
from analysis.pages.table import Table, table
from analysis.results.designs import BlockPoint, SwitchbackResult
from analysis.results.schema import Results
from experiments.pages.formats import number, quantity

WHOLE_MARKET = "the whole market"
MOST_REGIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One region's blocks, as the table writes them."""

    region: str
    control_blocks: str
    treated_blocks: str
    control: str
    treatment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """What a region runs in the next blocks, oldest first: (when it begins, the variant's name)."""

    region: str
    blocks: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchbackPage:
    """Everything that the template shows."""

    facts: list[tuple[str, str]]
    table: Table
    metric: str
    control: str
    treatment: str
    regions: list[Row]
    figure: dict[str, Any] | None
    shown_region: str
    upcoming: list[Strip]
    block_minutes: int
    burn_in_minutes: int
    rates: bool
    withheld: bool
    template: str = "designs/switchback/results.html"

    @property
    def draws(self) -> bool:
        """Say whether there is a chart."""
        return self.figure is not None


def switchback_page(results: Results) -> SwitchbackPage | None:
    """Return the block, or None where the result is of another kind."""
    found = results.switchback
    if found is None:
        return None
    control, treatment = (variant.name for variant in results.variants[:2])
    metric, currency = results.metrics[0], results.experiment.currency
    withheld = not results.health.trustworthy
    shown = max(found.regions, key=lambda one: one.control_blocks + one.treated_blocks).region if found.regions else ""
    return SwitchbackPage(
        facts=[
            ("Blocks, control / treated", f"{number(found.control_blocks)} / {number(found.treated_blocks)}"),
            ("Regions", number(len(found.regions)) if len(found.regions) > 1 else WHOLE_MARKET),
            ("A block", f"{found.block_minutes} minutes"),
        ],
        table=table(results),
        metric=metric.name,
        control=control,
        treatment=treatment,
        regions=[
            Row(
                region=one.region or WHOLE_MARKET,
                control_blocks=number(one.control_blocks),
                treated_blocks=number(one.treated_blocks),
                control=quantity(one.control, metric.display_unit, currency),
                treatment=quantity(one.treatment, metric.display_unit, currency),
            )
            for one in found.regions[:MOST_REGIONS]
        ]
        if len(found.regions) > 1 and not withheld
        else [],
        figure=None if withheld else _figure(found, shown, (control, treatment)),
        shown_region=shown or WHOLE_MARKET,
        upcoming=_upcoming(found, control, treatment),
        block_minutes=found.block_minutes,
        burn_in_minutes=found.burn_in_minutes,
        rates=found.rates,
        withheld=withheld,
    )


def _upcoming(found: SwitchbackResult, control: str, treatment: str) -> list[Strip]:
    by_region: dict[str, list[tuple[str, str]]] = {}
    for one in found.upcoming:
        when = f"{one.begins:%-d %b, %H:%M}"
        by_region.setdefault(one.region or WHOLE_MARKET, []).append((when, treatment if one.treated else control))
    return [Strip(region=region, blocks=blocks) for region, blocks in by_region.items()]


def _figure(found: SwitchbackResult, region: str, names: tuple[str, str]) -> dict[str, Any] | None:
    """Draw each block of one region as a dot of its variant's colour."""
    points = [one for one in found.points if one.region == region and one.value is not None]
    if len(points) < 4:
        return None
    figure = go.Figure()
    for position, name in enumerate(names):
        own: list[BlockPoint] = [one for one in points if one.treated == bool(position)]
        figure.add_scatter(
            x=[one.begins for one in own],
            y=[one.value for one in own],
            name=plain_text(name),
            mode="markers",
            marker={"color": colour_of(position), "size": 7, "symbol": ("circle", "diamond")[position]},
            hovertemplate="%{y:,.4~g}",
        )
    figure.update_layout(**layout(legend=True))
    figure.update_xaxes(hoverformat="%-d %b, %H:%M", tickformat="%H:%M\n%-d %b", nticks=5, automargin=True)
    return figure_json(figure)
