from datetime import timedelta

import numpy as np
import pytest

from analysis import moments
from analysis.rollup import sql
from analysis.rollup.fold import fold
from experiments.domain.metrics import MetricKind
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def collected(kind, *, exposures, events, **fields):
    """Log (unit, variant, day) exposures and (unit, day, properties) events; return sums and the ids to ask for."""
    home = builders.project()
    metric = builders.metric(home, kind=kind, **fields)
    experiment = builders.experiment(home, primary=metric)
    for unit, variant, day in exposures:
        builders.expose(experiment, unit, variant, at=T0 + day * DAY)
    for unit, day, props in events:
        builders.log(home, props.pop("name", "Order Completed"), unit, at=T0 + day * DAY + HOUR, **props)
    fold()
    variants = {variant.key: variant.pk for variant in experiment.variants.all()}
    return moments.collect(experiment), metric.pk, variants


def test_moments__a_units_days__are_added_before_they_are_squared():
    sums, metric, variants = collected(
        MetricKind.COUNT, exposures=[("u1", "control", 0)], events=[("u1", 0, {}), ("u1", 1, {}), ("u1", 1, {})]
    )
    found = sums.sums[metric, variants["control"]]
    assert [(int(day.y), int(day.yy), int(day.yyy)) for _, day in sorted(found.items())] == [(1, 1, 1), (2, 8, 26)]


def test_moments__units_without_events__are_zeros():
    sums, metric, variants = collected(
        MetricKind.COUNT, exposures=[(f"u{i}", "control", 0) for i in range(4)], events=[("u0", 0, {}), ("u0", 0, {})]
    )
    found = sums.final(metric, MetricKind.COUNT, variants["control"])
    assert (found.n, found.mean[0], found.comoment[0, 0]) == (4, 0.5, 3.0)


def test_moments__a_proportion__counts_a_unit_once():
    sums, metric, variants = collected(
        MetricKind.PROPORTION,
        exposures=[("u1", "control", 0), ("u2", "control", 0)],
        events=[("u1", 0, {}), ("u1", 0, {}), ("u1", 2, {})],
    )
    found = sums.final(metric, MetricKind.PROPORTION, variants["control"])
    assert (found.mean[0], found.comoment[0, 0]) == (0.5, 0.5)


def test_moments__quarantined_units__are_counted_and_left_out():
    sums, metric, variants = collected(
        MetricKind.COUNT,
        exposures=[("u1", "control", 0), ("u1", "treatment", 1), ("u2", "control", 0)],
        events=[("u1", 2, {})],
    )
    assert sums.quarantined == 1
    assert [sums.count(variants[key]) for key in ("control", "treatment")] == [1, 0]
    assert sums.final(metric, MetricKind.COUNT, variants["control"]).mean[0] == 0


def test_moments__mean_a_million_times_the_deviation__loses_no_digit():
    values = [1_000_000 + 0.5 * (index % 5) for index in range(20)]
    sums, metric, variants = collected(
        MetricKind.SUM,
        property="revenue",
        exposures=[(f"u{i}", "control", 0) for i in range(20)],
        events=[(f"u{i}", 0, {"revenue": value}) for i, value in enumerate(values)],
    )
    found = sums.final(metric, MetricKind.SUM, variants["control"])
    assert found.comoment[0, 0] / 19 == pytest.approx(np.var(values, ddof=1), rel=1e-14)


def test_moments__each_day__holds_the_units_enrolled_and_their_events_by_then():
    draw = np.random.default_rng(7)
    enrolled = {f"u{i}": int(day) for i, day in enumerate(draw.integers(0, 5, 30))}
    events = [(unit, day + int(draw.integers(0, 4)), {"name": name}) for unit, day in enrolled.items()
              for name in draw.choice(["Click", "Search"], 4)]  # fmt: skip
    sums, metric, variants = collected(
        MetricKind.RATIO,
        event="Click",
        denominator_event="Search",
        exposures=[(unit, "control", day) for unit, day in enrolled.items()],
        events=[(unit, day, dict(props)) for unit, day, props in events],
    )
    series = list(sums.by_day(metric, MetricKind.RATIO, variants["control"]))
    assert len(series) == len({*enrolled.values(), *(day for _, day, _ in events)})
    for day, found in series:
        reached = (day - T0.date()).days
        units = [unit for unit, start in enrolled.items() if start <= reached]
        table = np.array([
            [sum(u == unit and d <= reached and p["name"] == n for u, d, p in events) for n in ("Click", "Search")]
            for unit in units
        ])  # fmt: skip
        assert found.n == len(units)
        assert found.mean == pytest.approx(table.mean(axis=0))
        assert found.comoment == pytest.approx((table - table.mean(axis=0)).T @ (table - table.mean(axis=0)))
    last = sums.final(metric, MetricKind.RATIO, variants["control"])
    assert last.comoment == pytest.approx(series[-1][1].comoment)


def test_moments__values_that_are_no_numbers__are_counted_a_metric():
    sums, metric, _ = collected(
        MetricKind.SUM,
        property="revenue",
        exposures=[("u1", "control", 0)],
        events=[("u1", 0, {"revenue": "x"}), ("u1", 1, {"revenue": 3})],
    )
    assert sums.missing == {metric: 1}


def test_moments__nobody_enrolled__have_no_day_and_no_unit():
    sums, metric, variants = collected(MetricKind.COUNT, exposures=[], events=[])
    assert sums.days() == []
    assert sums.final(metric, MetricKind.COUNT, variants["control"]).n == 0
    assert list(sums.by_day(metric, MetricKind.COUNT, variants["control"])) == []


def test_moments__of_an_experiment_that_the_statistics_do_not_know__do_not_look_units_up_one_by_one(monkeypatch):
    home = builders.project()
    metric = builders.metric(home, kind=MetricKind.COUNT)
    old, young = (builders.experiment(home, key, primary=metric) for key in ("old", "young"))
    for experiment, analysed in ((old, True), (young, False)):
        fill(experiment, metric, 3000)
        if analysed:
            sql.run("ANALYZE analysis_enrolment, analysis_unitday")
    plans = []
    rows = sql.rows

    def explained(statement, parameters=None):
        plans.append("\n".join(line for (line,) in rows("EXPLAIN " + statement, parameters)))
        return rows(statement, parameters)

    monkeypatch.setattr(sql, "rows", explained)
    found = moments.collect(young)
    assert found.count(young.variants.first().pk) == 3000
    assert "Nested Loop" not in plans[-1], plans[-1]


def fill(experiment, metric, units):
    parameters = {"experiment": experiment.pk, "metric": metric.pk, "units": units, "at": T0}
    parameters["variant"] = experiment.variants.first().pk
    sql.run(
        "INSERT INTO analysis_enrolment (experiment_id, unit, variant_id, first_at, bucket, quarantined)"
        " SELECT %(experiment)s, 'u' || i, %(variant)s, %(at)s, 0, false FROM generate_series(1, %(units)s) i",
        parameters,
    )
    sql.run(
        "INSERT INTO analysis_unitday (experiment_id, metric_id, unit, day, numerator, denominator, missing)"
        " SELECT %(experiment)s, %(metric)s, 'u' || i, '2026-03-02', 1, 0, 0 FROM generate_series(1, %(units)s) i",
        parameters,
    )
