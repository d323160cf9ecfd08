"""The shop's truth is what its shoppers do, and the same seed gives the same shop."""

from dataclasses import astuple, fields

import numpy as np
import pytest

from config.demo.shop import (
    NO_EFFECT,
    Effects,
    ParameterError,
    Shop,
    TrueLifts,
    behaviour,
    lost_exposures,
    open_shop,
    true_lifts,
)

MANY = 150_000
STRONG = Effects(ctr=0.12, purchase=-0.08, value=0.05, latency=0.10)


def totals(shop: Shop, effects: Effects) -> dict[str, float]:
    """What the whole population would do under one variant."""
    acts = behaviour(shop.settings, shop.shoppers, shop.during, {0: effects}, np.zeros(shop.shoppers.count, np.int64))
    buyers = np.unique(shop.during.shopper[acts.bought])
    return {
        "pages": shop.during.count,
        "clicks": float(acts.clicked.sum()),
        "orders": float(acts.bought.sum()),
        "buyers": float(len(buyers)),
        "revenue": float(acts.cents.sum()),
        "latency": float(acts.latency_ms.sum()),
    }


@pytest.mark.parametrize("effects", [STRONG, Effects(ctr=-0.2, purchase=0.3, value=-0.1, latency=-0.05)])
def test_true_lifts__agree_with_a_large_simulation(effects: Effects):
    shop = open_shop(MANY, days=10, first_weekday=2, seed=77)
    without, treated = totals(shop, NO_EFFECT), totals(shop, effects)
    lift = {name: treated[name] / without[name] for name in without}
    found = TrueLifts(
        click_through=lift["clicks"] - 1,
        purchase_rate=lift["buyers"] - 1,
        orders_per_shopper=lift["orders"] - 1,
        orders_per_click=lift["orders"] / lift["clicks"] - 1,
        order_value=lift["revenue"] / lift["orders"] - 1,
        revenue_per_shopper=lift["revenue"] - 1,
        page_latency=lift["latency"] - 1,
    )
    # About 28,000 orders; the draws are common to both, so only the orders that differ make noise.
    assert astuple(found) == pytest.approx(astuple(true_lifts(effects, days=10, first_weekday=2)), abs=0.015)


def test_true_lifts__without_any_effect__are_all_zero():
    assert astuple(true_lifts(NO_EFFECT, days=7, first_weekday=0)) == (0.0,) * len(fields(TrueLifts))


def test_true_lifts__clicks_up_and_conversion_down_by_the_same_factor__leave_revenue_where_it_was():
    truth = true_lifts(Effects(ctr=0.25, purchase=-0.2), days=14, first_weekday=0)
    assert truth.click_through == 0.25
    assert truth.revenue_per_shopper == pytest.approx(0)
    assert truth.purchase_rate == pytest.approx(0)


def test_shop__same_seed__is_the_same_shop():
    one, two = (open_shop(500, days=5, first_weekday=3, seed=9) for _ in range(2))
    for part in ("shoppers", "before", "during"):
        for item in fields(getattr(one, part)):
            left, right = getattr(getattr(one, part), item.name), getattr(getattr(two, part), item.name)
            assert np.array_equal(left, right), item.name


def test_shop__another_seed__is_another_shop():
    one, two = (open_shop(500, days=5, first_weekday=3, seed=seed) for seed in (9, 10))
    assert not np.array_equal(one.shoppers.click_share, two.shoppers.click_share)


def test_shop__every_shopper_comes_and_nobody_before_the_first_day():
    shop = open_shop(2_000, days=6, first_weekday=0, seed=1)
    assert set(shop.during.shopper.tolist()) == set(range(2_000))
    assert shop.during.second.min() > 0
    assert shop.during.second.max() < 6 * 86_400
    assert shop.before.second.max() < 0


def test_shop__weekends_are_busier_than_tuesdays():
    shop = open_shop(20_000, days=28, first_weekday=0, seed=1)
    weekday = (shop.during.second[shop.during.starts_visit] // 86_400).astype(int) % 7
    visits = np.bincount(weekday, minlength=7)
    assert visits[6] > visits[1] * 1.2


def test_behaviour__pages_and_visits_do_not_depend_on_the_variant():
    # Every closed form of the truth rests on this: effects touch what happens on a page, never how many there are.
    shop = open_shop(300, days=4, first_weekday=0, seed=2)
    without, treated = totals(shop, NO_EFFECT), totals(shop, STRONG)
    assert without["pages"] == treated["pages"]
    assert without["clicks"] != treated["clicks"]


def test_behaviour__a_shopper_feels_the_variant_that_is_theirs():
    shop = open_shop(4_000, days=4, first_weekday=0, seed=2)
    variant = np.arange(4_000) % 2
    acts = behaviour(shop.settings, shop.shoppers, shop.during, {0: NO_EFFECT, 1: Effects(latency=1.0)}, variant)
    slow = variant[shop.during.shopper] == 1
    assert acts.latency_ms[slow].mean() == pytest.approx(2 * acts.latency_ms[~slow].mean(), rel=0.05)


def test_effects__felt_together_multiply_and_one_over_itself_is_nothing():
    both = Effects(ctr=0.1) + Effects(ctr=0.1, value=0.2)
    assert both.ctr == pytest.approx(0.21)
    assert both.value == pytest.approx(0.2)
    assert astuple(both.over(both)) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ctr", 1.01), ("ctr", -0.95), ("purchase", 2.0), ("value", 6.0), ("latency", -1.0), ("ctr", float("nan"))],
)
def test_effects__out_of_range__name_the_option_and_what_is_allowed(name: str, value: float):
    with pytest.raises(ParameterError, match=rf"--{name}-effect is .* must lie between -0.9 and"):
        Effects(**{name: value})


def test_lost_exposures__hit_the_treated_alone_and_the_less_interested_more():
    shop = open_shop(20_000, days=2, first_weekday=0, seed=3)
    treated = np.arange(20_000) % 2 == 1
    lost = lost_exposures(shop.shoppers, treated, 0.15)
    assert not lost[~treated].any()
    assert lost.sum() / treated.sum() == pytest.approx(0.15, abs=0.015)
    assert shop.shoppers.click_share[lost].mean() < 0.8 * shop.shoppers.click_share[treated & ~lost].mean()


def test_lost_exposures__of_more_than_a_quarter__are_refused():
    shop = open_shop(10, days=1, first_weekday=0, seed=3)
    with pytest.raises(ParameterError, match=r"--lost-exposures is 0\.4; it must lie between 0 and 0\.25"):
        lost_exposures(shop.shoppers, np.ones(10, dtype=bool), 0.4)
