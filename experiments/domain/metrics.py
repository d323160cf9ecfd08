"""What a metric is: how events of one unit become that unit's number, and how units become a mean."""

from enum import StrEnum


class MetricKind(StrEnum):
    """How a metric is formed from a unit's events after its exposure.

    proportion: did the unit send the event at all (0 or 1); mean over units.
    count: how many such events the unit sent; mean over units.
    sum: total of a property over the unit's events; mean over units.
    ratio: total events (or property) over total denominator events; ratio of means (delta method).
    average: total of a property over number of events that carry it; ratio of means (delta method).
    """

    PROPORTION = "proportion"
    COUNT = "count"
    SUM = "sum"
    RATIO = "ratio"
    AVERAGE = "average"


class MetricRole(StrEnum):
    """What a metric is for in one experiment."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"
    SECONDARY = "secondary"


class Direction(StrEnum):
    """Which way is good. It colours the reading and never the arithmetic."""

    INCREASE = "increase"
    DECREASE = "decrease"


class DisplayUnit(StrEnum):
    """How a metric's values are written."""

    PERCENT = "percent"
    NUMBER = "number"
    CURRENCY = "currency"
    MILLISECONDS = "milliseconds"
