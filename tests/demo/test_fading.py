"""The demo's archive and its launch that did not last."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analysis.models import PastEffect, PastImport
from analysis.stats.decay import Decay, decay, promised
from assignment.engine.hashing import bucket_of
from config.demo import archive, fading, project
from config.demo.catalogue import FADED, HELD_BACK, SHIPPED
from config.demo.drive import short
from config.demo.project import reproducible_salt
from config.demo.shop import NO_EFFECT, behaviour, open_shop
from experiments import lifecycle
from experiments.domain.kinds import ExperimentKind
from experiments.models import AuditEntry, Experiment
from tests.demo.test_stories import WEEKDAYS, lift, log_lift

TODAY = date(2026, 11, 30)


def test_rows__have_the_slope_that_they_are_drawn_with():
    seen: dict[str, list[float]] = {}
    for _, _, _, metric, _, mean, _, _, control, _ in archive.rows(TODAY):
        seen.setdefault(metric, []).append(np.log(float(mean) / float(control)))
    clicks, orders = np.array(seen["click-through"]), np.array(seen["orders-per-shopper"])
    assert len(clicks) == archive.COUNT
    naive = np.polyfit(clicks, orders, 1)[0]
    error = np.std(orders - naive * clicks) / np.std(clicks) / np.sqrt(archive.COUNT)
    pulled = (0.35 * 0.05**2 + 0.5 * 0.9 * 2.6 * 2 / 3_500) / (0.05**2 + 0.9**2 * 2 / 3_500)
    assert abs(naive - pulled) < 3 * error


def test_rows__revenue_is_orders_times_order_value():
    seen: dict[tuple[str, str], float] = {}
    for experiment, _, _, metric, _, mean, *_ in archive.rows(TODAY):
        seen[experiment, metric] = float(mean)
    for one in {experiment for experiment, _ in seen}:
        made = seen[one, "orders-per-shopper"] * seen[one, "order-value"]
        assert seen[one, "revenue-per-shopper"] == pytest.approx(made, rel=1e-6)


def test_rows__end_months_before_today_in_order():
    ended = [row[2] for row in archive.rows(TODAY)]
    assert ended == sorted(ended)
    assert ended[-1] == str(TODAY - timedelta(days=archive.LAST_DAYS_AGO))


@pytest.mark.django_db
def test_archive__twice__is_imported_once_and_leaves_nothing_out():
    shop, user = project.ensure_demo_shop()
    for _ in range(2):
        archive.ensure_north_star(shop, user)
        archive.ensure_archive(shop, user, TODAY)
    kept = PastImport.objects.get()
    assert (kept.treatments, kept.left) == (archive.COUNT, {})
    assert set(Counter(PastEffect.objects.values_list("family", flat=True))) == set(archive.FAMILIES)
    assert shop.north_star.key == archive.NORTH_STAR
    assert AuditEntry.objects.filter(project=shop, action="past.import").count() == 1


@pytest.mark.django_db
def test_ship__twice__keeps_one_holdback_whose_parts_follow_each_other():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, SHIPPED)
    start = datetime(2026, 9, 19, tzinfo=UTC)
    project.start_in_the_past(experiment, user, start)
    end = start + timedelta(days=SHIPPED.days)
    lifecycle.stop(experiment, user, SHIPPED.why_stopped, at=end)
    held = fading.ship(experiment, user)
    assert fading.ship(experiment, user) == held
    assert Experiment.objects.filter(kind=ExperimentKind.HOLDBACK.value).get().started_at == end
    first, second = fading.drives(experiment, held)
    assert (first.start, second.start) == (end, end + timedelta(days=FADED[0].days))
    assert first.story.key == experiment.key
    assert (first.names.experiment, first.names.variants[0][0]) == (held.key, "control")
    assert first.names.prefix != second.names.prefix
    assert first.story.effects.ctr > 5 * second.story.effects.ctr > 0


def test_faded__fills_the_time_from_the_launch_to_this_morning_without_a_gap():
    assert sum(part.days for part in FADED) == SHIPPED.ended


def blocks(weekday: int) -> tuple[list[float], list[float]]:
    """Return log lifts of clicks a page in each two weeks since the launch, and their variances."""
    salt, lifts, variances = reproducible_salt(SHIPPED.key, SHIPPED.seed), [], []
    for number, part in enumerate(FADED, start=1):
        shop = open_shop(part.shoppers, part.days, weekday, part.seed)
        names = (f"{short(SHIPPED.key)}-after-{number}-{k:06d}" for k in range(part.shoppers))
        variant = np.array([bucket_of(salt, name) >= HELD_BACK for name in names]).astype(np.int64)
        acts = behaviour(shop.settings, shop.shoppers, shop.during, {0: NO_EFFECT, 1: part.effects}, variant)
        for begin in range(0, part.days - 13, 14):  # whole blocks only, as the product reads them
            now = (shop.during.second // 86_400 >= begin) & (shop.during.second // 86_400 < begin + 14)
            who = shop.during.shopper[now]
            y = np.bincount(who, weights=acts.clicked[now].astype(float), minlength=part.shoppers)
            x = np.bincount(who, minlength=part.shoppers).astype(float)
            effect, error = log_lift(variant, y, x)
            lifts.append(effect)
            variances.append(error**2)
    return lifts, variances


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_launch__is_a_clear_gain_that_has_clearly_gone_on_whatever_weekday(weekday: int):
    effect, error = lift(SHIPPED.key, weekday, "clicks", "pages")
    assert effect / error > 4
    revenue, its_error = lift(SHIPPED.key, weekday, "revenue", "shoppers")
    assert revenue / its_error > 2.8, "else the rule says: look before you ship, and it could not be shipped"
    latency, its_error = lift(SHIPPED.key, weekday, "ms", "pages")
    assert latency + 2 * its_error < 0.05, "the guardrail's limit"
    lifts, variances = blocks(weekday)
    found = decay(promised(effect, error, None), lifts, np.diag(variances))
    assert isinstance(found, Decay)
    assert found.decayed
    assert found.e_value > 200, "the alarm rings at 100"
    low, high = found.lately_interval
    assert low < np.log1p(FADED[-1].effects.ctr) < high
    assert high < effect
