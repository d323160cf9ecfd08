"""Every kind of metric under any schedule of arrivals: late, doubled, out of order, before their exposure."""

from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis import covariates, crossing, moments
from analysis.counted import of_plan
from analysis.covariates import Moment
from analysis.models import CrossRule, Enrolment, UnitBefore, UnitDay, UnitFunnel, UnitValue
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind as K
from experiments.domain.metrics import MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.analysis.pipeline.conftest import empty_tables
from tests.analysis.pipeline.test_fold_oracle import HOUR, STOP, Arrival, arrive, order
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
DAY_BEFORE = 24
NOT_THE_LAST = date(9999, 12, 30)
ABOVE_1 = [{"property": "value", "operator": ">", "value": 1}]
STEPS = [{"event": "Search", "filters": []}, {"event": "Order", "filters": []}, {"event": "Order", "filters": ABOVE_1}]


def number(raw):
    return None if raw in (None, "x") else float(raw)


def above_1(raw):
    return number(raw) is not None and number(raw) > 1


def one(event, *, top=None, below=None, reads=False, sign=1, meets=lambda raw: True):
    """A term: what an event adds to numerator and denominator, and whether a missing number is counted."""
    return event, top, below, reads, sign, meets


COUNTS, VALUE, CARRIES = (lambda raw: 1), (lambda raw: number(raw) or 0), (lambda raw: int(number(raw) is not None))
METRICS = {
    "big": ({"kind": K.COUNT, "filters": ABOVE_1, "minimum_hours": 30}, [one("Order", top=COUNTS, meets=above_1)]),
    "windowed": (
        {"kind": K.SUM, "property": "value", "delay_hours": 10, "window_hours": 20, "cap_value": 2},
        [one("Order", top=VALUE, reads=True)],
    ),
    "net": (
        {"kind": K.SUM, "property": "value", "refund_event": "Search", "refund_property": "value", "cap_share": 9000},
        [one("Order", top=VALUE, reads=True), one("Search", top=VALUE, reads=True, sign=-1)],
    ),
    "share": (
        {"kind": K.RATIO, "property": "value", "denominator_event": "Order", "denominator_property": "value",
         "denominator_filters": ABOVE_1},
        [one("Order", top=VALUE, reads=True), one("Order", below=VALUE, reads=True, meets=above_1)],
    ),
    "back": ({"kind": K.RETENTION, "delay_hours": 20, "window_hours": 20}, [one("Order", top=COUNTS)]),
    "p50": (
        {"kind": K.QUANTILE, "property": "value", "level": 5000},
        [one("Order", top=VALUE, below=CARRIES, reads=True)],
    ),
    "kinds": ({"kind": K.DISTINCT, "property": "value"}, []),
    "funnel": ({"kind": K.FUNNEL, "steps": STEPS, "window_hours": 60}, []),
}  # fmt: skip
WINDOWS = {"windowed": (10, 30), "back": (20, 40), "funnel": (0, 60)}

units = st.sampled_from(["a", "b"])
hours = st.sampled_from(range(-30, STOP + 11, 10))
exposures = st.builds(Arrival, units, hours, st.sampled_from(["control", "treatment"]))
events = st.builds(
    Arrival, units, hours, st.sampled_from(["Order", "Search"]), st.sampled_from([1, 2.5, -0.1, "3", "x", None])
)
schedules = st.lists(
    st.tuples(st.one_of(exposures, events, events, events), st.integers(0, 4)), min_size=1, max_size=25
)


def oracle(arrivals):
    """Return {(metric, unit, day): [numerator, denominator, missing]} and the like for before, values and steps."""
    first = {}
    for a in sorted((a for a in arrivals if a.what in ("control", "treatment") and 0 <= a.hour <= STOP), key=order):
        first.setdefault(a.unit, a.hour)
    days, before = defaultdict(lambda: [0.0, 0.0, 0]), defaultdict(lambda: [0.0, 0.0])
    values, steps, seen = defaultdict(int), {}, {}
    for a in sorted(arrivals, key=order):
        if a.unit not in first or a.hour > STOP or a.what not in ("Order", "Search"):
            continue
        since, day = a.hour - first[a.unit], (T0 + a.hour * HOUR).date()
        for name, (_, terms) in METRICS.items():
            low, high = WINDOWS.get(name, (0, 10**6))
            for event, top, below, reads, sign, meets in terms:
                if event == a.what and meets(a.value):
                    add = None
                    if low <= since < high:
                        add = days[name, a.unit, day]
                        add[2] += reads and number(a.value) is None
                    elif -DAY_BEFORE <= since < 0 and name != "p50":
                        add = before[name, a.unit]
                    if add is not None:
                        add[0] += sign * (top(a.value) if top else 0)
                        add[1] += below(a.value) if below else 0
        if a.what == "Order" and since >= 0:
            if number(a.value) is not None:
                values["p50", a.unit, day, number(a.value)] += 1
            if a.value is not None:
                values["kinds", a.unit, day, str(a.value)] += 1
                seen.setdefault((a.unit, str(a.value)), day)
        if -DAY_BEFORE <= since < 0 and a.what == "Order":
            before["kinds", a.unit][0] += 1
            if above_1(a.value):
                before["funnel", a.unit][0] += 1
        if 0 <= since < 60:
            reached = steps.setdefault(a.unit, []) if any(meets_step(a, k) for k in range(3)) else steps.get(a.unit, [])
            if len(reached) < 3 and meets_step(a, len(reached)) and (not reached or a.hour > reached[-1]):
                reached.append(a.hour)
    for (unit, _), day in seen.items():
        days["kinds", unit, day][0] += 1
    for unit, reached in steps.items():
        if len(reached) == 3:
            days["funnel", unit, (T0 + reached[2] * HOUR).date()][0] = 1
    return {"days": dict(days), "before": dict(before), "values": dict(values), "steps": steps}


def meets_step(a, step):
    return a.what == STEPS[step]["event"] and (step < 2 or above_1(a.value))


def build():
    home = builders.project()
    made = builders.experiment(home, status=Status.STOPPED, stopped_at=T0 + STOP * HOUR, adjusted=True)
    for position, (name, (parts, _)) in enumerate(METRICS.items()):
        metric = builders.metric(home, name, event="Order", covariate_days=1, **parts)
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=position)
    return made


def state(experiment):
    of = {"experiment": experiment}
    days = UnitDay.objects.filter(**of).select_related("metric")
    values = UnitValue.objects.filter(**of).select_related("metric")
    return {
        "days": {
            (r.metric.key, r.unit, r.day): [float(r.numerator), float(r.denominator), r.missing] for r in days
        },
        "before": {
            (r.metric.key, r.unit): [float(r.numerator), float(r.denominator)]
            for r in UnitBefore.objects.filter(**of).select_related("metric")
        },
        "values": {
            (r.metric.key, r.unit, r.day, float(r.value) if r.metric.key == "p50" else hashed(r.value)): r.events
            for r in values
        },
        "steps": {
            r.unit: [int((at - T0) / HOUR) for at in r.reached] for r in UnitFunnel.objects.filter(**of)
        },
    }  # fmt: skip


def hashed(value):
    import hashlib

    by_hash = {}
    for text in ("1", "2.5", "-0.1", "3", "x"):
        raw = int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16], 16)
        by_hash[raw - 2**64 if raw >= 2**63 else raw] = text
    return by_hash[int(value)]


BEHIND = [
    (Arrival("a", 0, "control"), 0), (Arrival("a", 20, "Search"), 0), (Arrival("a", 40, "Order", "3"), 0),
    (Arrival("a", 10, "Order", 2.5), 0), (Arrival("a", 0, "Search"), 0), (Arrival("a", 30, "Order", "x"), 1),
    (Arrival("a", -10, "Order", 2.5), 0),
]  # fmt: skip


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules, duplicated=st.booleans(), chunk=st.integers(1, 5))
@example(schedule=BEHIND, duplicated=False, chunk=1)
def test_fold__every_kind_under_any_schedule__equals_the_oracle_and_the_recompute(schedule, duplicated, chunk):
    assert_equal_to_the_oracle(schedule, duplicated, chunk)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules, duplicated=st.booleans(), chunk=st.integers(1, 5))
def test_fold__every_kind_under_many_schedules__equals_the_oracle_and_the_recompute(schedule, duplicated, chunk):
    assert_equal_to_the_oracle(schedule, duplicated, chunk)


def assert_equal_to_the_oracle(schedule, duplicated, chunk):
    empty_tables()
    experiment = build()
    for index, (arrival, then) in enumerate(schedule):
        for _ in range(2 if duplicated else 1):
            arrive(experiment, arrival, f"m{index}")
        if then == 0:
            fold(chunk_events=chunk)
            moments.keep(experiment)
            crossing.begin(experiment)
    fold(chunk_events=chunk)
    expected, found = oracle([arrival for arrival, _ in schedule]), state(experiment)
    for part in ("days", "before"):
        assert {key: pytest.approx(row) for key, row in expected[part].items()} == found[part], part
    assert (expected["values"], expected["steps"]) == (found["values"], found["steps"])
    assert check([experiment]).differences == []
    for hour in (0, 20, 25, 30, 47, 60, 200):  # windows end before it, at it, later on its day, and after it
        horizon = T0 + hour * HOUR
        assert moments.collect(experiment, horizon) == moments.collect(experiment, horizon, scan=True)
        assert_crosses_agree(experiment, horizon)


def assert_crosses_agree(experiment, horizon):
    """What adjusted results are made from is the same from the sums that are kept and from all units."""
    adjusted = [one for one in of_plan(experiment) if one.adjusted]
    kept = crossing.collect(experiment, adjusted, {}, horizon)
    everyone = covariates.collect(experiment, adjusted, {}, Moment(horizon=horizon, until=NOT_THE_LAST))
    rules = set(CrossRule.objects.filter(experiment=experiment).values_list("metric_id", flat=True))
    assert set(kept) == {(metric, variant) for metric, variant in everyone if metric in rules}
    for key, found in kept.items():
        assert found.n == everyone[key].n
        assert found.mean == pytest.approx(everyone[key].mean, abs=1e-12)
        assert found.comoment == pytest.approx(everyone[key].comoment, abs=1e-9)


def test_check__a_row_of_each_table_that_is_wrong__is_found():
    experiment = build()
    for arrival, _ in BEHIND:
        arrive(experiment, arrival, f"{arrival}")
    fold()
    assert check([experiment]).differences == []
    UnitBefore.objects.filter(unit="a").update(numerator=7)
    UnitValue.objects.filter(unit="a").update(events=9)
    UnitFunnel.objects.filter(unit="a").update(reached=[T0])
    said = {difference.what.split(" ", 2)[2].split(" ")[0] for difference in check([experiment]).differences}
    assert said == {"before", "value", "steps"}
    assert Enrolment.objects.get().first_at == T0 + timedelta(0)
