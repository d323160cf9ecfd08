"""The simulations of kinds know their own truth, and say when a report is beyond chance."""

from datetime import UTC, datetime

import numpy as np
import pytest

from config.demo.kinds import bandit, interleaving, offpolicy, running, switchback
from config.demo.kinds.trial import Truth
from tests import builders

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)


def wish(db_project, kind: str, **asked):
    given = {"kind": kind, "experiment": None, "size": None, "days": None, "seed": 1, "effect": None, **asked}
    return running.wish_of(running.Asked(**given), db_project, builders.user(), NOW)


@pytest.mark.parametrize(
    ("truth", "beyond", "words"),
    [(0.1, False, "inside"), (0.125, False, "outside"), (0.14, True, "outside")],
)
def test_truth__near_or_far__is_called_wrong_beyond_chance_alone(truth, beyond, words):
    one = Truth(name="gain", truth=truth, value=0.1, interval=(0.08, 0.12))
    assert (one.is_beyond_chance, words in one.line()) == (beyond, True)


def test_truth__nothing_reported__is_wrong():
    one = Truth(name="gain", truth=0.1, value=None, interval=None)
    assert one.is_beyond_chance
    assert "nothing" in one.line()


def test_wish__nothing_said__lies_in_whole_days_before_today_with_one_to_spare(db):
    found = wish(builders.project(), "bandit")
    assert (found.key, found.days, found.size, found.effect) == ("which-banner", 9, 9_000, 0.3)
    assert found.start == datetime(2026, 3, 10, tzinfo=UTC)


def test_offpolicy__no_effect__is_the_policy_that_ran_and_more_effect_earns_more():
    assert offpolicy.candidate(0) == pytest.approx(offpolicy.LOGGING)
    values = [float((offpolicy.candidate(effect) * offpolicy.RATES).sum()) for effect in (0, 0.5, 1)]
    assert values == sorted(values)
    assert offpolicy.candidate(1).sum(axis=1) == pytest.approx(1)


def test_interleaving__a_better_ranker__has_its_items_clicked():
    random = np.random.default_rng(1)
    votes = [interleaving._credit(interleaving.search(random, 0.8), f"s{i}") for i in range(2000)]
    level = [interleaving._credit(interleaving.search(random, 0.0), f"s{i}") for i in range(2000)]
    assert np.mean(votes) > 3 * np.std(votes) / np.sqrt(2000)
    assert abs(np.mean(level)) < 3.5 * np.std(level) / np.sqrt(2000)


def test_bandit__the_days__move_all_rates_alike():
    for day in range(9):
        now = bandit.on_day(0.3, day, 9)
        assert now - now[0] == pytest.approx(bandit.rates(0.3) - bandit.rates(0.3)[0])
        assert (now > 0).all()


def test_switchback__the_rates__add_up_to_what_was_asked(db):
    found = switchback._rates(wish(builders.project(), "switchback"), np.random.default_rng(1))
    assert found.sum() == pytest.approx(12_000)
    assert found.shape == (4, 14 * 12)
