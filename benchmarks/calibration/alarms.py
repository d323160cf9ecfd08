"""Guardrail alarms looked at many times a day: how often they ring falsely, and how soon where they should."""

from collections.abc import Iterator

import numpy as np

from analysis.decisions.alarm import ALARM_RISK, alarm_p_value
from analysis.decisions.inputs import MetricPlan
from analysis.stats.compare import compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.noninferiority import margin_test
from benchmarks.calibration.figures import Figure, at_most, scenario, seeded
from benchmarks.calibration.samples import Array
from experiments.domain.metrics import Direction, MetricKind, MetricRole

MARGIN = 0.05
DAYS, LOOKS_A_DAY, ARRIVALS = 14, 4, 180
"""Units a variant that enter between two looks: 10,080 in two weeks."""
PLAN = MetricPlan(
    key="g", name="g", kind=MetricKind.SUM, role=MetricRole.GUARDRAIL, margin=MARGIN, direction=Direction.DECREASE
)
LOOKS = DAYS * LOOKS_A_DAY


def _closed(random: np.random.Generator, factor: float) -> tuple[Array, Array, Array]:
    """Sums of units whose value is final when they are counted: (looks,) of n, sum and sum of squares."""
    values = np.exp(random.normal(3.0, 0.8, (LOOKS, ARRIVALS))) * factor
    return _counted(values.sum(axis=1), (values**2).sum(axis=1))


def _open(random: np.random.Generator, factor: float) -> tuple[Array, Array, Array]:
    """Sums of units that go on buying: a unit's total grows at every look after it entered, at a pace of its own."""
    units = LOOKS * ARRIVALS
    entered = np.repeat(np.arange(LOOKS), ARRIVALS)
    pace = random.gamma(0.5, 2.0, units) * 0.02
    totals, sums, squares = np.zeros(units), [], []
    for look in range(LOOKS):
        inside = entered <= look
        totals[inside] += random.poisson(pace[inside]) * factor
        sums.append(totals.sum())
        squares.append((totals**2).sum())
    n = (np.arange(LOOKS) + 1.0) * ARRIVALS
    return n, np.array(sums), np.array(squares)


def _counted(sums: Array, squares: Array) -> tuple[Array, Array, Array]:
    return (np.arange(LOOKS) + 1.0) * ARRIVALS, sums.cumsum(), squares.cumsum()


def _moments(sums: tuple[Array, Array, Array], look: int) -> Moments:
    n, total, squares = (one[look] for one in sums)
    mean = total / n
    return Moments(n=int(n), mean=np.array([mean]), comoment=np.array([[squares - n * mean**2]]))


def _rang(control: tuple[Array, Array, Array], treatment: tuple[Array, Array, Array]) -> tuple[int | None, bool]:
    """Return the first look at which the alarm rings, and whether a test at its own level would have rung at any."""
    naive = False
    for look in range(LOOKS):
        made = compare(Form.MEAN, _moments(control, look), _moments(treatment, look), 0.05)
        p = alarm_p_value(PLAN, made, ALARM_RISK)
        if p is None:
            continue
        if p < ALARM_RISK:
            return look, True  # its boundary lies beyond that of one look
        if not naive:
            test = margin_test(made.control, made.treatment, MARGIN, higher_is_better=False)  # type: ignore[arg-type]
            naive = test.p_crossed < ALARM_RISK  # type: ignore[union-attr]
    return None, naive


@scenario
def guardrail_alarm() -> Iterator[Figure]:
    runs = 300
    for name, sample, unit in (
        ("skewed values, final when counted", _closed, "final"),
        ("values that grow for two weeks", _open, "growing"),
    ):
        random = seeded(f"alarm {unit}")
        rings = [_rang(sample(random, 1.0), sample(random, 1.0 + MARGIN)) for _ in range(runs)]
        row = {"method": "Guardrail alarm", "scenario": f"exactly at the limit, {name}, {LOOKS} looks", "runs": runs}
        false = sum(first is not None for first, _ in rings) / runs
        yield Figure(**row, what="rings", measured=false, **at_most(ALARM_RISK, runs))
        if unit == "final":
            naive = sum(rung for _, rung in rings) / runs
            yield Figure(**row, what="one look's test rings", measured=naive, low=5 * ALARM_RISK, control=True)


@scenario
def guardrail_alarm_delay() -> Iterator[Figure]:
    runs, random = 100, seeded("alarm delay")
    firsts = [_rang(_closed(random, 1.0), _closed(random, 1.25))[0] for _ in range(runs)]
    row = {"method": "Guardrail alarm", "scenario": "25 % worse with a limit of 5 %, 1,440 units a day", "runs": runs}
    missed = sum(first is None for first in firsts) / runs
    yield Figure(**row, what="never rings in 14 days", measured=missed, high=0.0)
    days = np.median([first / LOOKS_A_DAY for first in firsts if first is not None])
    yield Figure(**row, what="days until it rings, median", measured=float(days), high=2.0)
