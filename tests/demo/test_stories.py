"""Each experiment of the demo tells its story on whatever weekday somebody starts it."""

import math
from dataclasses import astuple
from functools import cache

import numpy as np
import pytest

from assignment.engine.hashing import bucket_of
from config.demo.catalogue import METRICS, MODELS, STORIES, Story, story
from config.demo.drive import names_of
from config.demo.project import reproducible_salt
from config.demo.shop import NO_EFFECT, TrueLifts, behaviour, lost_exposures, open_shop, true_lifts

VARIANTS = [("control", "Control"), ("treatment", "Treatment")]
WEEKDAYS = range(7)


@cache
def units(key: str, weekday: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Each enrolled shopper's variant and totals, as the product would assign and count them."""
    told = story(key)
    assert told is not None
    names, salt = names_of(told, VARIANTS), reproducible_salt(told.key, told.seed)
    variant = np.array([bucket_of(salt, names.shopper(n)) >= 5_000 for n in range(told.shoppers)]).astype(np.int64)
    shop = open_shop(told.shoppers, told.days, weekday, told.seed)
    acts = behaviour(shop.settings, shop.shoppers, shop.during, {0: NO_EFFECT, 1: told.effects}, variant)
    lost = np.zeros(told.shoppers, dtype=bool)
    if told.lost_exposures:
        lost = lost_exposures(shop.shoppers, variant == 1, told.lost_exposures)
    columns = {
        "pages": np.ones(shop.during.count),
        "clicks": acts.clicked,
        "revenue": acts.cents,
        "ms": acts.latency_ms,
    }
    totals = {
        name: np.bincount(shop.during.shopper, weights=column.astype(float), minlength=told.shoppers)[~lost]
        for name, column in columns.items()
    }
    return variant[~lost], {**totals, "shoppers": np.ones(int((~lost).sum()))}


def lift(key: str, weekday: int, numerator: str, denominator: str) -> tuple[float, float]:
    """The log of T/C and its standard error, by the delta method over shoppers (Deng, Knoblich, Lu 2018)."""
    variant, totals = units(key, weekday)
    return log_lift(variant, totals[numerator], totals[denominator])


def log_lift(variant: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """The same from one number a unit, each of shape (units,)."""
    logs, variances = [], []
    for mine in (variant == 0, variant == 1):
        logs.append(math.log(y[mine].mean() / x[mine].mean()))
        variances.append((y[mine] / y[mine].mean() - x[mine] / x[mine].mean()).var(ddof=1) / mine.sum())
    return logs[1] - logs[0], math.sqrt(sum(variances))


def split_z(key: str, weekday: int) -> float:
    variant, _ = units(key, weekday)
    return float((2 * variant.sum() - len(variant)) / math.sqrt(len(variant)))


def z(key: str, weekday: int, numerator: str, denominator: str = "shoppers") -> float:
    effect, error = lift(key, weekday, numerator, denominator)
    return effect / error


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_v8__gains_clicks_and_revenue(weekday: int):
    assert z("search-ranker-v8", weekday, "clicks", "pages") > 3
    assert z("search-ranker-v8", weekday, "revenue") > 3


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_v8_clicks__gains_clicks_and_no_revenue(weekday: int):
    assert z("search-ranker-v8-clicks", weekday, "clicks", "pages") > 6
    assert abs(z("search-ranker-v8-clicks", weekday, "revenue")) < 1.6


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_transformer__gains_clicks_and_crosses_the_latency_margin(weekday: int):
    key = "search-ranker-v9-transformer"
    assert z(key, weekday, "clicks", "pages") > 2.5
    slower, error = lift(key, weekday, "ms", "pages")
    assert math.expm1(slower - 2 * error) > 0.05


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_basket__loses_so_many_exposures_that_the_split_is_beyond_doubt(weekday: int):
    # 4.9 standard errors is p = 1e-6, far below the product's threshold for a broken split.
    assert split_z("basket-recommender-v3", weekday) < -4.9
    assert z("basket-recommender-v3", weekday, "clicks", "pages") > 2, "the trap: it looks like a gain"


@pytest.mark.parametrize("told", [told for told in STORIES if not told.lost_exposures], ids=lambda told: told.key)
def test_every_other_story__has_a_sound_split(told: Story):
    assert abs(split_z(told.key, 0)) < 2


def test_clicks_story__is_true_and_not_luck():
    told = story("search-ranker-v8-clicks")
    assert told is not None
    truth = true_lifts(told.effects, told.days, 0)
    assert truth.click_through > 0.1
    assert abs(truth.revenue_per_shopper) < 0.001


def test_broken_story__has_no_true_effect_at_all():
    told = story("basket-recommender-v3")
    assert told is not None
    assert set(astuple(true_lifts(told.effects, told.days, 0))) == {0.0}


def test_catalogue__names_metrics_models_and_truths_that_exist():
    metrics = {metric.key for metric in METRICS}
    models = {(model.name, model.version) for model in MODELS}
    assert all(use.metric in metrics for told in STORIES for use in told.plan)
    assert all((s.model, s.version) in models for told in STORIES for s in (told.control, told.treatment))
    assert {metric.truth for metric in METRICS} == set(TrueLifts.__dataclass_fields__)


def test_stories__one_is_still_running_and_the_others_have_ended():
    assert [told.key for told in STORIES if told.ended is None] == ["live-ranker"]
    assert len(STORIES) >= 4
