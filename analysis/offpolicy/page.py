"""The part of a results page that is an off-policy evaluation's own: values, weights, support."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import figure_json, layout, plain_text
from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.results.designs import OffPolicyResult, PolicyEstimate, PolicyResult, SegmentSupport, WeightBin
from analysis.results.schema import Results
from analysis.stats.offpolicy.evaluation import FEWEST_EFFECTIVE
from experiments.pages.formats import change, lift, number, percent, quantity

STEADY = 0.25
"""Relative spread of the value over the limits of weights below which it hardly depends on them."""
LOW_SUPPORT, HIGH_SUPPORT = 0.8, 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method's answer, as the table writes it."""

    method: str
    value: str
    interval: str
    change: str
    change_interval: str
    mark: Mark | None
    label: str
    p_value: float | None
    reason: str
    is_headline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One context with what the log knows of it."""

    name: str
    rows: str
    worth: str
    share: str
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One candidate's block."""

    name: str
    model_version: str
    refusal: str
    rows: list[Row]
    worth: str
    clip_words: str
    clips: list[tuple[str, str, str]]
    segments: list[SegmentRow]
    figure: dict[str, Any]
    figure_id: str
    weights: list[tuple[str, str, str]]
    weight_words: str
    model_missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicyPage:
    """Everything that the template shows."""

    facts: list[tuple[str, str]]
    policies: list[Policy]
    scale: Scale
    notes: list[str]
    template: str = "designs/offpolicy/results.html"
    draws: bool = True


def off_policy_page(results: Results) -> OffPolicyPage | None:
    """Return the block, or None where the result is of another kind."""
    found = results.off_policy
    if found is None:
        return None
    names = {variant.key: (variant.name, variant.model_version or "") for variant in results.variants}
    currency = results.experiment.currency
    scale = _scale(found)
    return OffPolicyPage(
        facts=_facts(found, currency),
        policies=[
            _policy(one, position, found, names.get(one.variant, (one.variant, "")), scale, currency)
            for position, one in enumerate(found.policies)
        ],
        scale=scale,
        notes=found.notes,
    )


def _facts(found: OffPolicyResult, currency: str) -> list[tuple[str, str]]:
    logged = quantity(found.logged_value, found.display_unit, currency)
    spread = _between(found.logged_interval, found.display_unit, currency)
    return [
        ("What ran earned", f"{logged} a decision{f' ({spread})' if spread else ''}"),
        ("Decisions", number(found.rows)),
        ("Read from", found.source),
    ]


def _scale(found: OffPolicyResult) -> Scale:
    base = found.logged_value
    rows = [one for policy in found.policies for one in policy.estimates]
    intervals = [relative for one in rows if (relative := _relative(one.difference_interval, base)) is not None]
    return scale_for(intervals, [one.difference / base for one in rows if base and one.difference is not None])


def _relative(interval: tuple[float, float] | None, base: float | None) -> tuple[float, float] | None:
    return None if interval is None or not base or base < 0 else (interval[0] / base, interval[1] / base)


def _policy(
    one: PolicyResult, position: int, found: OffPolicyResult, named: tuple[str, str], scale: Scale, currency: str
) -> Policy:
    return Policy(
        name=named[0],
        model_version=named[1],
        refusal=one.refusal,
        rows=[_row(estimate, found, scale, currency, named[0]) for estimate in one.estimates],
        worth=_worth(one, found.rows),
        clip_words=_clip_words(one),
        clips=[
            (f"{clip.limit:g}", quantity(clip.value, found.display_unit, currency), percent(clip.kept, 0))
            for clip in one.clips
        ],
        segments=[_segment(segment) for segment in one.segments],
        figure=_figure(one.bins, found.rows),
        figure_id=f"weights-{position}",
        weights=[(_range(b), number(b.rows), percent(b.share, 1)) for b in one.bins],
        weight_words=_weight_words(one, found.rows),
        model_missing=one.model_missing,
    )


def _row(one: PolicyEstimate, found: OffPolicyResult, scale: Scale, currency: str, name: str) -> Row:
    base, unit = found.logged_value, found.display_unit
    relative = _relative(one.difference_interval, base)
    moved = one.difference / base if base and base > 0 and one.difference is not None else None
    shown = lift(moved) if moved is not None else change(one.difference, unit, currency)
    spread = f"{lift(relative[0])} to {lift(relative[1])}" if relative else ""
    return Row(
        method=one.method,
        value=quantity(one.value, unit, currency),
        interval=_between(one.interval, unit, currency),
        change=shown,
        change_interval=spread,
        mark=None if relative is None else mark(scale, relative, moved),
        label=f"{name}, {one.method}: {shown}, interval {spread or 'not known'}",
        p_value=one.p_value,
        reason=one.reason,
        is_headline=one.method == "Self-normalised",
    )


def _between(interval: tuple[float, float] | None, unit: str, currency: str) -> str:
    if interval is None:
        return ""
    return f"{quantity(interval[0], unit, currency)} to {quantity(interval[1], unit, currency)}"


def _worth(one: PolicyResult, rows: int) -> str:
    if one.effective is None or not rows:
        return ""
    few = f" Fewer than {FEWEST_EFFECTIVE:.0f} decide nothing." if one.effective < FEWEST_EFFECTIVE else ""
    rewards = ""
    if one.effective_rewards is not None:
        rewards = f", and {one.effective_rewards:,.0f} rewarded decisions carry its value"
    return (
        f"{rows:,} logged decisions are worth {one.effective:,.0f} of its own "
        f"({percent(one.effective / rows, 1)}){rewards}.{few}"
    )


def _clip_words(one: PolicyResult) -> str:
    values = [clip.value for clip in one.clips]
    if not values or not max(values):
        return ""
    spread = (max(values) - min(values)) / max(abs(value) for value in values)
    if spread <= STEADY:
        return "Limiting how much one decision may weigh hardly changes the value: no few decisions make it."
    return (
        "The value depends on how much one decision may weigh: few heavy decisions make it. Believe the interval, and "
        "not the number alone."
    )


def _segment(one: SegmentSupport) -> SegmentRow:
    off = not LOW_SUPPORT <= one.mean_weight <= HIGH_SUPPORT
    low = one.mean_weight < LOW_SUPPORT
    warning = ""
    if one.effective < FEWEST_EFFECTIVE:
        warning = "too few: nothing is known of it here"
    elif off:
        warning = "it would do what was never tried here" if low else "logged probabilities are too low here"
    return SegmentRow(
        name=one.name,
        rows=number(one.rows),
        worth=number(one.effective),
        share=percent(one.mean_weight, 0),
        warning=warning,
    )


def _weight_words(one: PolicyResult, rows: int) -> str:
    never = sum(b.rows for b in one.bins if b.high == 0)
    heavy = sum(b.share for b in one.bins if b.low >= 8)
    heaviest = f"the heaviest weighs {one.largest or 0:,.1f}"
    parts = [f"Decisions by their weight: one that it would take as often weighs 1, {heaviest}."]
    if never:
        parts.append(f"{percent(never / max(1, rows), 0)} of what was logged it would never do.")
    if heavy:
        parts.append(f"Decisions that weigh 8 and more carry {percent(heavy, 0)} of all weight.")
    return " ".join(parts)


def _range(one: WeightBin) -> str:
    if one.high == 0:
        return "0"
    return f"below {one.high:g}" if one.low == 0 else f"{one.low:g} to {one.high:g}"


def _figure(bins: Sequence[WeightBin], rows: int) -> dict[str, Any]:
    """Draw how many decisions weigh how much, beside how much of all weight they carry."""
    figure = go.Figure()
    labels = [plain_text(_range(one)) for one in bins]
    shares = [
        ("Share of decisions", [one.rows / max(1, rows) for one in bins], "var(--series-0)"),
        ("Share of weight", [one.share for one in bins], "var(--series-1)"),
    ]
    for name, values, colour in shares:
        figure.add_bar(
            x=labels, y=values, name=name, marker={"color": colour, "line": {"width": 0}}, hovertemplate="%{y:.1%}"
        )
    figure.update_layout(**layout(legend=True), barmode="group", bargap=0.25, yaxis_tickformat=".0%")
    figure.update_xaxes(type="category", tickformat=None, hoverformat=None, automargin=True)
    return figure_json(figure)
