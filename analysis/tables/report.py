"""The report's one shape: its names are stable, scripts depend on them."""

import msgspec
from msgspec import Struct

SCHEMA = 1

Interval = tuple[float | None, float | None]


class Srm(Struct, frozen=True, kw_only=True):
    """Units against weights; None where it cannot be said."""

    p_value: float | None
    counts: dict[str, int]
    expected: dict[str, float]


class Health(Struct, frozen=True, kw_only=True):
    """Whether the file may be believed, and what was done with its rows."""

    srm: Srm
    quarantined_units: int
    duplicate_rows: int
    missing: dict[str, int]
    warnings: list[str]
    rows: int
    mismatched_rows: int
    notes: list[str]


class Comparison(Struct, frozen=True, kw_only=True):
    """Treatment minus control. Intervals are at 1 - ``alpha``; ``adjusted_p_value`` compares with the whole risk."""

    variant: str
    control: str
    n: int
    control_n: int
    mean: float | None
    control_mean: float | None
    difference: float | None
    difference_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    adjusted_p_value: float | None
    standard_error: float | None
    alpha: float
    margin_crossed: bool | None
    reading: str
    warnings: list[str]


class Metric(Struct, frozen=True, kw_only=True):
    """A metric with one comparison a treatment."""

    name: str
    type: str
    role: str
    comparisons: list[Comparison]


class LevelEffect(Struct, frozen=True, kw_only=True):
    """One treatment's effect within one level of a segment; no reading, for a level alone decides nothing.

    ``shrunk_difference`` is drawn towards the effect over all levels by as much as the level is noise.
    """

    level: str
    n: int
    control_n: int
    difference: float | None
    difference_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    shrunk_difference: float | None
    shrunk_interval: Interval | None


class Breakdown(Struct, frozen=True, kw_only=True):
    """A metric's effect by segment, with the test whether the levels differ (adjusted over all breakdowns)."""

    segment: str
    metric: str
    variant: str
    heterogeneity_p_value: float | None
    adjusted_p_value: float | None
    levels: list[LevelEffect]


class Verdict(Struct, frozen=True, kw_only=True):
    """The decision, its sentence and its reasons."""

    decision: str
    sentence: str
    reasons: list[str]


class Report(Struct, frozen=True, kw_only=True):
    """Everything said about one file."""

    schema: int
    engine_version: str
    health: Health
    metrics: list[Metric]
    verdict: Verdict
    segments: list[Breakdown] = []


def to_json(report: Report) -> str:
    """Write the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
