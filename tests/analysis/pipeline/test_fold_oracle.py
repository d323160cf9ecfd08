"""Any schedule of arrivals, in any chunks, gives what ten lines of Python say about the whole log at once."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import moments
from analysis.models import Enrolment, UnitDay, UnitScore
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from analysis.stats.moments import Moments
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.analysis.pipeline.conftest import empty_tables
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
KINDS = [MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.SUM, MetricKind.RATIO, MetricKind.AVERAGE]
STOP = 60


@dataclass(frozen=True)
class Arrival:
    unit: str
    hour: int  # of the event itself, so the order of arrival is any
    what: str  # a variant's key for an exposure, else an event's name
    value: float | str | None = None


units = st.sampled_from(["a", "b", "c"])
hours = st.sampled_from(range(-10, STOP + 11, 10))  # few, so that events meet exposures, start and stop to the second
exposures = st.builds(
    Arrival, units, hours, st.sampled_from(["control", "treatment"]), st.sampled_from([None, 0.25, 0.75, "x"])
)
events = st.builds(
    Arrival,
    units,
    hours,
    st.sampled_from(["Order", "Search"]),
    st.sampled_from([1, 2.5, -0.1, "3", "x", None]),
)
schedules = st.lists(
    st.tuples(st.one_of(exposures, events, events), st.integers(0, 4)), min_size=1, max_size=25
)  # after an arrival, 0 folds everything there is


def oracle(arrivals):
    """Return {unit: (hour, variant, quarantined)} and {(kind, unit, day): [numerator, denominator, missing]}."""
    first, seen, totals = {}, defaultdict(set), defaultdict(lambda: [0.0, 0, 0])
    for a in sorted((a for a in arrivals if a.what in ("control", "treatment") and 0 <= a.hour <= STOP), key=order):
        first.setdefault(a.unit, a)
        seen[a.unit].add(a.what)
    for a in arrivals:
        if a.unit not in first or not first[a.unit].hour <= a.hour <= STOP or a.what in ("control", "treatment"):
            continue
        for kind in KINDS:
            top, value = a.what == "Order", float(a.value) if a.value not in (None, "x") else None
            if top or kind is MetricKind.RATIO:
                add = totals[kind, a.unit, (T0 + a.hour * HOUR).date()]
                adds_value = kind in (MetricKind.SUM, MetricKind.AVERAGE)
                add[0] += (value or 0.0 if adds_value else 1) if top else 0
                add[1] += (kind is MetricKind.RATIO and not top) or (kind is MetricKind.AVERAGE and value is not None)
                add[2] += adds_value and value is None
    return {unit: (a.hour, a.what, len(seen[unit]) > 1) for unit, a in first.items()}, dict(totals)


def scores_oracle(arrivals):
    """Return {(unit, day): score}: the first of each day, and of two at once the lower."""
    found = {}
    for a in arrivals:
        if a.what in ("control", "treatment") and 0 <= a.hour <= STOP and isinstance(a.value, float):
            key = a.unit, (T0 + a.hour * HOUR).date()
            found[key] = min(found.get(key, (a.hour, a.value)), (a.hour, a.value))
    return {key: score for key, (_, score) in found.items()}


def order(arrival):
    return arrival.hour, arrival.what  # "control" is the older variant


def build():
    home = builders.project()
    experiment = builders.experiment(home, status=Status.STOPPED, stopped_at=T0 + STOP * HOUR)
    for position, kind in enumerate(KINDS):
        with_property = {"property": "value"} if kind in (MetricKind.SUM, MetricKind.AVERAGE) else {}
        divided = {"denominator_event": "Search"} if kind is MetricKind.RATIO else {}
        metric = builders.metric(home, kind.value, kind=kind, event="Order", **with_property, **divided)
        ExperimentMetric.objects.create(
            experiment=experiment, metric=metric, role=MetricRole.SECONDARY, position=position
        )
    return experiment


def arrive(experiment, arrival, message):
    at = T0 + arrival.hour * HOUR
    if arrival.what in ("control", "treatment"):
        score = {} if arrival.value is None else {"score": arrival.value}
        builders.expose(experiment, arrival.unit, arrival.what, at=at, message=message, **score)
    else:
        props = {} if arrival.value is None else {"value": arrival.value}
        builders.log(experiment.project, arrival.what, arrival.unit, at=at, message=message, **props)


def state(experiment):
    enrolments = Enrolment.objects.filter(experiment=experiment).select_related("variant")
    first = {row.unit: (int((row.first_at - T0) / HOUR), row.variant.key, row.quarantined) for row in enrolments}
    rows = UnitDay.objects.filter(experiment=experiment).select_related("metric")
    totals = {
        (MetricKind(row.metric.kind), row.unit, row.day): [float(row.numerator), int(row.denominator), row.missing]
        for row in rows
    }
    return first, totals


def moments_of(first, totals, variant, kind):
    """Form each unit's total in Python, then its moments, units without events as zeros."""
    table = []
    for unit in sorted(u for u, (_, key, quarantined) in first.items() if key == variant and not quarantined):
        mine = [row for (k, u, _), row in totals.items() if k is kind and u == unit]
        top, bottom = sum(row[0] for row in mine), sum(row[1] for row in mine)
        if kind in moments.RATIOS:
            table.append([top, bottom])
        else:
            table.append([min(1.0, top) if kind is MetricKind.PROPORTION else top])
    k = 2 if kind in moments.RATIOS else 1
    return Moments.from_values(table) if table else Moments.empty(k)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules, duplicated=st.booleans(), chunk=st.integers(1, 5))
def test_fold__any_schedule__equals_the_oracle_and_the_recompute(schedule, duplicated, chunk):
    empty_tables()
    experiment = build()
    for index, (arrival, then) in enumerate(schedule):
        for _ in range(2 if duplicated else 1):
            arrive(experiment, arrival, f"m{index}")
        if then == 0:
            fold(chunk_events=chunk)
            moments.keep(experiment)
    fold(chunk_events=chunk)
    first, totals = oracle([arrival for arrival, _ in schedule])
    found_first, found_totals = state(experiment)
    assert found_first == first
    assert {key: pytest.approx(row) for key, row in totals.items()} == found_totals
    kept = UnitScore.objects.filter(experiment=experiment).values_list("unit", "day", "value")
    assert {(unit, day): float(value) for unit, day, value in kept} == scores_oracle([one for one, _ in schedule])
    assert check([experiment]).differences == []
    sums = moments.collect(experiment)
    assert sums == moments.collect(experiment, scan=True)
    metrics = {MetricKind(use.metric.kind): use.metric_id for use in experiment.plan.select_related("metric")}
    for variant in experiment.variants.all():
        for kind, metric in metrics.items():
            expected = moments_of(first, totals, variant.key, kind)
            got = sums.final(metric, kind, variant.pk)
            assert got.n == expected.n
            assert got.mean == pytest.approx(expected.mean)
            assert got.comoment == pytest.approx(expected.comoment)
