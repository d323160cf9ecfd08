"""Which proxies can be trusted: the reading, its page and its refusals to say more than is known."""

import re

import numpy as np
import pytest
from django.urls import reverse

from analysis.models import EffectVector, ProgrammeReading
from analysis.programme import proxies, readings, tasks
from analysis.programme.choice import Question
from analysis.programme.schema import Trust
from analysis.programme.vectors import load
from experiments import north_star
from experiments.domain.metrics import MetricKind
from experiments.models import AuditEntry, Experiment, Metric, Variant
from tests import builders
from tests.analysis.programme import samples
from tests.analysis.programme.samples import BUSINESS, PROXY
from tests.builders import T0

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(shop):
    samples.metrics(shop, "sign-ups")
    return shop


def read(home, **asked):
    return proxies.read(home, Question(**asked), T0)


def page(client, home, query: str = "") -> str:
    response = client.get(reverse("evidence", args=[home.slug]) + query)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


@pytest.mark.parametrize("slope", [0.5, 0.0, -0.3])
def test_reading__of_a_known_programme__covers_the_truth_where_the_naive_line_misses_it(home, slope):
    samples.programme(home, 150, slope=slope, signal=1.0, seed=11)
    found = read(home)
    assert (found.business, found.experiments) == (BUSINESS, 150)
    (finding,) = found.findings
    low, high = finding.corrected.interval
    assert low <= slope <= high
    if slope != 0.5:  # the users' own slope is .5
        low, high = finding.naive.interval
        assert not low <= slope <= high
    assert finding.trust is {0.5: Trust.TRUSTED, 0.0: Trust.UNRELATED, -0.3: Trust.MISLEADING}[slope]
    assert finding.user_level.value == pytest.approx(0.5)


def test_reading__of_a_metric_that_is_better_when_lower__turns_good_and_bad_round(home):
    samples.programme(home, 150, slope=-0.6)
    Metric.objects.filter(key=PROXY).update(direction="decrease")
    (finding,) = read(home).findings
    assert finding.trust is Trust.TRUSTED
    assert finding.sign_agreement > 0.5


def test_reading__of_few_experiments__says_about_how_many_are_missing(home):
    samples.programme(home, 20, signal=1.0)
    found = read(home)
    (finding,) = found.findings
    assert finding.trust is Trust.UNIDENTIFIED
    assert 10 < finding.missing < 200
    assert f"about {round(finding.missing, -1)} more experiments" in finding.sentence
    assert "cannot be told yet" in found.headline
    assert found.detail.line is None


def test_reading__of_none__says_what_to_do(home, client_of_bob):
    assert read(home).business is None
    said = page(client_of_bob, home)
    assert "Nothing to compare yet" in said
    assert "simulate_shop --programme 120" in said


def test_reading__of_four_experiments__is_no_slope_but_a_reason(home):
    samples.programme(home, 4)
    (finding,) = read(home).findings
    assert "5 are the fewest" in finding.sentence


def test_reading__several_proxies__allow_for_how_many_were_asked_and_the_telling_one_comes_first(home):
    samples.programme(home, 150, others=["sign-ups"])
    found = read(home)
    assert [one.metric for one in found.findings] == [PROXY, "sign-ups"]
    assert found.findings[1].trust is Trust.UNRELATED
    assert found.findings[0].adjusted_p_value >= found.findings[0].p_value
    assert found.mixture.best_single == PROXY
    assert abs(found.mixture.weights[PROXY]) > abs(found.mixture.weights["sign-ups"])


def test_reading__metrics_that_make_up_the_business_metric__cost_no_page_and_stand_apart(home, client_of_bob):
    for key in ("orders", "order-value"):
        builders.metric(home, key, kind=MetricKind.COUNT)
    samples.programme(home, 60, others=["orders", "order-value"])
    upper = np.triu_indices(4)
    made_up = np.array([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    for one in EffectVector.objects.all():  # revenue is orders times order value, in every user and exactly
        noise = np.zeros((4, 4))
        noise[upper] = one.log_covariance
        noise = noise + np.triu(noise, 1).T
        one.log_lifts = (made_up @ one.log_lifts).tolist()
        one.log_covariance = (made_up @ noise @ made_up.T)[upper].tolist()
        one.save()
    found = read(home)
    assert len(found.mixture.implied) == 1
    assert set(found.mixture.implied) < {"orders", "order-value"}
    assert set(found.mixture.weights) == {PROXY, "orders", "order-value"} - set(found.mixture.implied)
    assert "Does the slope hold?" in page(client_of_bob, home)


def test_reading__treatments_that_share_a_control_or_a_model__count_once(home):
    made = samples.programme(home, 60)
    first = load(home, T0)
    for one in made[:30]:  # a second treatment with the same effects in half of the experiments
        kept = EffectVector.objects.get(experiment=one)
        kept.pk = None
        kept.variant = Variant.objects.create(experiment=one, key="second", name="Second", position=2, weight=1)
        kept.save()
    found = read(home)
    (finding,) = found.findings
    assert (len(first), finding.experiments, finding.independent) == (60, 90, 60)
    assert any("30 of 90 treatments share a control" in text for text in found.warnings)


def test_reading__an_archive_of_shipped_ones__is_warned_of(home):
    for one in samples.programme(home, 40):
        Experiment.objects.filter(pk=one.pk).update(shipped_variant=one.variants.get(position=1), shipped_at=T0)
    assert any("archive of winners" in text for text in read(home).warnings)


def test_reading__an_archive_of_clear_results__is_warned_of(home):
    samples.programme(home, 300)
    kept = EffectVector.objects.all()
    unclear = [one.pk for one in kept if abs(one.log_lifts[1]) < 1.96 * one.log_covariance[2] ** 0.5]
    EffectVector.objects.filter(pk__in=unclear).delete()
    assert any("only those that came out clearly" in text for text in read(home).warnings)


def test_reading__one_experiment_that_carries_it_all__is_named(home):
    odd = samples.programme(home, 60, slope=0.0)[7]
    kept = EffectVector.objects.get(experiment=odd)
    kept.log_lifts = [0.8, 0.7]
    kept.save()
    detail = read(home).detail
    assert detail.influence.name == odd.name
    assert [check.ok for check in detail.checks if check.name == "A handful"] == [False]


def test_reading__of_a_family_and_a_time__is_about_those(home):
    samples.programme(home, 30, seed=1)
    samples.programme(home, 50, seed=2, family=True)
    assert read(home, family="ranker").experiments == 50
    assert read(home, period="quarter").experiments == 80
    later = T0.replace(year=T0.year + 1)
    assert proxies.read(home, Question(period="quarter"), later).experiments == 0


def test_offline__a_point_of_ndcg__has_meant_about_a_per_cent_of_clicks(home):
    samples.programme(home, 80, family=True, signal=4.0)
    clicks, revenue = read(home).detail.offline
    assert (clicks.offline_metric, clicks.metric, revenue.metric) == ("NDCG@10", PROXY, BUSINESS)
    assert clicks.identified
    assert clicks.interval[0] < 1.0 < clicks.interval[1]
    assert clicks.prediction_interval[0] < 0.01 < clicks.prediction_interval[1]
    assert "+1 point of NDCG@10 may be expected to mean" in clicks.sentence


def test_business__is_the_north_star_else_money(home, alice):
    samples.programme(home, 30, others=["sign-ups"])
    assert read(home).business == BUSINESS
    assert north_star.choose(home, Metric.objects.get(key="sign-ups"), alice, "we live on them")
    assert not north_star.choose(home, Metric.objects.get(key="sign-ups"), alice)
    assert read(home).business == "sign-ups"
    assert AuditEntry.objects.get(action="project.north-star").after == {"north_star": "sign-ups"}
    assert read(home, business=PROXY).business == PROXY


def test_page__says_the_answer_its_ground_and_the_naive_line(home, client_of_bob):
    samples.programme(home, 120, others=["sign-ups"])
    said = page(client_of_bob, home)
    assert "A gain in click-through has meant a gain in revenue per user." in said
    assert "Can be trusted" in said
    assert "With each experiment&#x27;s own noise taken out" in said
    assert "1 to 25 of 120" in said
    assert "26 to 50 of 120" in page(client_of_bob, home, "?page=2")


def test_page__of_a_stranger__is_404_and_odd_questions_do_no_harm(home, client_of_charlie, client_of_bob):
    assert client_of_charlie.get(reverse("evidence", args=[home.slug])).status_code == 404
    assert client_of_charlie.post(reverse("evidence_renew", args=[home.slug])).status_code == 404
    samples.programme(home, 20)
    for query in ("?business=nothing", "?page=0", "?units=1", "?gain=x", "?period=ever", "?family=none", "?page=9999"):
        assert "Every metric against revenue per user" in page(client_of_bob, home, query)


@pytest.mark.parametrize("count", [10, 60])
def test_page__more_experiments__cost_no_more_queries(home, client_of_bob, count, django_assert_max_num_queries):
    samples.programme(home, count)
    page(client_of_bob, home)
    with django_assert_max_num_queries(9):
        page(client_of_bob, home)


def test_readings__are_kept_until_newer_data_is_there(home, monkeypatch):
    samples.programme(home, 30)
    first = readings.proxies_of(home, Question())
    monkeypatch.setattr(readings.proxies, "read", lambda *_: pytest.fail("made again"))
    again = readings.proxies_of(home, Question())
    assert (again.made_at, again.stale) == (first.made_at, False)


def test_readings__of_slow_questions__are_shown_stale_and_made_anew_by_the_task_once(home, monkeypatch):
    samples.programme(home, 30)
    asked = Question()
    readings.proxies_of(home, asked)
    ProgrammeReading.objects.update(seconds=9.0)
    samples.programme(home, 10, seed=2)
    monkeypatch.setattr(readings, "_ask_for", lambda *_: None)
    stale = readings.proxies_of(home, asked)
    assert (stale.stale, stale.reading.experiments) == (True, 30)
    tasks.renew_reading(home.pk, asked.word)
    tasks.renew_readings()
    made_at = ProgrammeReading.objects.get().made_at
    tasks.renew_reading(home.pk, asked.word)
    assert ProgrammeReading.objects.get().made_at == made_at
    assert readings.proxies_of(home, asked).reading.experiments == 40


def test_renew__reads_the_newest_now(home, client_of_bob):
    samples.programme(home, 30)
    page(client_of_bob, home)
    answer = client_of_bob.post(reverse("evidence_renew", args=[home.slug]), {"period": "year"})
    assert answer.url == reverse("evidence", args=[home.slug]) + "?period=year"


def test_vectors__read_in_binary__are_the_numbers(home):
    samples.programme(home, 3)
    for one, kept in zip(load(home, T0), EffectVector.objects.order_by("experiment_id"), strict=True):
        assert one.log_lifts.tolist() == kept.log_lifts
        assert one.log_covariance[0].tolist() == kept.log_covariance[:2]
        assert one.folds.shape == (10, 2)
        assert one.variances == pytest.approx(np.array(kept.covariance)[[0, 2]])
