"""Sums that the fold keeps: a result reads them and no unit, and they are those of all units, to the last digit."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from analysis import ages, erasure, moments, pipeline, summing
from analysis.models import DaySum, SumRule
from analysis.pages.depth.made import made_of
from analysis.results.latest import results_of
from analysis.rollup import sql
from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.domain.units import UnitType
from experiments.models import ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)


@pytest.fixture
def kept():
    """An experiment with an enrolled unit or two and an order each, whose sums are kept."""
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, kind=MetricKind.SUM, property="revenue"))
    for unit, variant in (("u1", "control"), ("u2", "treatment")):
        builders.expose(made, unit, variant)
        builders.log(home, "Order Completed", unit, at=T0 + HOUR, revenue=1.1)
    fold()
    moments.keep(made)
    return made


def read_by(work, monkeypatch):
    """Return the queries that some work makes."""
    said, rows = [], sql.rows

    def spied(statement, parameters=None):
        said.append(statement)
        return rows(statement, parameters)

    monkeypatch.setattr(sql, "rows", spied)
    work()
    return said


def agrees(experiment):
    return (
        moments.collect(experiment) == moments.collect(experiment, scan=True) and check([experiment]).differences == []
    )


def test_collect__what_is_kept__reads_no_unit(kept, monkeypatch):
    said = read_by(lambda: moments.collect(kept), monkeypatch)
    assert not [one for one in said if "analysis_unitday" in one or "analysis_enrolment" in one]


def test_refresh__has_the_sums_kept_and_the_next_fold_goes_on_from_them(kept):
    SumRule.objects.all().delete()
    DaySum.objects.all().delete()
    pipeline.refresh(kept)
    assert SumRule.objects.filter(slot=0).exists()
    builders.log(kept.project, "Order Completed", "u1", at=T0 + 2 * HOUR, revenue=2)
    fold()
    row = DaySum.objects.exclude(slot=0).order_by("variant_id").first()
    assert [float(power) for power in (row.y, row.yy, row.yyy)] == pytest.approx([3.1, 9.61, 29.791], rel=1e-14)
    assert agrees(kept)


def test_fold__a_unit_seen_in_a_second_variant__is_taken_out_of_its_sums(kept):
    builders.expose(kept, "u1", "treatment", at=T0 + 3 * HOUR)
    fold()
    assert not DaySum.objects.exclude(slot=0).filter(variant_id=kept.variants.get(key="control").pk).exists()
    assert moments.collect(kept).quarantined == 1
    assert agrees(kept)


def test_fold__an_order_before_the_unit_newest_day__changes_that_day_and_those_behind_it(kept):
    builders.log(kept.project, "Order Completed", "u1", at=T0 + 50 * HOUR, revenue=3)
    fold()
    builders.log(kept.project, "Order Completed", "u1", at=T0 + 26 * HOUR, revenue=5)
    fold()
    assert agrees(kept)


def test_rebuild__forgets_the_sums_and_a_refresh_has_them_again(kept):
    rebuild([kept])
    assert not SumRule.objects.exists()
    assert not DaySum.objects.exists()
    moments.keep(kept)
    assert agrees(kept)


def test_keep__another_cap__is_another_rule(kept):
    use = kept.plan.get()
    type(use.counted).objects.filter(pk=use.counted.pk).update(cap_value=1)
    ExperimentMetric.objects.filter(pk=use.pk).update(version=None)
    assert moments.collect(kept) == moments.collect(kept, scan=True)
    moments.keep(kept)
    assert set(SumRule.objects.values_list("slot", "most")) == {(0, None), (use.metric_id, 1), (-use.metric_id, None)}
    assert agrees(kept)


def test_keep__a_cap_by_percentile__keeps_only_the_sums_without_it(kept):
    metric = builders.metric(kept.project, "capped", kind=MetricKind.SUM, property="revenue", cap_share=9900)
    ExperimentMetric.objects.create(experiment=kept, metric=metric, role=MetricRole.SECONDARY, position=9)
    fold()
    moments.keep(kept)
    assert set(SumRule.objects.filter(metric_id=metric.pk).values_list("slot", flat=True)) == {-metric.pk}
    assert agrees(kept)


def test_keep__while_somebody_folds__waits_for_nobody_and_leaves_it(kept):
    rebuild([kept])
    named = connection.get_connection_params()
    with psycopg.connect(dbname=named["dbname"], user=named.get("user"), host=named.get("host")) as other:
        other.execute("SELECT FROM analysis_watermark FOR UPDATE")
        moments.keep(kept)
    assert not SumRule.objects.exists()
    assert moments.collect(kept).total == 2


def test_collect__rules_that_a_rebuild_forgets_meanwhile__adds_up_all_units(kept, monkeypatch):
    rows = sql.rows

    def forgotten(statement, parameters=None):
        found = rows(statement, parameters)
        if statement == summing.KEPT:
            SumRule.objects.all().delete()
            DaySum.objects.all().delete()
        return found

    expected = moments.collect(kept, scan=True)
    monkeypatch.setattr(sql, "rows", forgotten)
    assert moments.collect(kept) == expected


def test_erase__a_unit__leaves_no_sum_that_holds_it(kept):
    erasure.erase(kept.project, erasure.unit_of(kept.project, UnitType.USER, "u1"))
    assert not SumRule.objects.exists()
    assert moments.collect(kept).total == 1


def test_check__a_sum_that_is_wrong__is_found_and_a_rebuild_mends_it(kept):
    DaySum.objects.exclude(slot=0).update(yy=7)
    said = check([kept]).differences
    assert {one.unit for one in said} == {"all"}
    assert "sums of slot" in str(said[0])
    rebuild([kept])
    assert check([kept]).differences == []


@pytest.fixture
def capped(kept, monkeypatch):
    """The same with a cap at the median of all units, which are many enough for it to stay for a while."""
    monkeypatch.setattr(ages, "FEW_UNITS", 1)
    monkeypatch.setattr(ages, "UNITS_AN_HOUR", 1)
    metric = builders.metric(kept.project, "capped", kind=MetricKind.SUM, property="revenue", cap_share=5000)
    ExperimentMetric.objects.create(experiment=kept, metric=metric, role=MetricRole.SECONDARY, position=9)
    fold()
    moments.keep(kept)
    return metric


def _richer(experiment, *units):
    for unit in units:
        builders.log(experiment.project, "Order Completed", unit, at=T0 + 2 * HOUR, revenue=100)
    fold()


def test_cap_by_percentile__of_many_units__stays_and_its_sums_are_kept(kept, capped, monkeypatch):
    moments.keep(kept)
    _richer(kept, "u1", "u2")
    said = read_by(lambda: moments.collect(kept), monkeypatch)
    assert not [one for one in said if "analysis_unitday" in one]
    found = moments.collect(kept)
    assert (found.caps[capped.pk], set(found.found_at)) == (1.1, {capped.pk})
    assert sum(float(day.y) for one in kept.variants.all() for day in found.sums[capped.pk, one.pk].values()) == 2.2
    assert agrees(kept)


def test_cap_by_percentile__found_long_ago__is_found_anew_and_only_its_own_sums_with_it(kept, capped, monkeypatch):
    moments.keep(kept)
    _richer(kept, "u1", "u2")
    SumRule.objects.filter(slot=capped.pk).update(found_at=timezone.now() - timedelta(hours=7))
    with monkeypatch.context() as spied:
        asked = []
        spied.setattr(summing.sums, "keep", lambda _, rules, stay: asked.append((rules["slots"], len(stay))) or False)
        moments.keep(kept)
    assert asked == [([capped.pk], 3)]
    moments.keep(kept)
    assert moments.collect(kept).caps[capped.pk] == pytest.approx(101.1)
    assert agrees(kept)


def test_cap_by_percentile__of_a_stopped_experiment__is_that_of_all_its_units(kept, capped):
    moments.keep(kept)
    _richer(kept, "u1", "u2")
    kept.stopped_at = T0 + 3 * HOUR
    found = moments.collect(kept)
    assert (found.caps[capped.pk], found.found_at) == (pytest.approx(101.1), {})


def test_cap_by_percentile__that_stays__is_said_with_its_moment_and_shown_in_the_statement(kept, capped):
    pipeline.refresh(kept)
    _richer(kept, "u1", "u2")
    results = results_of(pipeline.refresh(kept))
    metric = next(one for one in results.metrics if one.key == "capped")
    assert "the median as it was on" in " ".join(metric.notes)
    rows = sql.rows(made_of(kept, results, metric).sql)
    assert [(variant, units, float(total)) for variant, units, total, _ in rows] == [
        ("control", 1, 1.1), ("treatment", 1, 1.1),
    ]  # fmt: skip
    assert [arm.means for arm in metric.arms] == [[pytest.approx(1.1)]] * 2
