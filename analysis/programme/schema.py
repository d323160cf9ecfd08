"""The shapes of a programme's readings: what is computed and kept, and what page, API and command line say alike.

Effects are log lifts, so that a slope is "per cent of the business metric for one per cent of the proxy". "Cannot be
computed" is ``None`` with a reason; an end of ``None`` inside an interval means unbounded on that side.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from analysis.results.schema import Interval


class Trust(StrEnum):
    """Whether a gain in the proxy has meant a gain in the business metric."""

    TRUSTED = "Can be trusted"
    HINTED = "Hinted at, not shown"
    UNRELATED = "No link seen"
    MISLEADING = "Points the wrong way"
    UNIDENTIFIED = "Not identified yet"


class SlopeFact(Struct, frozen=True, kw_only=True):
    """One way to draw the line. ``excluded`` marks an interval that is the *outside* of its two ends."""

    method: str
    value: float | None
    interval: Interval | None = None
    excluded: bool = False
    reason: str = ""


class Influence(Struct, frozen=True, kw_only=True):
    """The experiment without which the slope changes most."""

    experiment: str
    name: str
    without: float


class Checked(Struct, frozen=True, kw_only=True):
    """One check of a slope in words. ``ok`` is None where it cannot be said."""

    name: str
    ok: bool | None
    said: str


class ProxyFinding(Struct, frozen=True, kw_only=True):
    """What the programme says about one proxy and the business metric.

    ``missing`` is about how many more experiments of this size are needed; None where no number can be given.
    ``adjusted_p_value`` allows for how many proxies were asked (Benjamini-Hochberg).
    """

    metric: str
    name: str
    trust: Trust
    sentence: str
    experiments: int
    independent: int
    strength: float | None
    signal: float | None
    missing: int | None
    user_level: SlopeFact
    naive: SlopeFact
    corrected: SlopeFact
    p_value: float | None = None
    adjusted_p_value: float | None = None
    correlation: float | None = None
    sign_agreement: float | None = None
    quality: float | None = None


class Point(Struct, frozen=True, kw_only=True):
    """One experiment in the chart: effects on proxy (x) and business metric (y) with their covariance.

    One that was ``imported`` has no page here.
    """

    experiment: str
    name: str
    x: float
    y: float
    xx: float
    xy: float
    yy: float
    weight: float
    units: int
    imported: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """The corrected line with its band (xs, and y at each), and the naive line's two numbers."""

    xs: list[float]
    ys: list[float]
    low: list[float]
    high: list[float]
    naive_slope: float | None
    naive_intercept: float | None


class Mixture(Struct, frozen=True, kw_only=True):
    """The best mixture of proxies for an experiment of a size; weights add up to 1 in absolute value.

    ``implied`` are proxies left out because, with the others, they make up the business metric or each other.
    """

    units: int
    weights: dict[str, float]
    quality: float
    best_single: str
    best_single_quality: float
    experiments: int
    implied: list[str] = []


class RuleFact(Struct, frozen=True, kw_only=True):
    """What a rule would have brought: per experiment, and the difference from shipping by the business metric."""

    name: str
    gain: float
    standard_error: float
    shipped: float
    difference: float | None = None
    difference_interval: Interval | None = None


class Offline(Struct, frozen=True, kw_only=True):
    """What a point (0.01) of an offline metric has meant online, and what it predicts for the next model."""

    offline_metric: str
    metric: str
    name: str
    models: int
    sentence: str
    identified: bool
    missing: int | None
    slope: float | None
    interval: Interval | None
    gain: float
    prediction: float | None
    prediction_interval: Interval | None
    rank_correlation: float | None


class Detail(Struct, frozen=True, kw_only=True):
    """Everything about the chosen proxy."""

    finding: ProxyFinding
    slopes: list[SlopeFact]
    checks: list[Checked]
    influence: Influence | None
    points: list[Point]
    line: Line | None
    rules: list[RuleFact]
    offline: list[Offline]


class Left(Struct, frozen=True, kw_only=True):
    """Experiments that are not in the reading, and why."""

    broken: int
    early: int
    without_metric: int


class Proxies(Struct, frozen=True, kw_only=True):
    """Which proxies can be trusted for a business metric, from all experiments that are over."""

    business: str | None
    business_name: str
    headline: str
    explanation: str
    experiments: int
    findings: list[ProxyFinding]
    detail: Detail | None
    mixture: Mixture | None
    warnings: list[str]
    left: Left
    families: list[str]
    metrics: dict[str, str]
    reason: str = ""


class LaunchFact(Struct, frozen=True, kw_only=True):
    """A change that reached everyone. Effects are log lifts of its own audience; intervals are at 95 %.

    ``believed`` is the effect with its luck removed, ``kept`` how much of the raw effect that is. ``reach`` is the
    share of the metric's total that its audience stands for, ``felt`` how much of the holdout's time everyone had it,
    and ``contribution`` what it therefore adds to the holdout's lift. ``yearly`` is in the metric's own unit.
    ``faded`` says in words that its holdback has seen the lift go, where there is one and it has.
    """

    experiment: str
    name: str
    shipped_at: datetime
    raw: float | None = None
    raw_interval: Interval | None = None
    believed: float | None = None
    believed_interval: Interval | None = None
    kept: float | None = None
    reach: float = 1.0
    felt: float | None = None
    contribution: float | None = None
    yearly: float | None = None
    yearly_interval: Interval | None = None
    reason: str = ""
    faded: str = ""


class Bar(Struct, frozen=True, kw_only=True):
    """A step of the way from nothing to what the holdout measured, as log lifts. ``is_total`` starts at zero."""

    name: str
    value: float
    interval: Interval | None
    is_total: bool = False
    experiment: str = ""


class HoldoutFact(Struct, frozen=True, kw_only=True):
    """What a holdout measured of everything together."""

    experiment: str
    name: str
    started_at: datetime
    until: datetime
    lift: float
    interval: Interval


class LeeShen(Struct, frozen=True, kw_only=True):
    """The check of the shrunken sum: the plain sum over clear gains, less how much luck is expected in it."""

    comparisons: int
    chosen: int
    claimed: float
    corrected: float
    shrunk: float


class NorthStar(Struct, frozen=True, kw_only=True):
    """What moved the north-star metric in a quarter."""

    metric: str | None
    name: str
    display_unit: str
    currency: str
    quarter: str
    quarters: list[str]
    headline: str
    explanation: str
    tone: str
    launches: list[LaunchFact]
    together: float | None
    together_interval: Interval | None
    claimed: float | None
    yearly: float | None
    yearly_interval: Interval | None
    comparisons: int
    lee_shen: LeeShen | None
    holdout: HoldoutFact | None
    bars: list[Bar]
    unexplained: float | None
    unexplained_interval: Interval | None
    notes: list[str]
    lower_is_better: bool = False


class InteractionTest(Struct, frozen=True, kw_only=True):
    """Whether two treatments' effects on one metric add up, at every moment at once.

    ``alone`` and ``together`` are the first experiment's lift without and with the second's treatment; ``value`` is the
    difference of differences as a share of the value where neither treatment is, with an always-valid interval.
    """

    metric: str
    metric_name: str
    first_treatment: str
    second_treatment: str
    units: int
    alone: float
    together: float
    value: float
    interval: Interval
    p_value: float
    counted_by: str


class PairFact(Struct, frozen=True, kw_only=True):
    """A pair of experiments with its tests; ``adjusted`` are their p-values over all pairs of the project."""

    first: str
    first_name: str
    second: str
    second_name: str
    units: int
    scanned_at: datetime
    reason: str
    tests: list[InteractionTest]
    adjusted: list[float]
    disturbed: bool
    sentence: str


class Interactions(Struct, frozen=True, kw_only=True):
    """Which experiments disturb each other, over all pairs that ran at the same time."""

    headline: str
    explanation: str
    tone: str
    pairs: list[PairFact]
    tested: int
    untested: int


class BlockFact(Struct, frozen=True, kw_only=True):
    """The effect in one finished block of time after the launch, as a lift."""

    start: datetime
    end: datetime
    lift: float
    interval: Interval


class HoldbackFact(Struct, frozen=True, kw_only=True):
    """A launch that keeps being measured. Lifts are relative changes; ``evidence`` is the bet against a lasting lift,
    called from ``needed`` on."""

    experiment: str
    name: str
    parent: str
    parent_name: str
    metric: str
    metric_name: str
    shipped_at: datetime | None
    state: str
    sentence: str
    tone: str
    promised: float | None
    promised_interval: Interval | None
    lately: float | None
    lately_interval: Interval | None
    overall: float | None
    overall_interval: Interval | None
    evidence: float | None
    needed: float
    since: datetime | None
    blocks: list[BlockFact]


class Holdbacks(Struct, frozen=True, kw_only=True):
    """Whether shipped lifts last."""

    headline: str
    explanation: str
    tone: str
    holdbacks: list[HoldbackFact]
