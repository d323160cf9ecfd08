"""What simulated shoppers do becomes events that count once and in the right order."""

from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest

from config.demo.predictions import scores
from config.demo.shop import NO_EFFECT, behaviour, open_shop
from config.demo.traffic import LAST_EVENT_DELAY, Names, activity, events, exposures, timeline

START = datetime(2026, 3, 2, tzinfo=UTC)
NAMES = Names(experiment="e", experiment_name="E", variants=(("control", "Old"), ("treatment", "New")), prefix="e-s1")
SHOP = open_shop(300, days=5, first_weekday=0, seed=4)
NOBODY_KNOWS = np.zeros(300, np.int64)


def sent(until: float | None = None, exposed: np.ndarray | None = None) -> list[dict]:
    acts = behaviour(SHOP.settings, SHOP.shoppers, SHOP.during, {0: NO_EFFECT}, NOBODY_KNOWS)
    seen = np.ones(300, dtype=bool) if exposed is None else exposed
    when = timeline(SHOP.during, exposures(SHOP.during, seen) | activity(acts), until)
    return list(events(NAMES, START, SHOP.during, acts, when, NOBODY_KNOWS, "during"))


def test_events__sent_twice__carry_the_same_ids_and_times():
    assert sent() == sent()


def test_scores__of_a_drifting_model__fall_for_the_treatment_after_ten_days_and_touch_nothing_else():
    shop = open_shop(300, days=14, first_weekday=0, seed=4)
    variant = np.arange(300) % 2
    sound, drifted = (scores(shop.shoppers, shop.during, variant, drift) for drift in (0.0, -0.5))
    late = shop.during.second >= 10 * 86_400
    felt = late & (variant[shop.during.shopper] == 1)
    assert (drifted[felt] == sound[felt] / 2).all()
    assert (drifted[~felt] == sound[~felt]).all()
    assert ((sound >= 0) & (sound <= 1)).all()


def test_events__with_scores__say_them_with_the_exposures_alone():
    acts = behaviour(SHOP.settings, SHOP.shoppers, SHOP.during, {0: NO_EFFECT}, NOBODY_KNOWS)
    when = timeline(SHOP.during, exposures(SHOP.during, np.ones(300, dtype=bool)) | activity(acts))
    predicted = scores(SHOP.shoppers, SHOP.during, NOBODY_KNOWS)
    found = list(events(NAMES, START, SHOP.during, acts, when, NOBODY_KNOWS, "during", predicted))
    assert {event["event"] for event in found if "score" in event["properties"]} == {"Experiment Viewed"}
    assert all("score" in event["properties"] for event in found if event["event"] == "Experiment Viewed")


def test_events__message_ids_are_unique_and_short_enough():
    ids = [event["messageId"] for event in sent()]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) < 100


def test_events__come_in_the_order_of_their_time():
    times = [event["timestamp"] for event in sent()]
    assert times == sorted(times)


def test_events__a_shoppers_first_is_an_exposure_seconds_before_anything_else():
    by_shopper = defaultdict(list)
    for event in sent():
        by_shopper[event["userId"]].append(event)
    assert len(by_shopper) == 300
    for own in by_shopper.values():
        assert own[0]["event"] == "Experiment Viewed"
        first, second = (datetime.fromisoformat(event["timestamp"]) for event in own[:2])
        assert (second - first).total_seconds() >= 5


def test_events__of_a_shopper_who_is_not_exposed__tell_everything_but_the_exposure():
    exposed = np.ones(300, dtype=bool)
    exposed[7] = False
    hidden = [event["event"] for event in sent(exposed=exposed) if event["userId"] == NAMES.shopper(7)]
    assert "Product List Viewed" in hidden
    assert "Experiment Viewed" not in hidden


def test_timeline__cut_off_at_noon__keeps_whole_pages_alone():
    noon = 2.5 * 86_400
    kept = sent(until=noon)
    last = max(datetime.fromisoformat(event["timestamp"]) for event in kept)
    assert (last - START).total_seconds() <= noon
    clicks = sum(event["event"] == "Product Clicked" for event in kept)
    acts = behaviour(SHOP.settings, SHOP.shoppers, SHOP.during, {0: NO_EFFECT}, NOBODY_KNOWS)
    assert clicks == int(acts.clicked[SHOP.during.second + LAST_EVENT_DELAY <= noon].sum())


def test_order__names_its_value_as_segment_does():
    order = next(event for event in sent() if event["event"] == "Order Completed")["properties"]
    assert set(order) == {"order_id", "revenue", "total", "currency", "products"}
    assert order["total"] - order["revenue"] == pytest.approx(4.9 if order["revenue"] < 50 else 0)
    assert order["products"][0]["price"] == order["revenue"]


def test_exposure__names_experiment_and_variant_by_key_and_name():
    exposure = next(event for event in sent() if event["event"] == "Experiment Viewed")["properties"]
    assert exposure == {
        "experiment_id": "e",
        "experiment_name": "E",
        "variation_id": "control",
        "variation_name": "Old",
    }
