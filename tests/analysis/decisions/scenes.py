"""Experiments as the decision sees them: defaults that ship, and one knob for each thing that can go wrong."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from analysis.decisions.inputs import MetricInput, MetricPlan, Situation, VariantCount
from analysis.decisions.readout import Readout, read_out
from analysis.results.schema import Comparison
from analysis.stats.looks import Looking
from analysis.stats.moments import Moments, proportion_moments
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
N = 20_000


def means(n: int, mean: float, sd: float) -> Moments:
    """Moments of n units with this mean and sample standard deviation, without skew."""
    return Moments(n=n, mean=np.array([float(mean)]), comoment=np.array([[sd**2 * max(0, n - 1)]]), third=np.zeros(1))


def purchases(
    control: float = 0.05, treatment: float = 0.056, *, role: MetricRole = MetricRole.PRIMARY, n: int = N
) -> MetricInput:
    """A purchase rate: by default better."""
    plan = MetricPlan(
        key="purchase-rate",
        name="Purchase rate",
        kind=MetricKind.PROPORTION,
        role=role,
        display_unit=DisplayUnit.PERCENT,
        event="Order Completed",
    )
    rates = {"control": control, "treatment": treatment}
    return MetricInput(plan=plan, moments={key: proportion_moments(n, round(rate * n)) for key, rate in rates.items()})


def clicks(
    control: float = 0.30, treatment: float = 0.33, *, role: MetricRole = MetricRole.SECONDARY, n: int = N
) -> MetricInput:
    """A click rate: by default better by 10 %."""
    plan = MetricPlan(
        key="ctr",
        name="Clicks",
        kind=MetricKind.PROPORTION,
        role=role,
        display_unit=DisplayUnit.PERCENT,
        event="Product Clicked",
    )
    rates = {"control": control, "treatment": treatment}
    return MetricInput(plan=plan, moments={key: proportion_moments(n, round(rate * n)) for key, rate in rates.items()})


def revenue(
    control: float = 10.0,
    treatment: float = 10.6,
    sd: float = 10.0,
    *,
    role: MetricRole = MetricRole.PRIMARY,
    n: int = N,
) -> MetricInput:
    """Revenue per user: by default better by 6 %."""
    plan = MetricPlan(
        key="revenue",
        name="Revenue per user",
        kind=MetricKind.SUM,
        role=role,
        display_unit=DisplayUnit.CURRENCY,
        event="Order Completed",
    )
    return MetricInput(plan=plan, moments={"control": means(n, control, sd), "treatment": means(n, treatment, sd)})


def latency(control: float = 200.0, treatment: float = 200.2, sd: float = 50.0, *, margin: float = 0.02) -> MetricInput:
    """A guardrail where lower is better: by default shown to stay within its limit of +2 %."""
    plan = MetricPlan(
        key="latency",
        name="Latency",
        kind=MetricKind.AVERAGE,
        role=MetricRole.GUARDRAIL,
        direction=Direction.DECREASE,
        display_unit=DisplayUnit.MILLISECONDS,
        margin=margin,
    )

    def pair(mean: float) -> Moments:
        one = means(N, mean, sd)
        comoment = np.zeros((2, 2))
        comoment[0, 0] = one.comoment[0, 0]
        return Moments(n=N, mean=np.array([mean, 1.0]), comoment=comoment)

    return MetricInput(plan=plan, moments={"control": pair(control), "treatment": pair(treatment)})


@dataclass(kw_only=True)
class Scene:
    """An experiment that ran as planned, with two variants of 20,000 users."""

    metrics: list[MetricInput] = field(default_factory=lambda: [revenue(), latency()])
    units: tuple[int, ...] = (N, N)
    weights: tuple[int, ...] = (5000, 5000)
    names: tuple[str, ...] = ("Control", "Treatment", "Variant C")
    keys: tuple[str, ...] = ("control", "treatment", "c")
    model_version: str | None = "ranker v8"
    experiment_name: str = "New ranker"
    day: float = 14
    planned_days: int = 14
    stopped: bool = True
    started: bool = True
    quarantined: int = 0
    stale: timedelta = timedelta(0)
    alpha: float = 0.05
    exposures_per_day: dict[date, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    looking: Looking | None = None
    launch: str = ""

    def read(self) -> Readout:
        end = T0 + timedelta(days=self.day)
        situation = Situation(
            experiment_name=self.experiment_name,
            unit_type="user",
            started_at=T0 if self.started else None,
            stopped_at=end if self.stopped else None,
            planned_days=self.planned_days,
            as_of=end,
            data_up_to=end - self.stale,
            quarantined_units=self.quarantined,
            currency="EUR",
            exposures_per_day=self.exposures_per_day,
            unreadable_values=self.unreadable,
            launch=self.launch,
        )
        variants = [
            VariantCount(
                key=key,
                name=name,
                is_control=key == "control",
                weight=weight,
                units=units,
                model_version=None if key == "control" else self.model_version,
            )
            for key, name, weight, units in zip(self.keys, self.names, self.weights, self.units, strict=False)
        ]
        return read_out(situation, variants, self.metrics, self.alpha, looking=self.looking)


def comparison(readout: Readout, metric: str, treatment: int = 0) -> Comparison:
    return next(one for one in readout.metrics if one.key == metric).comparisons[treatment]


def with_third(metric: MetricInput, third: Moments) -> MetricInput:
    """The metric with a second treatment "c"."""
    return MetricInput(plan=metric.plan, moments={**metric.moments, "c": third})
