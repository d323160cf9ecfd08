"""A metric's definition as one value: what it reads, of which events, when, and up to how much."""

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from experiments.domain import filters as conditions
from experiments.domain.filters import Filter
from experiments.domain.metrics import MetricKind
from experiments.domain.shares import WHOLE

LONGEST_EVENT = 128
MOST_HOURS = 24 * 365
MOST_STEPS = 6
MOST_COVARIATE_DAYS = 90
COVARIATE_DAYS = 14
"""Two whole weeks: long enough to hold a unit's habits, short enough to be about it as it is now."""
LEAST_CAP_SHARE = WHOLE // 2

K = MetricKind
NEEDS_PROPERTY = (K.SUM, K.MEAN, K.QUANTILE, K.DISTINCT)
MAY_HAVE_PROPERTY = (*NEEDS_PROPERTY, K.RATIO)
RATIOS = (K.RATIO, K.MEAN)
"""Total over total: two numbers a unit."""
BOUNDED = (K.PROPORTION, K.RETENTION, K.FUNNEL)
"""A unit is 0 or 1."""
CAPPED = (K.COUNT, K.SUM, K.DISTINCT)
"""One total a unit, without an upper end."""
UNADJUSTED = (K.QUANTILE,)
"""No covariate: a quantile is no mean over units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """One step of a funnel: an event that meets the filters."""

    event: str
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Everything that a metric's number depends on.

    Attributes:
        kind: how units' events become a number.
        event, property, filters: what is counted or added up; of a funnel, its last step.
        denominator_event, denominator_property, denominator_filters: what a ratio divides by.
        refund_event, refund_property: what is subtracted from a sum.
        steps: of a funnel, in order, the last one included.
        level: of a quantile, in ten-thousandths: 9500 is p95.
        delay_hours, window_hours: the window [delay, delay + window) after a unit's first exposure in which events
            count; None is without end. A unit counts once its window is over.
        minimum_hours: a unit counts once it has been in for so long.
        cap_value: the most that one unit can add; ``cap_share``: the same as a percentile of all units' totals, in
            ten-thousandths.
        covariate_days: before a unit's first exposure, over which the same number is its covariate; 0 is none.
    """

    kind: MetricKind
    event: str
    property: str = ""
    filters: tuple[Filter, ...] = ()
    denominator_event: str = ""
    denominator_property: str = ""
    denominator_filters: tuple[Filter, ...] = ()
    refund_event: str = ""
    refund_property: str = ""
    steps: tuple[FunnelStep, ...] = ()
    level: int | None = None
    delay_hours: int = 0
    window_hours: int | None = None
    minimum_hours: int = 0
    cap_value: Decimal | None = None
    cap_share: int | None = None
    covariate_days: int = COVARIATE_DAYS

    @builtins.property
    def is_ratio(self) -> bool:
        """Say whether a unit has two numbers, of which one is divided by the other."""
        return self.kind in RATIOS

    @builtins.property
    def is_bounded(self) -> bool:
        """Say whether a unit is 0 or 1."""
        return self.kind in BOUNDED

    @builtins.property
    def is_capped(self) -> bool:
        """Say whether a unit's total has an upper end."""
        return self.cap_value is not None or self.cap_share is not None

    @builtins.property
    def matures_hours(self) -> int:
        """Return how long after its first exposure a unit counts: when its window is over and it has been in enough."""
        return max(self.minimum_hours, self.delay_hours + (self.window_hours or 0))

    @builtins.property
    def events(self) -> tuple[str, ...]:
        """Return the names of all events that it listens to, each once."""
        named = (*(step.event for step in self.steps), self.event, self.denominator_event, self.refund_event)
        return tuple(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with one field of a definition."""

    field: str
    message: str


def trimmed(given: Definition) -> Definition:
    """Return the definition without what its kind does not use, and a funnel's event from its last step."""
    unused: dict[str, Any] = {name: _default(name) for name in _unused(given)}
    if given.kind is K.FUNNEL and given.steps:
        unused["event"] = given.steps[-1].event
        unused["filters"] = given.steps[-1].filters
    return replace(given, **unused)


def _default(name: str) -> Any:
    return next(one.default for one in fields(Definition) if one.name == name)


def _unused(given: Definition) -> Iterator[str]:
    if given.kind not in MAY_HAVE_PROPERTY:
        yield "property"
    if given.kind is not K.RATIO:
        yield from ("denominator_event", "denominator_property", "denominator_filters")
    if given.kind is not K.SUM:
        yield from ("refund_event", "refund_property")
    if given.kind is not K.FUNNEL:
        yield "steps"
    if given.kind is not K.QUANTILE:
        yield "level"
    if given.kind not in CAPPED:
        yield from ("cap_value", "cap_share")


def flaws(given: Definition) -> list[Flaw]:
    """Return everything that keeps a definition from being counted."""
    return [
        *_unused_flaws(given),
        *_event_flaws(given),
        *_filter_flaws(given),
        *_step_flaws(given),
        *_time_flaws(given),
        *_number_flaws(given),
    ]


def _unused_flaws(given: Definition) -> Iterator[Flaw]:
    for name in _unused(given):
        if getattr(given, name) != _default(name):
            yield Flaw(field=name, message=f"A metric of the kind {given.kind.value} has no {name.replace('_', ' ')}.")


def _event_flaws(given: Definition) -> Iterator[Flaw]:
    if given.kind is not K.FUNNEL and not given.event.strip():
        yield Flaw(field="event", message="Name the event that it counts.")
    if given.kind in NEEDS_PROPERTY and not given.property.strip():
        yield Flaw(field="property", message=f"Name the property to {PROPERTY_USES[given.kind]}.")
    if given.kind is K.RATIO and not given.denominator_event.strip():
        yield Flaw(field="denominator_event", message="Name the event to divide by.")
    if bool(given.refund_event.strip()) != bool(given.refund_property.strip()):
        missing = "refund_property" if given.refund_event.strip() else "refund_event"
        yield Flaw(field=missing, message="Name both the event of a refund and the property with its amount.")
    if given.refund_event and given.refund_event == given.event:
        yield Flaw(field="refund_event", message="A refund is another event than the one that is totalled.")


PROPERTY_USES = {
    K.SUM: "total",
    K.MEAN: "average",
    K.QUANTILE: "take the quantile of",
    K.DISTINCT: "count the values of",
}


def _filter_flaws(given: Definition) -> Iterator[Flaw]:
    lists = [("filters", given.filters), ("denominator_filters", given.denominator_filters)]
    lists += [("steps", step.filters) for step in given.steps]
    for name, chosen in lists:
        if len(chosen) > conditions.MOST_FILTERS:
            yield Flaw(field=name, message=f"There are {len(chosen)} filters; at most {conditions.MOST_FILTERS} fit.")
        for one in chosen:
            if said := conditions.problem(one):
                yield Flaw(field=name, message=said)


def _step_flaws(given: Definition) -> Iterator[Flaw]:
    if given.kind is not K.FUNNEL:
        return
    if not 2 <= len(given.steps) <= MOST_STEPS:
        yield Flaw(field="steps", message=f"A funnel has 2 to {MOST_STEPS} steps; this one has {len(given.steps)}.")
    if any(not 0 < len(step.event.strip()) <= LONGEST_EVENT for step in given.steps):
        yield Flaw(field="steps", message=f"Each step names an event, in at most {LONGEST_EVENT} characters.")


def _time_flaws(given: Definition) -> Iterator[Flaw]:
    for name in ("delay_hours", "minimum_hours"):
        if not 0 <= getattr(given, name) <= MOST_HOURS:
            yield Flaw(field=name, message="Give a time between nothing and one year.")
    if given.window_hours is not None and not 1 <= given.window_hours <= MOST_HOURS:
        yield Flaw(field="window_hours", message="A window is one hour to one year long.")
    if given.kind is K.RETENTION and given.window_hours is None:
        yield Flaw(field="window_hours", message="Say how long the window is in which units must come back.")
    if not 0 <= given.covariate_days <= MOST_COVARIATE_DAYS:
        yield Flaw(field="covariate_days", message=f"Give 0 to {MOST_COVARIATE_DAYS} days; 0 is without.")


def _number_flaws(given: Definition) -> Iterator[Flaw]:
    if given.kind is K.QUANTILE and (given.level is None or not 0 < given.level < WHOLE):
        yield Flaw(field="level", message="Choose the quantile, between p0.01 and p99.99.")
    if given.cap_value is not None and given.cap_share is not None:
        yield Flaw(field="cap_value", message="Cap at an amount or at a percentile, not at both.")
    if given.cap_value is not None and not 0 < given.cap_value < Decimal(10) ** 18:
        yield Flaw(field="cap_value", message="The cap is an amount above 0.")
    if given.cap_share is not None and not LEAST_CAP_SHARE <= given.cap_share < WHOLE:
        yield Flaw(field="cap_share", message="A cap is between the 50th and the 99.99th percentile.")
