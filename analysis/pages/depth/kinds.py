"""A metric's breakdowns in words: whether the effect differs between kinds of units, and each kind's effect."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.details.schema import Breakdown
from analysis.results.schema import Results
from experiments.pages.formats import bounds, lift, p_said


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """One kind of units as the table writes it."""

    level: str
    units: int
    shown: str
    interval: str
    mark: Mark | None
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """One breakdown."""

    title: str
    sentence: str
    differs: bool
    rows: list[KindRow]
    scale: Scale


def kinds(results: Results, found: Sequence[Breakdown]) -> list[Kinds]:
    """Return the breakdowns, those in which the effect differs first."""
    names = {variant.key: variant.name for variant in results.variants}
    several = len(results.variants) > 2
    made = [_kinds(one, names.get(one.variant, one.variant) if several else "") for one in found]
    return sorted(made, key=lambda one: not one.differs)


def _kinds(one: Breakdown, treatment: str) -> Kinds:
    scale = scale_for([level.interval for level in one.levels if level.interval], [])
    rows = [
        KindRow(
            level=level.level,
            units=level.units,
            shown=lift(level.lift),
            interval=bounds(level.interval),
            mark=None if level.interval is None else mark(scale, level.interval, level.lift),
            label=f"{one.name} {level.level}: {lift(level.lift)}, 95% interval {bounds(level.interval) or 'not known'}",
        )
        for level in one.levels
    ]
    title = f"By {one.name}, {treatment}" if treatment else f"By {one.name}"
    return Kinds(title=title, sentence=_sentence(one), differs=one.differs, rows=rows, scale=scale)


def _sentence(one: Breakdown) -> str:
    if one.reason:
        return f"Nothing can be said: {one.reason}."
    allowed = f"{p_said(one.adjusted_p_value)}, allowing for {one.tested} breakdown{'' if one.tested == 1 else 's'}"
    if one.differs:
        return f"The effect differs between these kinds ({allowed})."
    return f"The effect does not clearly differ ({allowed}): read the effect on all, and not the largest of these."
