"""What serving a model must not make worse: metrics that every model experiment watches, from one event of the app."""

from dataclasses import dataclass

from experiments.domain.definitions import Definition
from experiments.domain.filters import Filter, Operator
from experiments.domain.metrics import DisplayUnit, MetricKind

EVENT = "Model Answered"
"""What an app sends for a model's answer: ``outcome`` (ok, error, timeout, fallback), ``latency_ms``, ``cost``."""
LATENCY, OUTCOME, COST = "latency_ms", "outcome", "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingMetric:
    """A metric of serving. ``margin`` is what it may grow by at most, in ten-thousandths of the control's value."""

    key: str
    name: str
    definition: Definition
    unit: DisplayUnit
    margin: int


def _latency(level: int, margin: int) -> ServingMetric:
    short = f"p{level // 100}"
    return ServingMetric(
        key=f"model-latency-{short}", name=f"Model latency {short}", unit=DisplayUnit.MILLISECONDS, margin=margin,
        definition=Definition(kind=MetricKind.QUANTILE, event=EVENT, property=LATENCY, level=level),
    )  # fmt: skip


def _share(key: str, name: str, *outcomes: str) -> ServingMetric:
    chosen = Filter(property=OUTCOME, operator=Operator.IN, value=outcomes)
    return ServingMetric(
        key=key, name=name, unit=DisplayUnit.PERCENT, margin=1000,
        definition=Definition(kind=MetricKind.RATIO, event=EVENT, filters=(chosen,), denominator_event=EVENT),
    )  # fmt: skip


SERVING: tuple[ServingMetric, ...] = (
    _latency(5000, 500),
    _latency(9500, 500),
    _latency(9900, 1000),
    _share("model-failures", "Model errors and time-outs", "error", "timeout"),
    _share("model-fallbacks", "Model fallbacks", "fallback"),
    ServingMetric(
        key="model-cost", name="Cost of a model's answer", unit=DisplayUnit.CURRENCY, margin=1000,
        definition=Definition(kind=MetricKind.MEAN, event=EVENT, property=COST),
    ),
)  # fmt: skip
"""The tail may grow twice as far as the rest: few answers lie there, and its interval is wider."""
