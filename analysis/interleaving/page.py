"""The part of a results page that is an interleaving's own: the vote, day by day, and what an A/B test would need."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import day_ticks, figure_json, layout
from analysis.results.designs import InterleavingResult
from analysis.results.schema import Results
from experiments.pages.formats import day, decimals, number, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class InterleavingPage:
    """Everything that the template shows. ``bar`` are the widths of the vote's three parts, of 1,000."""

    facts: list[tuple[str, str]]
    control: str
    treatment: str
    unit_type: str
    bar: tuple[int, int, int]
    vote: list[tuple[str, str, str]]
    value: str
    interval: str
    p_value: float | None
    sign_p_value: float | None
    differing: str
    sensitivity: str
    figure: dict[str, Any] | None
    rows: list[tuple[str, str, str, str]]
    notes: list[str]
    withheld: bool
    template: str = "designs/interleaving/results.html"

    @property
    def draws(self) -> bool:
        """Say whether there is a chart."""
        return self.figure is not None


def interleaving_page(results: Results) -> InterleavingPage | None:
    """Return the block, or None where the result is of another kind."""
    found = results.interleaving
    if found is None:
        return None
    control, treatment = (variant.name for variant in results.variants[:2])
    withheld = not results.health.trustworthy
    return InterleavingPage(
        facts=[
            (f"{results.experiment.unit_type.capitalize()}s", number(found.users)),
            ("Mixed lists", number(found.impressions)),
            ("Data up to", day(results.data_up_to.date()) if results.data_up_to else "–"),
        ],
        control=control,
        treatment=treatment,
        unit_type=results.experiment.unit_type,
        bar=_bar(found),
        vote=_vote(found, control, treatment),
        value=decimals(found.value, 4),
        interval=""
        if found.interval is None
        else f"{decimals(found.interval[0], 4)} to {decimals(found.interval[1], 4)}",
        p_value=found.p_value,
        sign_p_value=found.sign_p_value,
        differing=percent(found.differing / found.impressions, 0) if found.impressions else "–",
        sensitivity=sensitivity_words(found, results.experiment.unit_type),
        figure=None if withheld else _figure(found),
        rows=[
            (
                day(one.day),
                number(one.users),
                decimals(one.value, 4),
                "" if one.interval is None else f"{decimals(one.interval[0], 4)} to {decimals(one.interval[1], 4)}",
            )
            for one in found.days
        ],
        notes=[],
        withheld=withheld,
    )


def sensitivity_words(found: InterleavingResult, unit_type: str) -> str:
    """Say how many units each way of testing needs, as far as that is known."""
    said = []
    if found.needed is not None and found.p_value is not None and found.p_value < 0.5:
        said.append(
            f"A preference like this one is seen with {number(found.needed)} {unit_type}s, four times out of five."
        )
    if found.separate is not None and found.ratio is not None:
        times = f"{found.ratio:,.0f} times as many" if found.ratio >= 1 else f"{found.ratio:.1f} times as many"
        said.append(f"The A/B test “{found.beside}” needs {number(found.separate)} for its own difference: {times}.")
    elif found.beside:
        said.append(f"How many an A/B test needs cannot be said: {found.beside_reason}.")
    return " ".join(said)


def _bar(found: InterleavingResult) -> tuple[int, int, int]:
    total = max(1, found.users_for_control + found.users_for_treatment + found.users_undecided)
    behind = round(1000 * found.users_for_control / total)
    ahead = round(1000 * found.users_for_treatment / total)
    return behind, 1000 - behind - ahead, ahead


def _vote(found: InterleavingResult, control: str, treatment: str) -> list[tuple[str, str, str]]:
    total = max(1, found.users)
    rows = [
        (f"chose more of {control}", found.users_for_control),
        ("chose evenly, or nothing", found.users_undecided),
        (f"chose more of {treatment}", found.users_for_treatment),
    ]
    return [(words, number(count), percent(count / total, 1)) for words, count in rows]


def _figure(found: InterleavingResult) -> dict[str, Any] | None:
    """Draw each day's preference alone, with its interval, around no preference."""
    points = [
        (one, one.value, one.interval) for one in found.days if one.value is not None and one.interval is not None
    ]
    if len(points) < 2:
        return None
    figure = go.Figure()
    figure.add_hline(y=0, line={"color": "var(--edge)", "width": 1})
    figure.add_scatter(
        x=[one.day for one, _, _ in points],
        y=[value for _, value, _ in points],
        mode="markers",
        marker={"color": "var(--series-1)", "size": 8},
        error_y={
            "type": "data",
            "array": [interval[1] - value for _, value, interval in points],
            "arrayminus": [value - interval[0] for _, value, interval in points],
            "color": "var(--series-1)",
            "width": 4,
        },
        customdata=[[one.users] for one, _, _ in points],
        hovertemplate="%{y:+.4f}, %{customdata[0]:,} units",
    )
    figure.update_layout(**layout(legend=False))
    figure.update_xaxes(**day_ticks([one.day for one, _, _ in points]))
    return figure_json(figure)
