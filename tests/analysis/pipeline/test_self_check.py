"""Standard errors checked by another way, units whose outputs differ, and rows that need a word of caution."""

from datetime import timedelta

import numpy as np
import pytest

from analysis import pipeline, self_check
from analysis.moment_sets import Cells
from analysis.results.latest import results_of
from analysis.stats.moment_matrix import MomentMatrix
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import ExperimentMetric, Variant
from tests import builders
from tests.builders import T0

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def cells(clumped: bool) -> Cells:
    """Two variants of 5,000 units in 50 buckets; clumped units resemble those of their bucket."""
    rng = np.random.default_rng(3)
    bucket = np.tile(np.arange(50), 200)
    variant = np.repeat([1, 2], 5000)
    values = rng.normal(10, 1, 10_000) + (rng.normal(0, 1, (2, 50))[variant - 1, bucket] if clumped else 0)
    keys = np.array([(v, b) for v in (1, 2) for b in range(50)])
    matrix = MomentMatrix.from_values(values[:, None], (variant - 1) * 50 + bucket, 100)
    return Cells(names=["revenue"], keys=keys, matrix=matrix)


def checked(found: Cells, n: int = 5000):
    one = builders.comparison(n=n, control_n=n)
    variants = [Variant(pk=1, key="control"), Variant(pk=2, key="treatment")]
    return self_check.with_ratios([builders.metric_result("revenue", one, kind="sum")], variants, found)


def test_standard_errors__of_independent_units__agree_with_the_jackknife():
    results = checked(cells(clumped=False))
    (check,) = self_check.check_of(results)
    assert 0.7 < results[0].comparisons[0].jackknife_ratio < 1.4
    assert (check.ok, check.key) == (True, "standard-errors")


def test_standard_errors__of_units_that_resemble_each_other__are_said_to_be_too_small():
    results = checked(cells(clumped=True))
    (check,) = self_check.check_of(results)
    assert results[0].comparisons[0].jackknife_ratio > 3
    assert check.ok is False
    assert "times as large for revenue" in check.summary
    assert "Do not trust the intervals" in check.what_to_do


def test_standard_errors__of_few_units__are_not_checked():
    results = checked(cells(clumped=False), n=900)
    assert results[0].comparisons[0].jackknife_ratio is None
    assert self_check.check_of(results) == []


@pytest.fixture
def triggered(log):
    """600 users, of whom every second sees other outputs; only they buy more."""
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home), status=Status.STOPPED, stopped_at=T0 + 14 * DAY)
    share = builders.metric(home, "orders-per-view", kind=MetricKind.RATIO, denominator_event="Page Viewed")
    ExperimentMetric.objects.create(experiment=made, metric=share, role=MetricRole.SECONDARY, position=1)
    for index in range(1200):
        variant, differs = ("control", "treatment")[index % 2], index % 4 < 2
        builders.expose(made, f"u{index}", variant, outputs_differ=differs)
        rate = 0.5 if differs and variant == "treatment" else 0.2
        if (index // 4) % 10 < 10 * rate:
            builders.log(home, "Order Completed", f"u{index}", at=T0 + HOUR)
    return made


def test_triggered__effect_on_those_who_differ__is_diluted_by_their_share(triggered):
    found = results_of(pipeline.refresh(triggered)).triggered
    (one,) = found.effects
    assert (found.units, found.total) == (600, 1200)
    assert one.difference == pytest.approx(0.3)
    assert one.diluted_difference == pytest.approx(0.15)
    assert one.diluted_lift == pytest.approx(0.15 / 0.2)
    assert (one.trustworthy, one.untouched_p_value) == (True, pytest.approx(1.0))


def test_triggered__of_an_app_that_reports_nothing__is_left_out(log):
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home))
    for index in range(400):
        builders.expose(made, f"u{index}", ("control", "treatment")[index % 2])
    assert results_of(pipeline.refresh(made)).triggered is None
