"""Certificates and plans from a project's own folded units, against the same units in plain numpy."""

from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis import certifying, forecasting, history
from analysis.forecasting import Wish
from analysis.models import MetricCertificate
from analysis.rollup.fold import fold
from analysis.stats.duration import Duration
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
DAY = timedelta(days=1)
UNITS = 360
SPENT = np.random.default_rng(11).gamma(4.0, 5.0, UNITS).round(2)
VISITS = 1 + np.random.default_rng(12).poisson(3, UNITS)
DAYS = np.sort(np.random.default_rng(13).integers(0, 6, UNITS))


def shop():
    """A project whose experiment of six days has revenue, a purchase rate and revenue a visit; all units folded."""
    home = builders.project()
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, property="revenue")
    bought = builders.metric(home, "purchase-rate")
    ratio = builders.metric(home, "orders-a-visit", kind=MetricKind.RATIO, denominator_event="Visit")
    experiment = builders.experiment(home, primary=revenue, allocation=5000)
    for metric in (bought, ratio):
        ExperimentMetric.objects.create(experiment=experiment, metric=metric, role=MetricRole.SECONDARY)
    for i in range(UNITS):
        at = T0 + int(DAYS[i]) * DAY
        builders.expose(experiment, f"u{i:04}", ("control", "treatment")[i % 2], at=at)
        if i % 3:
            builders.log(home, "Order Completed", f"u{i:04}", at=at + timedelta(hours=1), revenue=float(SPENT[i]))
        for _ in range(VISITS[i]):
            builders.log(home, "Visit", f"u{i:04}", at=at + timedelta(hours=2))
    fold()
    return home, experiment


def run(command: str, *options: str) -> str:
    out = StringIO()
    call_command(command, *options, stdout=out)
    return out.getvalue()


def test_own_past__a_folded_shop__is_certified_and_planned_from_its_units():
    home, experiment = shop()
    by_key = {metric.key: metric for metric in history.metrics(home)}
    spent = np.where(np.arange(UNITS) % 3, SPENT, 0.0)
    assert history.totals(experiment, by_key["revenue"])[:, 0] == pytest.approx(spent)
    assert history.totals(experiment, by_key["orders-a-visit"])[:, 1] == pytest.approx(VISITS)
    control = history.control_moments(experiment, by_key["revenue"])
    assert (control.n, control.mean[0]) == (UNITS // 2, pytest.approx(spent[::2].mean()))
    curve = np.bincount(DAYS).cumsum()
    assert history.traffic(experiment, 0.5).units(3) == pytest.approx(0.5 * curve[2] / 0.5)

    said = run("certify_metrics", home.slug, "--draws", "400")
    stored = certifying.newest(home)
    assert {one.metric.key for one in stored.values()} == set(by_key)
    own = stored[by_key["revenue"].pk]
    assert (own.units, own.draws, own.verdict) == (UNITS, 400, "certified")
    assert own.low <= own.false_positives <= own.high
    assert own.low < 0.05 < own.high
    assert own.variance_ratio == pytest.approx(1, abs=0.2)
    assert f"revenue: {own.sentence}" in said

    again = run("certify_metrics", home.slug, "--draws", "400", "--metric", "revenue", "--seed", "1")
    assert MetricCertificate.objects.filter(metric=by_key["revenue"]).count() == 2
    assert again != said

    source = history.sources(home, [by_key["revenue"]])[by_key["revenue"].pk]
    plain = forecasting.plan(by_key["revenue"], source, Wish(change=0.3))
    looking = forecasting.plan(by_key["revenue"], source, Wish(change=0.3, sequential=True, guardrails=2, variants=3))
    assert not isinstance(plain, NotComputable)
    assert not isinstance(looking, NotComputable)
    assert isinstance(plain.forecast.length, Duration)
    variance, mean = spent[::2].var(ddof=1), spent[::2].mean()
    by_hand = (1.959964 + 0.841621) ** 2 * 2 * variance * (1 + 1.3**2) / (0.3 * mean) ** 2
    assert plain.forecast.needed == pytest.approx(by_hand, rel=1e-5)
    assert looking.forecast.needed > 1.5 * plain.forecast.needed
    assert 1 < looking.design.inflation < 1.1

    words = run("plan_experiment", home.slug, "--metric", "revenue", "--change", "30%", "--guardrails", "1")
    assert words.startswith("Revenue is ")
    assert "with 1 guardrail held as well (so each test is planned at 90%)" in words
    assert "After 14 days the smallest rise that can be seen is " in words
    rate = run("plan_experiment", home.slug, "--metric", "purchase-rate", "--change", "0.2", "--sequential")
    assert "Purchase rate is 66.7% in the control of New ranker" in rate
    assert "looking daily" in rate


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("certify_metrics", ("nowhere",), "No project has the slug 'nowhere'. There are: "),
        (
            "certify_metrics",
            ("shop", "--metric", "clicks"),
            "shop has no metric with the key clicks. There are: revenue",
        ),
        ("certify_metrics", ("shop", "--draws", "5"), "--draws 5: too few to tell a rate"),
        ("certify_metrics", ("shop", "--metric", "revenue"), "No experiment of shop has units for these metrics yet"),
        ("plan_experiment", ("shop", "--metric", "revenue", "--change", "much"), "--change 'much' is no number"),
        ("plan_experiment", ("shop", "--metric", "revenue", "--change", "0"), "that is not 0"),
        (
            "plan_experiment",
            ("shop", "--metric", "revenue", "--change", "2%"),
            "No experiment of shop has units for rev",
        ),
        (
            "plan_experiment",
            ("shop", "--metric", "revenue", "--change", "2%", "--power", "100%"),
            "--power 100%: give a share above 0 and below 100%",
        ),
        (
            "plan_experiment",
            ("shop", "--metric", "revenue", "--change", "2%", "--variants", "1"),
            "--variants is at least 2",
        ),
    ],
)
def test_own_past__what_does_not_fit__is_one_line_and_status_2(command, options, expected):
    builders.metric(builders.project("shop"), "revenue")
    with pytest.raises(CommandError) as refused:
        run(command, *options)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 2
