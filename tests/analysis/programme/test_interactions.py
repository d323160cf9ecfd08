"""Pairs of experiments that run at the same time: tested on the units themselves, or said why not."""

import re
from datetime import timedelta

import numpy as np
import pytest
from django.db import OperationalError
from django.urls import reverse

from analysis.alerts.kinds import AlertKind
from analysis.models import Alert, Enrolment, InteractionScan, UnitDay
from analysis.programme import cells, interactions, tasks
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric, Layer
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NOW = T0 + 10 * DAY


def pair(home, *, first: float = 0.05, second: float = 0.05, both: float = 0.0, units: int = 2600, seed: int = 1):
    """Two experiments on the same units, each of which moves a purchase rate of 30 %; ``both`` comes on top."""
    rate = builders.metric(home)
    one = builders.experiment(home, "ranker", primary=rate)
    two = builders.experiment(home, "banner", primary=rate)
    enrol(one, two, units, seed, lambda a, b: 0.3 + first * a + second * b + both * a * b)
    return one, two


def enrol(one, two, units, seed, chance):
    rng = np.random.default_rng(seed)
    in_one, in_two = rng.integers(0, 2, units), rng.integers(0, 2, units)
    for experiment, places in ((one, in_one), (two, in_two)):
        variants = list(experiment.variants.all())
        Enrolment.objects.bulk_create(
            Enrolment(experiment=experiment, unit=f"u{i}", variant=variants[place], first_at=T0, bucket=i % 50)
            for i, place in enumerate(places)
        )
    bought = rng.random(units) < chance(in_one, in_two)
    for experiment in (one, two):
        for use in experiment.plan.all():
            UnitDay.objects.bulk_create(
                UnitDay(
                    experiment=experiment, metric=use.metric, unit=f"u{i}", day=T0.date(), numerator=1, denominator=0
                )
                for i in np.flatnonzero(bought)
            )


def page(client, home) -> str:
    response = client.get(reverse("evidence_interactions", args=[home.slug]))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def test_cells__are_those_of_the_units(shop):
    one, two = pair(shop, units=400)
    counts = cells.shared(one, two)
    assert sum(counts.values()) == 400
    rate = one.plan.get().metric
    found = cells.estimates(one, two, rate, one)
    bought = set(UnitDay.objects.filter(experiment=one).values_list("unit", flat=True))
    for (a, b), estimate in found.items():
        mine = set(Enrolment.objects.filter(experiment=one, variant=a).values_list("unit", flat=True))
        mine &= set(Enrolment.objects.filter(experiment=two, variant=b).values_list("unit", flat=True))
        assert estimate.n == counts[a, b] == len(mine)
        assert estimate.value == pytest.approx(len(mine & bought) / len(mine))


def test_scan__of_effects_that_add_up__sees_nothing(shop):
    pair(shop)
    assert interactions.scan(shop, NOW) == 1
    found = interactions.read(shop, NOW)
    (told,) = found.pairs
    assert (told.units, told.reason, told.disturbed) == (2600, "", False)
    (test,) = told.tests
    assert test.interval[0] <= 0 <= test.interval[1]
    assert "No two experiments are seen to disturb each other" in found.headline
    assert not Alert.objects.exists()


def test_scan__of_a_pair_that_undoes_itself__calls_it_alerts_once_and_closes_when_it_is_over(shop):
    one, _ = pair(shop, first=0.15, second=0.15, both=-0.3)
    interactions.scan(shop, NOW)
    (told,) = interactions.read(shop, NOW).pairs
    assert told.disturbed
    assert told.tests[0].alone > 0.3
    assert told.tests[0].together < 0
    assert "Ranker changes purchase rate by +" in told.sentence
    InteractionScan.objects.update(seen="", scanned_at=NOW - DAY)
    interactions.scan(shop, NOW)
    alert = Alert.objects.get(kind=AlertKind.INTERACTION)
    assert (alert.key, alert.closed_at, alert.experiment) == ("ranker/banner", None, one)
    Experiment.objects.update(status=Status.STOPPED, stopped_at=T0 + 5 * DAY)
    later = T0 + 60 * DAY
    builders.experiment(shop, "third", started_at=later), builders.experiment(shop, "fourth", started_at=later)
    interactions.scan(shop, later)
    alert.refresh_from_db()
    assert alert.closed_at == later


def test_scan__what_cannot_be_told__says_why(shop):
    rate = builders.metric(shop)
    layer = Layer.objects.create(project=shop, key="l", name="L")
    for key in ("a", "b"):
        builders.experiment(shop, key, primary=rate, layer=layer, layer_ranges=[[0, 10]])
    builders.experiment(shop, "c", primary=rate)
    interactions.scan(shop, NOW)
    reasons = {(one.first, one.second): one.reason for one in interactions.read(shop, NOW).pairs}
    assert "share a layer" in reasons["a", "b"]
    assert "has 0 units" in reasons["a", "c"]


def test_scan__where_being_in_both_depends_on_one__refuses(shop):
    one, two = pair(shop)
    treated = Enrolment.objects.filter(experiment=one, variant=one.variants.get(position=1)).values("unit")
    lost = Enrolment.objects.filter(experiment=two, unit__in=treated).order_by("unit")[:250].values("unit")
    Enrolment.objects.filter(experiment=two, unit__in=list(lost.values_list("unit", flat=True))).delete()
    interactions.scan(shop, NOW)
    assert "depends on what one of them does" in interactions.read(shop, NOW).pairs[0].reason


def test_scan__a_primary_metric_of_another_kind__cannot_be_told(shop):
    pair(shop)
    for use in ExperimentMetric.objects.all():
        use.metric.kind, use.metric.property = MetricKind.DISTINCT, "colour"
        use.metric.save()
    interactions.scan(shop, NOW)
    assert "no primary metric" in interactions.read(shop, NOW).pairs[0].reason


def test_scan__a_pair_that_takes_too_long__is_said_to_be_so(shop, monkeypatch):
    pair(shop, units=10)

    def stuck(*_):
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(cells, "shared", stuck)
    interactions.scan(shop, NOW)
    assert "more units than can be added up" in InteractionScan.objects.get().reason


def test_scan__again_without_news__reads_nothing_and_keeps_what_it_was_tuned_for(shop, monkeypatch):
    pair(shop)
    interactions.scan(shop, NOW)
    tuned = InteractionScan.objects.get().tuned_for
    assert interactions.scan(shop, NOW + 2 * DAY) == 0
    InteractionScan.objects.update(seen="older")
    assert interactions.scan(shop, NOW + timedelta(hours=1)) == 0
    assert interactions.scan(shop, NOW + 2 * DAY) == 1
    assert InteractionScan.objects.get().tuned_for == tuned


def test_scan__of_many_pairs__takes_some_and_the_others_next_time(shop):
    for key in "abcd":
        builders.experiment(shop, key)
    assert interactions.scan(shop, NOW, most=4) == 4
    assert interactions.scan(shop, NOW, most=4) == 2
    assert interactions.scan(shop, NOW, most=4) == 0


def test_task__twice__does_the_same_and_a_project_that_fails_keeps_no_other_waiting(shop, monkeypatch, caplog):
    pair(shop, units=10)
    tasks.scan_interactions()
    tasks.scan_interactions()
    assert InteractionScan.objects.count() <= 1
    monkeypatch.setattr(tasks.interactions, "scan", lambda *_: 1 / 0)
    tasks.scan_interactions()
    assert "could not be scanned" in caplog.text


def test_read__corrects_over_all_pairs(shop):
    pair(shop, first=0.15, second=0.15, both=-0.3)
    interactions.scan(shop, NOW)
    kept = InteractionScan.objects.get()
    (alone,) = interactions.read(shop, NOW).pairs[0].adjusted
    for index in range(9):
        other = builders.experiment(shop, f"other-{index}")
        kept.pk, kept.second, kept.tests = None, other, [{**kept.tests[0], "p_value": 0.9}]
        kept.save()
    first = next(one for one in interactions.read(shop, NOW).pairs if one.second == "banner")
    assert first.adjusted[0] == pytest.approx(10 * alone)


def test_page__says_what_disturbs_what_and_what_cannot_be_told(shop, client_of_bob):
    pair(shop, first=0.15, second=0.15, both=-0.3)
    builders.experiment(shop, "third")
    interactions.scan(shop, NOW)
    Experiment.objects.update(started_at=NOW)
    said = page(client_of_bob, shop)
    assert "Ranker and Banner disturb each other." in said
    assert "2,600 units in both" in said
    assert "Pairs that cannot be told" in said


def test_page__without_pairs_and_of_a_stranger(shop, client_of_bob, client_of_charlie):
    assert "No two experiments run at the same time" in page(client_of_bob, shop)
    assert client_of_charlie.get(reverse("evidence_interactions", args=[shop.slug])).status_code == 404


def test_page__of_pairs_that_no_scan_has_seen__does_not_say_that_there_are_none(shop, client_of_bob):
    builders.experiment(shop, "one")
    builders.experiment(shop, "other")
    Experiment.objects.update(started_at=NOW)
    said = page(client_of_bob, shop)
    assert "1 pair waits for the next scan" in said
    assert "the first scan is to come" in said
    assert "No two experiments run" not in said


@pytest.mark.parametrize("count", [2, 6])
def test_page__more_pairs__cost_no_more_queries(shop, client_of_bob, count, django_assert_max_num_queries):
    for index in range(count):
        builders.experiment(shop, f"e{index}")
    interactions.scan(shop, NOW)
    with django_assert_max_num_queries(8):
        page(client_of_bob, shop)


def test_role__only_primaries_are_tested(shop):
    pair(shop)
    ExperimentMetric.objects.update(role=MetricRole.SECONDARY)
    interactions.scan(shop, NOW)
    assert "no primary metric" in interactions.read(shop, NOW).pairs[0].reason
