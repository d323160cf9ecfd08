"""Interleaving: fair by exact enumeration, users as units, and how many fewer of them it needs."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.interleaving import (
    Preference,
    Sensitivity,
    Team,
    credit,
    every_draft,
    preference,
    sensitivity,
    team_draft,
)
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE

RANKINGS = st.permutations("abcde")


def test_every_draft__two_items_in_opposite_order__are_the_two_lists_with_equal_chance():
    found = Counter()
    for chance, draft in every_draft("ab", "ba", 2):
        found[draft.items, draft.teams] += chance
    c, t = Team.CONTROL, Team.TREATMENT
    assert found == {(("a", "b"), (c, t)): 0.5, (("b", "a"), (t, c)): 0.5}


def test_every_draft__the_textbook_example__has_its_probabilities():
    found = Counter()
    for chance, draft in every_draft("abcd", "bdca", 3):
        found[draft.items] += chance
    # control first: a b, then c or d; treatment first: b a, then c or d
    assert found == {("a", "b", "c"): 0.25, ("a", "b", "d"): 0.25, ("b", "a", "c"): 0.25, ("b", "a", "d"): 0.25}


@PURE
@given(RANKINGS, RANKINGS, st.integers(1, 5))
def test_every_draft__clicks_that_do_not_look_at_the_ranking__favour_nobody(control, treatment, length):
    total, expected = 0.0, 0.0
    for chance, draft in every_draft(control, treatment, length):
        assert len(set(draft.items)) == length
        ahead = draft.teams.count(Team.TREATMENT) - draft.teams.count(Team.CONTROL)
        assert abs(ahead) <= 1
        total += chance
        expected += chance * credit(draft, draft.items)
    assert total == pytest.approx(1.0)
    assert expected == pytest.approx(0.0)


@PURE
@given(RANKINGS, RANKINGS, st.sampled_from("abcde"))
def test_every_draft__rankers_swapped__turn_the_expected_credit_round(control, treatment, clicked):
    def expected(a, b):
        return sum(chance * credit(draft, clicked) for chance, draft in every_draft(a, b, 3))

    assert expected(control, treatment) == pytest.approx(-expected(treatment, control))
    assert expected(control, control) == pytest.approx(0.0)


def test_team_draft__drawn_often__has_the_enumerated_frequencies():
    random, draws = np.random.default_rng(1), 4000
    exact, seen = Counter(), Counter()
    for chance, draft in every_draft("abcd", "dbca", 3):
        exact[draft.items, draft.teams] += chance
    for _ in range(draws):
        one = team_draft("abcd", "dbca", 3, random)
        seen[one.items, one.teams] += 1
    assert set(seen) == set(exact)
    assert stats.chisquare([seen[one] for one in exact], [draws * p for p in exact.values()]).pvalue > 0.001


def test_team_draft__short_rankings__show_what_there_is():
    assert set(team_draft("ab", "bc", 10, np.random.default_rng(2)).items) == {"a", "b", "c"}
    assert team_draft([], [], 3, np.random.default_rng(2)).items == ()
    assert credit(team_draft("ab", "ba", 2, np.random.default_rng(2)), ["z"]) == 0


def preferred(users, scores) -> Preference:
    found = preference(users, scores)
    assert isinstance(found, Preference), found
    return found


def test_preference__users_means__are_scipys_t_and_sign_tests():
    random = np.random.default_rng(3)
    users, scores = random.integers(0, 80, 1000), random.integers(-1, 3, 1000)
    mine = np.array([scores[users == u].mean() for u in np.unique(users)])
    found = preferred(users, scores)
    assert found.value == pytest.approx(mine.mean())
    assert found.p_value == pytest.approx(stats.ttest_1samp(mine, 0).pvalue)
    up, down = (mine > 0).sum(), (mine < 0).sum()
    assert found.sign_p_value == pytest.approx(stats.binomtest(int(up), int(up + down)).pvalue)
    assert (found.for_treatment, found.for_control) == (up, down)
    assert found.undecided == len(mine) - up - down


@pytest.mark.parametrize("runs", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_preference__heavy_users_without_any_preference__are_called_as_rarely_as_promised(runs):
    random = np.random.default_rng(4)
    called = impressions = 0
    for _ in range(runs):
        users = np.repeat(np.arange(60), random.geometric(0.05, 60))
        taste = random.choice([-0.8, 0.8], 60)[users]
        scores = np.where(random.random(len(users)) < (1 + taste) / 2, 1, -1)
        called += preferred(users, scores).p_value < 0.05
        impressions += stats.ttest_1samp(scores, 0).pvalue < 0.05
    assert called / runs == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / runs))
    assert impressions / runs > 0.3


@PURE
@given(st.integers(0, 500))
def test_preference__sign_turned__flips_and_its_interval_goes_with_its_test(seed):
    random = np.random.default_rng(seed)
    users, scores = random.integers(0, 30, 200), random.normal(0.1, 1, 200)
    one, other = preferred(users, scores), preferred(users, -scores)
    assert other.value == pytest.approx(-one.value)
    assert other.p_value == pytest.approx(one.p_value)
    assert (one.interval[0] <= 0 <= one.interval[1]) == (one.p_value >= 0.05)


def test_preference__one_user_or_no_spread__is_not_computable():
    assert isinstance(preference([1, 1], [1, 0]), NotComputable)
    assert isinstance(preference([1, 2, 3], [1, 1, 1]), NotComputable)


def test_sensitivity__both_planned__simulated_power_is_as_asked():
    random = np.random.default_rng(5)
    found = preferred(np.arange(5000), random.normal(0.2, 1.0, 5000))
    needed = sensitivity(found, effect=0.05, unit_variance=1.0)
    assert isinstance(needed, Sensitivity)
    n = math.ceil(needed.interleaved)
    called = np.mean(stats.ttest_1samp(random.normal(found.value, 1, (4000, n)), 0, axis=1).pvalue < 0.05)
    assert called == pytest.approx(0.8, abs=0.03)
    assert needed.ratio == pytest.approx(4 * found.value**2 / found.spread**2 / 0.05**2)
    assert isinstance(sensitivity(found, effect=0.0, unit_variance=1.0), NotComputable)
