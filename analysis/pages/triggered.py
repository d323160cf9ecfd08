"""The block about units whose outputs differ between the variants."""

from dataclasses import dataclass

from analysis.decisions.wording import percent
from analysis.decisions.wording import units as units_of
from analysis.results.schema import Results, TriggeredEffect
from experiments.pages.formats import bounds, change, lift


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredRow:
    """One metric of one treatment, as the table writes it."""

    name: str
    treatment: str
    change: str
    interval: str
    p_value: float | None
    over_all: str
    over_all_interval: str
    untouched: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredBlock:
    """The whole block. ``warnings`` say why the trigger must not be believed."""

    sentence: str
    unit_type: str
    warnings: list[str]
    rows: list[TriggeredRow]


def triggered_block(results: Results) -> TriggeredBlock | None:
    """Return the block, or None where the app reports no difference or nothing may be read."""
    found = results.triggered
    if found is None or not found.effects or not results.health.trustworthy:
        return None
    unit_type = results.experiment.unit_type
    names = {variant.key: variant.name for variant in results.variants}
    several = len(names) > 2
    share = percent(found.units / found.total)
    return TriggeredBlock(
        sentence=f"The app reported whether outputs differ for {units_of(found.total, unit_type)}; they do for "
        f"{found.units:,} of them ({share}).",
        unit_type=unit_type,
        warnings=list(dict.fromkeys(_warning(one) for one in found.effects if one.trustworthy is False)),
        rows=[
            _row(one, names.get(one.variant, one.variant) if several else "", results.experiment.currency)
            for one in found.effects
        ],
    )


def _row(one: TriggeredEffect, treatment: str, currency: str) -> TriggeredRow:
    spread = ""
    if one.diluted_interval is not None:
        low, high = (change(end, one.display_unit, currency) for end in one.diluted_interval)
        spread = f"{low} to {high}"
    return TriggeredRow(
        name=one.name,
        treatment=treatment,
        change=lift(one.lift) if one.lift is not None else change(one.difference, one.display_unit, currency),
        interval=bounds(one.lift_interval) or "no interval yet",
        p_value=one.p_value,
        over_all=lift(one.diluted_lift)
        if one.diluted_lift is not None
        else change(one.diluted_difference, one.display_unit, currency),
        over_all_interval=spread,
        untouched=_untouched(one),
    )


def _untouched(one: TriggeredEffect) -> str:
    if one.untouched_p_value is None:
        return "cannot be said"
    return "no sign of a change" if one.trustworthy is not False else "see above"


def _warning(one: TriggeredEffect) -> str:
    return f"Do not read this part: {one.reason}."
