"""The one shape of results: what the pipeline writes and what pages, API, e-mails and CSV read.

Shares, lifts and interval bounds are fractions (0.05 is 5 %). "Cannot be computed" is ``None`` with a reason in
``warnings``, never 0. An interval bound of ``None`` inside an interval means unbounded on that side.
"""

from datetime import date, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from analysis.results.chain import Chain
from analysis.results.designs import BanditResult, InterleavingResult, OffPolicyResult, SwitchbackResult
from analysis.results.tone import Interval as Interval
from analysis.results.tone import Tone as Tone

SCHEMA_VERSION = 1


class Reading(StrEnum):
    """What one comparison says, in words (STYLE: never by colour alone)."""

    BETTER = "Better"
    WORSE = "Worse"
    NO_CLEAR_CHANGE = "No clear change"
    TOO_EARLY = "Too early"
    NOT_TRUSTWORTHY = "Not trustworthy"


class VariantFact(Struct, frozen=True, kw_only=True):
    """A variant and how many units it has. ``expected_share`` is of the exposed units."""

    key: str
    name: str
    is_control: bool
    weight: int
    units: int
    expected_share: float
    share: float | None
    model_version: str | None = None
    offline_metric: str | None = None
    offline_value: float | None = None


class Beside(Struct, frozen=True, kw_only=True):
    """The same comparison made another way, at the same look: ``way`` is "unadjusted" or "uncapped"."""

    way: str
    value: float | None
    control_value: float | None
    difference: float | None
    difference_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    standard_error: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """One treatment against the control, treatment minus control; lift is T/C - 1.

    ``alpha`` is this comparison's share of the risk (intervals are at 1 - alpha), ``adjusted_p_value`` the p-value that
    compares with the whole. ``margin_crossed``: True when it is shown that the limit is crossed, False when it is shown
    that it is held, None when neither is (or there is no margin). ``size`` says how the change compares with the
    smallest that matters, where one is named. Where the experiment is read while it runs, ``boundary`` is how many
    standard errors the interval is wide on each side at this look, ``unbiased_difference`` the estimate that allows
    for having stopped here, and ``fixed_…`` are what one look alone would have said.
    ``watch_p_value`` is of a guardrail's alarm, which holds however often it is looked at: below ``watch_alpha``, its
    share of the alarms' own risk, the limit is crossed.
    ``jackknife_ratio`` is the standard error over hash buckets left out one by one, over the formula's: about 1.
    ``variance_reduction`` is the share of the difference's variance that the adjustment for the days before the
    exposure took away, None where nothing was adjusted; ``beside`` has the same unadjusted or uncapped.
    """

    variant: str
    control: str
    n: int
    control_n: int
    value: float | None
    control_value: float | None
    difference: float | None
    difference_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    reading: Reading
    margin_crossed: bool | None = None
    warnings: list[str] = []
    alpha: float = 0.05
    adjusted_p_value: float | None = None
    size: str | None = None
    boundary: float | None = None
    unbiased_difference: float | None = None
    fixed_p_value: float | None = None
    fixed_difference_interval: Interval | None = None
    fixed_lift_interval: Interval | None = None
    jackknife_ratio: float | None = None
    watch_p_value: float | None = None
    watch_alpha: float | None = None
    variance_reduction: float | None = None
    beside: list[Beside] = []


class Arm(Struct, frozen=True, kw_only=True):
    """What a metric's numbers follow from: a variant's moments over its ``n`` units that count.

    ``names`` says what a unit's numbers are: "value", or "numerator" and "denominator", and behind them what it did
    before its exposure and whether it was new then, where the metric is adjusted. ``means`` are over units,
    ``products`` the sums over units of (x - mean)(y - mean). A quantile is over events: its name is "quantile", and
    ``variance`` and ``degrees_of_freedom`` are of the estimate itself.
    """

    variant: str
    n: int
    names: list[str]
    means: list[float]
    products: list[list[float]] = []
    variance: float | None = None
    degrees_of_freedom: float | None = None


class MetricResult(Struct, frozen=True, kw_only=True):
    """A metric with one comparison a treatment. ``margin`` is the guardrail's, as a fraction of the control's value.

    ``definition`` says in one sentence what it counts, by its ``version``; ``notes`` what to know of how it was done.
    ``arms`` are the moments of each variant, ``uncapped`` the same without the cap, where there is one.
    """

    key: str
    name: str
    description: str
    kind: str
    role: str
    direction: str
    display_unit: str
    margin: float | None
    comparisons: list[Comparison]
    definition: str = ""
    version: int = 1
    notes: list[str] = []
    arms: list[Arm] = []
    uncapped: list[Arm] = []


class Check(Struct, frozen=True, kw_only=True):
    """A health check with its answer and what to do about it. ``ok`` is None while it cannot be said."""

    key: str
    name: str
    ok: bool | None
    summary: str
    what_to_do: str = ""


class Srm(Struct, frozen=True, kw_only=True):
    """The sample ratio mismatch test. ``sequential_p_value`` holds however often it is looked at."""

    p_value: float | None
    counts: dict[str, int]
    expected: dict[str, float]
    threshold: float
    sequential_p_value: float | None = None


class Health(Struct, frozen=True, kw_only=True):
    """Whether the numbers may be believed at all."""

    trustworthy: bool
    srm: Srm
    quarantined_units: int
    checks: list[Check]
    overridden_units: int = 0
    merged_units: int = 0
    merged_quarantined: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer: one sentence, one explanation, the rule's reasons."""

    decision: str
    tone: Tone
    headline: str
    explanation: str
    reasons: list[str]
    next_step: str


class EffectPoint(Struct, frozen=True, kw_only=True):
    """The effect as it stood at the end of a day, over all units enrolled by then."""

    day: date
    n: int
    control_n: int
    lift: float | None
    lift_interval: Interval | None
    difference: float | None
    difference_interval: Interval | None


class EffectSeries(Struct, frozen=True, kw_only=True):
    """A metric's effect over time for one treatment."""

    metric: str
    variant: str
    points: list[EffectPoint]
    alpha: float = 0.05


class ExposurePoint(Struct, frozen=True, kw_only=True):
    """How many units a variant enrolled on a day."""

    day: date
    variant: str
    units: int


class ExperimentFacts(Struct, frozen=True, kw_only=True):
    """The experiment as it was when the snapshot was made."""

    key: str
    name: str
    hypothesis: str
    unit_type: str
    status: str
    started_at: datetime
    stopped_at: datetime | None
    planned_days: int
    day: int
    currency: str


class Looks(Struct, frozen=True, kw_only=True):
    """How the plan lets the result be read, in one sentence and in numbers.

    ``look`` counts the daily looks of a group-sequential plan. ``until`` is the day of its last look, once that lies
    back: later units are not in the numbers.
    """

    plan: str
    sentence: str
    units: int
    planned_units: int | None = None
    look: int | None = None
    is_last: bool = False
    until: date | None = None


class TriggeredEffect(Struct, frozen=True, kw_only=True):
    """One metric on the units whose outputs differ, and what that is over all units (``diluted_…``).

    ``untouched_p_value`` compares the units whose outputs do not differ, which must show nothing; ``split_p_value`` is
    of the split of those whose outputs do. ``trustworthy`` is None where the checks cannot say.
    """

    metric: str
    name: str
    display_unit: str
    variant: str
    alpha: float
    difference: float | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None
    diluted_difference: float | None
    diluted_interval: Interval | None
    diluted_lift: float | None
    untouched_p_value: float | None
    split_p_value: float | None
    trustworthy: bool | None
    reason: str = ""


class TriggeredShare(Struct, frozen=True, kw_only=True):
    """The units whose app said that outputs differ (``units`` of the ``total`` that said anything), and the effects."""

    units: int
    total: int
    effects: list[TriggeredEffect]


class Results(Struct, frozen=True, kw_only=True):
    """Everything a results page, an e-mail or the API says about one experiment at one moment."""

    schema: int
    engine_version: str
    as_of: datetime
    data_up_to: datetime | None
    alpha: float
    experiment: ExperimentFacts
    variants: list[VariantFact]
    health: Health
    verdict: Verdict
    metrics: list[MetricResult]
    effect_over_time: list[EffectSeries]
    exposures_per_day: list[ExposurePoint]
    looks: Looks | None = None
    triggered: TriggeredShare | None = None
    off_policy: OffPolicyResult | None = None
    interleaving: InterleavingResult | None = None
    bandit: BanditResult | None = None
    switchback: SwitchbackResult | None = None
    chains: list[Chain] = []


def from_payload(payload: object) -> Results:
    """Read a stored payload back into ``Results``."""
    return msgspec.convert(payload, Results, strict=False)


def to_payload(results: Results) -> object:
    """Turn ``Results`` into what a JSON column holds."""
    return msgspec.to_builtins(results)
