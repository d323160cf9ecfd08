"""Sums with what units did before: kept by the fold for many units, and what adjusted results say does not change."""

from datetime import timedelta

import pytest

from analysis import ages, crossing, erasure, pipeline
from analysis.models import CrossRule, CrossSum
from analysis.results.latest import results_of
from analysis.rollup import crosses, sql
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
def adjusted(monkeypatch):
    """A running experiment whose four units are many enough, half of whom were here before it."""
    monkeypatch.setattr(ages, "FEW_UNITS", 1)
    monkeypatch.setattr(ages, "UNITS_AN_HOUR", 1)
    home = builders.project()
    revenue = builders.metric(home, kind=MetricKind.SUM, property="revenue")
    made = builders.experiment(home, primary=revenue, adjusted=True)
    rate = builders.metric(home, "rate", kind=MetricKind.RATIO, denominator_event="Visit")
    ExperimentMetric.objects.create(experiment=made, metric=rate, role=MetricRole.SECONDARY, position=9)
    for i in range(12):
        if i % 2:
            order(made, f"u{i}", -5, 1.5 * i)
        builders.expose(made, f"u{i}", ("control", "treatment")[i // 2 % 2])
        order(made, f"u{i}", 1, 3 + i)
    fold()
    pipeline.refresh(made)
    return made


def order(experiment, unit, hour, revenue):
    for event in ("Order Completed", "Visit"):
        builders.log(experiment.project, event, unit, at=T0 + hour * HOUR, revenue=revenue)


def told(experiment):
    return [
        (metric.key, arm.variant, arm.n, [round(mean, 9) for mean in arm.means],
         [[round(product, 7) for product in row] for row in arm.products])
        for metric in results_of(pipeline.refresh(experiment)).metrics for arm in metric.arms
    ]  # fmt: skip


def test_refresh__of_many_adjusted_units__keeps_their_sums_and_reads_no_unit_again(adjusted, monkeypatch):
    assert CrossRule.objects.filter(experiment=adjusted).count() == 2
    order(adjusted, "u3", 2, 50)
    fold()
    said, rows = [], sql.rows
    monkeypatch.setattr(sql, "rows", lambda statement, of=None: said.append(statement) or rows(statement, of))
    pipeline.refresh(adjusted)
    assert crossing.READ in said
    assert not [one for one in said if "analysis_unitbefore" in one and one != crossing.READ]


@pytest.mark.parametrize(
    "late", [("u3", -2, 7.0), ("u2", -2, 7.0), ("u3", 30, 7.0), ("stranger", 1, 7.0)],
    ids=["more before", "first before", "next day", "of nobody"],
)  # fmt: skip
def test_fold__events_that_come_late__change_what_is_kept_as_what_all_units_say(adjusted, late):
    order(adjusted, *late)
    fold()
    assert check([adjusted]).differences == []
    kept = told(adjusted)
    crosses.forget([adjusted.pk])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "FEW_UNITS", 1000)
        assert told(adjusted) == kept
    assert len(kept) == 4


def test_fold__a_unit_seen_in_a_second_variant__is_taken_out(adjusted):
    builders.expose(adjusted, "u3", "control", at=T0 + 3 * HOUR)
    fold()
    assert check([adjusted]).differences == []
    assert {n for key, _, n, *_ in told(adjusted)} == {6, 5}


def test_check__a_sum_that_is_wrong__is_found(adjusted):
    CrossSum.objects.filter(experiment=adjusted).update(yp=1)
    said = check([adjusted]).differences
    assert {one.what.partition(" with ")[2] for one in said} == {"what was before"}


def test_rebuild__forgets_them_and_a_refresh_has_them_again(adjusted):
    before = told(adjusted)
    rebuild([adjusted])
    assert not CrossSum.objects.exists()
    pipeline.refresh(adjusted)  # has the heads kept, by which it knows how many there are
    assert told(adjusted) == before
    assert CrossSum.objects.exists()


def test_erasure__of_a_unit__forgets_them(adjusted):
    erasure.erase(adjusted.project, erasure.unit_of(adjusted.project, UnitType.USER, "u3"))
    assert not CrossRule.objects.exists()
    pipeline.refresh(adjusted)
    assert check([adjusted]).differences == []


def test_refresh__of_few_units_or_a_stopped_experiment__keeps_nothing(adjusted, monkeypatch):
    crosses.forget([adjusted.pk])
    monkeypatch.setattr(ages, "FEW_UNITS", 1000)
    pipeline.refresh(adjusted)
    monkeypatch.setattr(ages, "FEW_UNITS", 1)
    adjusted.stopped_at = T0 + 40 * HOUR
    crossing.keep(adjusted)
    assert not CrossRule.objects.exists()
