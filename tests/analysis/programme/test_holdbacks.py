"""Holdbacks held to their launch's promise: blocks from the units themselves, one alert when a lift is gone."""

import re
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse

from analysis.alerts.kinds import AlertKind
from analysis.models import Alert, EffectVector, Enrolment, HoldbackWatch, UnitDay
from analysis.programme import blocks, holdbacks, tasks
from analysis.stats.moments import Moments
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment
from tests import builders
from tests.analysis.programme import samples
from tests.builders import T0

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def launched(home, *, lift: float = 0.3, error: float = 0.03, kind=MetricKind.COUNT):
    """A launch that promised this, and its holdback since T0."""
    more = {"denominator_event": "Visit"} if kind is MetricKind.RATIO else {}
    orders = builders.metric(home, "orders", kind=kind, **more)
    parent = builders.experiment(home, "ranker", primary=orders, status=Status.STOPPED, started_at=T0 - 14 * DAY)
    treatment = parent.variants.get(position=1)
    Experiment.objects.filter(pk=parent.pk).update(shipped_variant=treatment, shipped_at=T0)
    parent.refresh_from_db()
    samples.vector(parent, treatment, ["orders"], [lift], np.array([[error**2]]), np.zeros((10, 1)), 40_000).save()
    held = builders.experiment(
        home, "ranker-holdback", primary=orders, kind=ExperimentKind.HOLDBACK, parent=parent, weights=(2000, 8000)
    )
    return parent, held, orders


def live(held, metric, weeks: int, lift, *, units: int = 1500, seed: int = 1) -> None:
    """Units that came over the first three weeks, with Poisson orders each week; ``lift(week)`` is the treatment's."""
    rng = np.random.default_rng(seed)
    control, treatment = held.variants.all()
    treated = rng.random(units) < 0.8
    came = rng.integers(0, 21, units)
    Enrolment.objects.bulk_create(
        Enrolment(
            experiment=held, unit=f"u{i}", variant=treatment if treated[i] else control,
            first_at=T0 + int(came[i]) * DAY, bucket=i % 50,
        )
        for i in range(units)
    )  # fmt: skip
    keen = rng.gamma(4.0, 0.25, units)
    rows = []
    for week in range(weeks):
        mean = keen * np.where(treated, 1 + lift(week), 1.0)
        orders = rng.poisson(mean) * (came <= 7 * week)
        rows += [
            UnitDay(
                experiment=held, metric=metric, unit=f"u{i}", day=(T0 + (7 * week + 3) * DAY).date(),
                numerator=int(orders[i]), denominator=0,
            )
            for i in np.flatnonzero(orders)
        ]  # fmt: skip
    UnitDay.objects.bulk_create(rows)


def page(client, home) -> str:
    response = client.get(reverse("evidence_holdbacks", args=[home.slug]))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def by_hand(held, metric, count: int):
    """Log lifts and their covariance from one row a unit, straight from the tables."""
    start = T0.date()
    values, cov = [], np.zeros((count, count))
    for variant in held.variants.all():
        units = list(Enrolment.objects.filter(experiment=held, variant=variant).order_by("unit"))
        entered = np.array([(one.first_at.date() - start).days // 14 for one in units])
        table = np.zeros((len(units), count))
        place = {one.unit: i for i, one in enumerate(units)}
        for row in UnitDay.objects.filter(experiment=held, unit__in=place):
            block = (row.day - start).days // 14
            if block < count:
                table[place[row.unit], block] += float(row.numerator)
        means = np.array([table[entered <= j, j].mean() for j in range(count)])
        for j in range(count):
            for k in range(j, count):
                both = entered <= j
                shared = Moments.from_values(table[both][:, [j, k]]).comoment[0, 1] / (both.sum() - 1)
                cov[j, k] += shared / (entered <= k).sum() / means[j] / means[k]
        values.append(means)
    return np.log(values[1] / values[0]), np.triu(cov) + np.triu(cov, 1).T


def test_blocks__are_those_of_the_units(shop):
    _, held, orders = launched(shop)
    live(held, orders, 8, lambda _: 0.3)
    found = blocks.effects(held, orders, 14, 4)
    lifts, covariance = by_hand(held, orders, 4)
    assert found.lifts == pytest.approx(lifts)
    assert found.covariance == pytest.approx(covariance)


def test_blocks__read_in_several_chunks__are_the_same(shop, monkeypatch):
    _, held, orders = launched(shop)
    live(held, orders, 6, lambda _: 0.3, units=400)
    whole = blocks.effects(held, orders, 14, 3)
    monkeypatch.setattr(blocks, "CHUNK_UNITS", 37)
    parts = blocks.effects(held, orders, 14, 3)
    assert parts.covariance == pytest.approx(whole.covariance)
    assert parts.lifts == pytest.approx(whole.lifts)


def test_blocks__of_a_ratio__are_numerator_over_denominator(shop):
    _, held, orders = launched(shop, kind=MetricKind.RATIO)
    live(held, orders, 4, lambda _: 0.3, units=600)
    UnitDay.objects.update(denominator=2)
    found = blocks.effects(held, orders, 14, 2)
    for place, variant in enumerate(held.variants.all()):
        own = Enrolment.objects.filter(experiment=held, variant=variant).values("unit")
        rows = UnitDay.objects.filter(unit__in=own, day__lt=(T0 + 14 * DAY).date())
        value = sum(float(one.numerator) for one in rows) / (2 * rows.count())
        if place == 0:
            control = value
    assert found.lifts[0] == pytest.approx(np.log(value / control))
    assert (np.diag(found.covariance) > 0).all()


def test_finished__counts_blocks_whose_late_events_have_come():
    assert blocks.finished(T0, 14, T0 + 14 * DAY) == 0
    assert blocks.finished(T0, 14, T0 + 16 * DAY) == 1
    assert blocks.span(T0, 14, 1)[0].date() == (T0 + 14 * DAY).date()


def test_watch__declares_before_it_looks_and_never_changes_it(shop):
    _, held, _ = launched(shop)
    assert holdbacks.watch(shop, T0 + DAY) == 0
    declared = HoldbackWatch.objects.get()
    assert (declared.effect, declared.standard_error) == (pytest.approx(0.3), pytest.approx(0.03))
    EffectVector.objects.update(log_lifts=[0.9])
    holdbacks.watch(shop, T0 + 2 * DAY)
    assert HoldbackWatch.objects.get().effect == declared.effect
    assert held.watch.metric == "orders"


def test_watch__promise__is_shrunk_where_enough_experiments_say_how(shop):
    _, _, _ = launched(shop)
    samples.metrics(shop)
    samples.programme(shop, 30, others=["orders"])
    holdbacks.watch(shop, T0 + DAY)
    assert HoldbackWatch.objects.get().effect < 0.29


def test_watch__a_lift_that_lasts__raises_nothing(shop):
    _, held, orders = launched(shop)
    live(held, orders, 12, lambda _: 0.35)
    assert holdbacks.watch(shop, T0 + 90 * DAY) == 1
    (fact,) = holdbacks.read(shop).holdbacks
    assert (fact.state, len(fact.blocks)) == ("Lasts so far", 6)
    assert fact.overall_interval[0] < 0.35 < fact.overall_interval[1]
    assert not Alert.objects.exists()


def test_watch__a_lift_that_is_gone__alerts_once_and_stays_called(shop):
    _, held, orders = launched(shop)
    live(held, orders, 16, lambda week: 0.35 if week < 6 else 0.0)
    holdbacks.watch(shop, T0 + 120 * DAY)
    mine = HoldbackWatch.objects.get()
    assert mine.decayed_at is not None
    alert = Alert.objects.get(kind=AlertKind.HOLDBACK_DECAYED)
    assert "is gone" in alert.sentence
    assert alert.experiment == held
    (fact,) = holdbacks.read(shop).holdbacks
    assert (fact.state, fact.since.date()) == ("Decayed", (T0 + 42 * DAY).date())
    assert fact.lately_interval[1] < 0.3
    assert "Its lift in orders is gone since about" in holdbacks.faded(shop)["ranker"]
    assert holdbacks.of_experiment(held) == fact
    assert holdbacks.of_experiment(held.parent) is None
    HoldbackWatch.objects.update(blocks=[], covariance=[])
    holdbacks.watch(shop, T0 + 120 * DAY)
    assert HoldbackWatch.objects.get().decayed_at == mine.decayed_at
    assert Alert.objects.count() == 1
    Experiment.objects.filter(pk=held.pk).update(status=Status.STOPPED, stopped_at=T0 + 121 * DAY)
    holdbacks.watch(shop, T0 + 122 * DAY)
    assert Alert.objects.get().closed_at is not None


def test_watch__again_before_the_next_block__reads_nothing(shop, monkeypatch):
    _, held, orders = launched(shop)
    live(held, orders, 4, lambda _: 0.35, units=300)
    assert holdbacks.watch(shop, T0 + 31 * DAY) == 1
    monkeypatch.setattr(blocks, "effects", lambda *_: pytest.fail("read again"))
    assert holdbacks.watch(shop, T0 + 31 * DAY) == 0


def test_watch__without_a_believable_launch_or_a_metric_of_blocks__says_so(shop):
    parent, _, orders = launched(shop)
    EffectVector.objects.all().delete()
    holdbacks.watch(shop, T0 + DAY)
    (fact,) = holdbacks.read(shop).holdbacks
    assert "no result that may be believed" in fact.sentence
    HoldbackWatch.objects.all().delete()
    orders.kind, orders.property = MetricKind.DISTINCT, "colour"
    orders.save()
    holdbacks.watch(shop, T0 + DAY)
    assert "block by block" in holdbacks.read(shop).holdbacks[0].sentence
    assert parent.shipped_at == T0


def test_watch__a_block_without_anybody__says_so(shop):
    launched(shop)
    holdbacks.watch(shop, T0 + 60 * DAY)
    assert "nobody on one side" in holdbacks.read(shop).holdbacks[0].sentence


def test_task__twice__does_the_same(shop, monkeypatch, caplog):
    launched(shop)
    tasks.watch_holdbacks()
    first = HoldbackWatch.objects.get().declared_at
    tasks.watch_holdbacks()
    assert HoldbackWatch.objects.get().declared_at == first
    monkeypatch.setattr(tasks.holdbacks, "watch", lambda *_: 1 / 0)
    tasks.watch_holdbacks()
    assert "could not be read" in caplog.text


def test_page__says_what_lasts_and_what_does_not(shop, client_of_bob, client_of_charlie):
    assert "Nothing that was shipped keeps a holdback" in page(client_of_bob, shop)
    _, held, orders = launched(shop)
    live(held, orders, 16, lambda week: 0.35 if week < 6 else 0.0)
    assert "Too early" in page(client_of_bob, shop)
    holdbacks.watch(shop, T0 + 120 * DAY)
    said = page(client_of_bob, shop)
    assert "The lift of Ranker is gone: the world changed." in said
    assert "Expected at the launch" in said
    assert "100 to 1 raises the alarm" in said
    assert client_of_charlie.get(reverse("evidence_holdbacks", args=[shop.slug])).status_code == 404


@pytest.mark.parametrize("count", [1, 6])
def test_page__more_holdbacks__cost_no_more_queries(shop, client_of_bob, count, django_assert_max_num_queries):
    _, held, _ = launched(shop)
    for index in range(count - 1):
        builders.experiment(shop, f"h{index}", kind=ExperimentKind.HOLDBACK, parent=held.parent)
    holdbacks.watch(shop, T0 + DAY)
    with django_assert_max_num_queries(8):
        page(client_of_bob, shop)
