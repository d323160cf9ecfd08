"""A metric's own page: three readings that cannot contradict each other, raw sums, and nothing of it for strangers."""

import re
from datetime import timedelta
from html import unescape

import msgspec
import pytest
from django.urls import reverse

from analysis.decisions.arms import compared
from analysis.details.schema import AgePoint, Bin, Breakdown, Detail, Level, Spread, Wearing
from analysis.models import EffectVector, MetricDetail
from analysis.pages.depth.readings import readings
from analysis.priors import learned
from analysis.results.schema import Arm, Looks, MetricResult
from analysis.stats.bayes import LearnedPrior
from analysis.stats.novelty import Trend
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

NOTHING = NotComputable("0 past experiments are too few to learn from; 10 are needed")


def share_arm(variant: str, n: int, did: int) -> Arm:
    return Arm(variant=variant, n=n, names=["value"], means=[did / n], products=[[did * (1 - did / n)]])


def clicks() -> MetricResult:
    """Clicks of 92,103 users a variant, whose comparison follows from the arms that stand beside it."""
    arms = [share_arm("control", 92_103, 11_089), share_arm("treatment", 92_103, 11_706)]
    numbers = compared(builders.metric_result("click-through-rate", arms=arms), "control", "treatment", 0.05)
    found = numbers.difference
    one = builders.comparison(
        value=numbers.treatment.value, control_value=numbers.control.value, difference=found.value,
        difference_interval=found.interval, lift=numbers.lift, lift_interval=numbers.lift_interval,
        p_value=found.p_value, standard_error=found.standard_error,
    )  # fmt: skip
    return builders.metric_result("click-through-rate", one, name="Click-through rate", arms=arms)


@pytest.fixture
def ranker(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase)


def address(name: str = "metric_in_depth", metric: str = "click-through-rate") -> str:
    return reverse(name, args=["shop", "new-ranker", *([metric] if name == "metric_in_depth" else [])])


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def detail() -> Detail:
    points = [AgePoint(day=day, difference=0.01 / (day + 1), interval=(0.0, 0.02 / (day + 1))) for day in range(7)]
    return Detail(
        spread=Spread(of="unit", is_log=True, bins=[
            Bin(low=0, high=0, units={"control": 900, "treatment": 880}),
            Bin(low=1, high=2, units={"control": 100, "treatment": 120}),
        ]),
        wearing=[Wearing(variant="treatment", units=60_000, until=T0.date(), points=points, trend=Trend.NOVELTY,
                         slope_p_value=0.002, p_value=0.01)],
        breakdowns=[
            Breakdown(variant="treatment", name="returning", tested=2, p_value=0.6, adjusted_p_value=0.6,
                      levels=levels("true", "false")),
            Breakdown(variant="treatment", name="platform", tested=2, p_value=0.001, adjusted_p_value=0.002,
                      differs=True, levels=levels("ios", "android", "web")),
        ],
    )  # fmt: skip


def levels(*names: str) -> list[Level]:
    return [
        Level(level=name, units=30_000, lift=0.02 * place, interval=(0.02 * place - 0.03, 0.02 * place + 0.03))
        for place, name in enumerate(names)
    ]


def keep(of: Experiment, metric: str = "click-through-rate") -> None:
    MetricDetail.objects.create(
        experiment=of, phase=of.phase, metric=metric, definition="x", as_of=T0, payload=msgspec.to_builtins(detail())
    )


def test_depth__shows_every_side_of_one_metric(client_of_bob, ranker):
    builders.snapshot(ranker, builders.results(ranker, metrics=[clicks(), *builders.shop_metrics()[1:]]))
    keep(ranker)
    html = client_of_bob.get(address()).content.decode()
    said = words(html)
    for part in (
        "One look",
        "As if looked at every day",
        "As a belief (Bayesian)",
        "The chance that it is better is above 99.9%",
    ):
        assert part in said
    assert "The effect wears off as users get used to it (p = 0.002)" in said
    assert "Nothing at all: 90.0% of Control, 88.0% of Treatment." in said
    assert "Users that did 11,706" in said
    assert "By platform ! The effect differs between these kinds (p = 0.002, allowing for 2 breakdowns)." in said
    assert "read the effect on all, and not the largest of these" in said
    assert said.index("By platform") < said.index("By returning")
    assert html.count("data-chart=") == 3
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=", html)


def test_depth__a_stranger_an_unknown_metric_and_anothers_result__are_not_found(
    client_of_alice, client_of_charlie, ranker, shop
):
    builders.snapshot(ranker)
    other = builders.snapshot(builders.experiment(shop, "other"))
    assert client_of_charlie.get(address()).status_code == 404
    assert client_of_alice.get(address(metric="nonsense")).status_code == 404
    for wanted in (other.pk, "x", "99999999999999999999"):
        assert client_of_alice.get(address(), {"snapshot": wanted}).status_code == 404


def test_depth__of_a_broken_split__shows_what_was_counted_and_no_change(client_of_alice, ranker):
    builders.snapshot(ranker, builders.broken_results(ranker, metrics=[clicks()]))
    keep(ranker)
    said = words(client_of_alice.get(address()).content.decode())
    assert "Changes are withheld" in said
    assert "+5.6%" not in said
    assert "wears off" not in said
    assert "11,706" in said


def test_depth__of_an_older_result__says_so_and_keeps_to_it(client_of_alice, ranker):
    old = builders.snapshot(ranker)
    builders.snapshot(ranker)
    html = client_of_alice.get(address(), {"snapshot": old.pk}).content.decode()
    assert "These are the results as of 15 Mar 2026" in words(html)
    assert f"{address(metric='page-latency')}?snapshot={old.pk}" in html
    assert "before raw sums were kept" in words(html)


def test_depth__past_experiments_and_metrics__cost_no_more_queries(
    client_of_alice, ranker, shop, django_assert_max_num_queries
):
    builders.snapshot(ranker, builders.results(ranker, metrics=[clicks(), *builders.shop_metrics()[1:]]))
    keep(ranker)
    past(shop, 12)
    with django_assert_max_num_queries(12):
        client_of_alice.get(address())


def past(shop, count: int) -> None:
    for number in range(count):
        other = builders.experiment(shop, f"past-{number}", status=Status.STOPPED)
        EffectVector.objects.create(
            project=shop, experiment=other, phase=1, variant=other.variants.last(), definition="x",
            as_of=T0 + timedelta(days=number), trustworthy=True, units=100, control_units=100,
            metrics=["page-latency", "click-through-rate"], control=[1, 1], differences=[0, 0], covariance=[1, 0, 1],
            log_lifts=[9.0, 0.02 * (-1) ** number], log_covariance=[9.0, 0.5, 0.0001], folds=[],
        )  # fmt: skip


def test_prior__is_learned_from_the_projects_own_past__of_this_metric(ranker, shop):
    past(shop, 9)
    assert isinstance(learned(ranker, "click-through-rate"), NotComputable)
    past(builders.project(), 20)  # another project's past is nobody's business
    assert isinstance(learned(ranker, "click-through-rate"), NotComputable)
    Experiment.objects.filter(key__startswith="past-").delete()
    past(shop, 12)
    found = learned(ranker, "click-through-rate")
    assert isinstance(found, LearnedPrior)
    assert found.experiments == 12
    assert found.prior.mean == pytest.approx(0.0, abs=1e-9)
    assert found.prior.variance == pytest.approx(0.0004 * 12 / 11 - 0.0001, rel=0.05)  # spread less each one's noise


def test_readings__of_a_plan_of_one_look__say_exactly_what_the_table_says(ranker):
    metric = clicks()
    made = builders.results(ranker, metrics=[metric])
    one, every, belief = readings(made, metric, metric.comparisons[0], NOTHING)
    assert (one.shown, one.interval, one.counts) == ("+5.6%", "+3.0% to +8.2%", True)
    assert every.interval == "+1.7% to +9.6%"
    assert not every.counts
    assert "0 past experiments are too few" in belief.notes[0]


def test_readings__of_a_plan_of_looks__rest_on_the_wider_numbers(ranker):
    metric = clicks()
    wide = msgspec.structs.replace(metric.comparisons[0], lift_interval=(0.01, 0.1), p_value=0.011, boundary=3.1)
    looks = Looks(plan="group_sequential", sentence="Look 3.", units=184_206, planned_units=200_000, look=3)
    made = builders.results(ranker, metrics=[metric], looks=looks)
    one, every, _ = readings(made, metric, wide, NOTHING)
    assert (every.name, every.interval, every.p, every.counts) == (
        "At every look of the plan", "+1.0% to +10.0%", "0.011", True,
    )  # fmt: skip
    assert "finds changes that are not there" in one.sentence


def test_readings__without_raw_sums__are_none(ranker):
    made = builders.results(ranker)
    assert readings(made, made.metrics[0], made.metrics[0].comparisons[0], NOTHING) == []


def test_results__each_number__opens_its_raw_sums_and_leads_to_its_own_page(client_of_alice, ranker):
    builders.snapshot(ranker, builders.results(ranker, metrics=[clicks()]))
    html = client_of_alice.get(address("experiment_results")).content.decode()
    assert f'href="{address()}"' in html
    (name,) = re.findall(r'popovertarget="([^"]+)"[^>]*data-peek', html)
    tip = words(html.split(f'id="{name}"')[1].split("</table")[0])
    assert "Sum 11,706" in tip
    assert "Variance 0.1109444" in tip


def test_depth__says_how_it_was_made__down_to_a_statement_that_quotes_what_people_wrote(client_of_bob, shop):
    metric = builders.metric(shop, "click-through-rate", event="Click's")
    ranker = builders.experiment(shop, primary=metric)
    builders.snapshot(ranker, builders.results(ranker, metrics=[clicks()]))
    made = unescape(client_of_bob.get(address()).content.decode().split('id="made"')[1])
    assert "l.name IN ( 'Click''s')" in made or "l.name IN ('Click''s')" in made
    assert "A share of users with the unpooled variance" in made
    assert "version 1" in made
