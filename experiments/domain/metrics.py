"""What a metric is: how events of one unit become that unit's number, and how units become a mean."""

from enum import StrEnum


class MetricKind(StrEnum):
    """How a metric is formed from a unit's events after its exposure.

    proportion: did the unit send the event at all (0 or 1); mean over units.
    count: how many such events the unit sent; mean over units.
    sum: total of a property over the unit's events, refunds subtracted; mean over units.
    ratio: total events (or property) over total events (or property); ratio of means (delta method).
    mean: total of a property over number of events that carry it; ratio of means (delta method).
    retention: did the unit send the event inside a window that begins later; mean over units whose window is over.
    quantile: a quantile of a property over all events, clustered by unit.
    distinct: how many different values of a property the unit had; mean over units.
    funnel: did the unit do all steps in order; mean over units.
    """

    PROPORTION = "proportion"
    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    RATIO = "ratio"
    RETENTION = "retention"
    QUANTILE = "quantile"
    DISTINCT = "distinct"
    FUNNEL = "funnel"
    AVERAGE = "mean"

    @classmethod
    def _missing_(cls, value: object) -> "MetricKind | None":
        """Take a mean by the name that it had before: programs still send it."""
        return cls.MEAN if value == "average" else None


class MetricRole(StrEnum):
    """What a metric is for in one experiment."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"
    SECONDARY = "secondary"


class StandsFor(StrEnum):
    """What a metric stands for on the way from a model to the business.

    proxy: moves first and only stands in (clicks). business: what the company lives on (purchases, revenue).
    neither: something else, such as latency.
    """

    PROXY = "proxy"
    BUSINESS = "business"
    NEITHER = "neither"


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
