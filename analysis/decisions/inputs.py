"""What the decision needs to know, free of any table or clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from analysis.stats.estimates import Estimate
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole, StandsFor


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """A metric as the experiment's plan uses it.

    ``margin`` is a guardrail's limit as a fraction of the control's value (.02 is 2 %). ``event`` is the event that the
    metric counts. ``stands_for`` says whether the metric only stands in for the business (a click for a purchase) or is
    the business; None leaves that to the words in the metric's name and event. ``declared_late``: said after the start.
    ``matters`` is the smallest change, as a fraction of the control's value, that is worth acting on; None where nobody
    named one. ``definition`` is what it counts in one sentence, by its ``version``; ``notes`` is what a reader must
    know of how it was counted.
    """

    key: str
    name: str
    kind: MetricKind
    role: MetricRole
    direction: Direction = Direction.INCREASE
    display_unit: DisplayUnit = DisplayUnit.NUMBER
    margin: float | None = None
    description: str = ""
    event: str = ""
    stands_for: StandsFor | None = None
    declared_late: bool = False
    matters: float | None = None
    definition: str = ""
    version: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInput:
    """A metric with its moments a variant key, over all units that are not quarantined.

    k = 1 where a unit has one value (of a share each unit's value is at most 1); k = 2 (numerator, denominator) for
    ratio and mean. Units without any event are in as zeros. A variant that is missing has no unit.

    Attributes:
        plan: the metric.
        moments: a variant key; with the cap, where there is one.
        covariates: moments of (value, covariates) a variant key, where the plan adjusts; the first covariate of a ratio
            is a pair.
        uncapped: as ``moments`` without the cap, where there is one.
        estimates: a variant key, of a quantile; its moments decide nothing.
        looked: units that counted for it at each look of a plan, and now, where not all units count yet.
    """

    plan: MetricPlan
    moments: Mapping[str, Moments]
    covariates: Mapping[str, Moments] = field(default_factory=dict)
    uncapped: Mapping[str, Moments] = field(default_factory=dict)
    estimates: Mapping[str, Estimate | NotComputable] = field(default_factory=dict)
    looked: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineFact:
    """How good a model version looked offline; ``low`` and ``high`` are its 95 % interval."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    evaluation_set: str = ""
    direction: Direction = Direction.INCREASE


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFact:
    """A treatment's version against the control's on the same examples: new minus old with its 95 % interval.

    ``changed`` is the share of examples whose prediction changed at all.
    """

    name: str
    evaluation_set: str
    old: float
    new: float
    low: float
    high: float
    changed: float
    examples: int
    direction: Direction = Direction.INCREASE


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCount:
    """A variant and its units (quarantined ones left out).

    ``offline`` are its model version's offline metrics, the one that speaks for it first.
    """

    key: str
    name: str
    is_control: bool
    weight: int
    units: int
    model_version: str | None = None
    offline: tuple[OfflineFact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The experiment's circumstances at the moment of the reading; all times aware.

    ``data_up_to`` is how far the log has been read; ``exposures_per_day`` counts new units on each UTC day (the gap
    check is left out when it is empty); ``split_per_day`` counts them by variant key as well, for the test of the split
    while the experiment runs. ``unreadable_values`` counts, by a metric's name, events whose property was no number.
    ``launch`` names what has shipped, where the experiment is its holdback: then there is nothing left to decide.
    """

    experiment_name: str
    unit_type: str
    started_at: datetime | None
    stopped_at: datetime | None
    planned_days: int
    as_of: datetime
    data_up_to: datetime | None
    quarantined_units: int = 0
    overridden_units: int = 0
    merged_units: int = 0
    merged_quarantined: int = 0
    currency: str = "EUR"
    exposures_per_day: Mapping[date, int] = field(default_factory=dict)
    split_per_day: Mapping[date, Mapping[str, int]] = field(default_factory=dict)
    unreadable_values: Mapping[str, int] = field(default_factory=dict)
    launch: str = ""
