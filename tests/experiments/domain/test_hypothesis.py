"""What a hypothesis names, and which earlier ones resemble it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.hypothesis import ASKS, LONGEST_QUOTE, Part, is_complete, read
from experiments.domain.similarity import similar

METRICS = ["Purchase rate", "Revenue per shopper", "Page latency", "Click-through"]

WHOLE = [
    "If we rank by the gradient-boosted model, purchases rise, because it knows the season.",
    "Replacing the red button with a green one increases click-through, since it stands out.",
    "Ranker v2 shows better products first, so that revenue per shopper grows.",
    "By sending the reminder a day earlier we get fewer slow pages: page latency drops because caches are warm.",
    "We show delivery dates on the list. Purchase rate goes up because people need not guess.",
    "When free shipping starts at 30 euro, the purchase rate falls less in winter due to the gift season.",
]
LACKS = [
    ("", set(Part)),
    ("It will be great.", set(Part)),
    ("Purchases rise, because the season is known.", {Part.CHANGE}),
    ("If we rank anew, everything rises, because it knows the season.", {Part.METRIC}),
    ("If we rank anew, purchases move, because it knows the season.", {Part.DIRECTION}),
    ("If we rank by the new model, purchases rise.", {Part.REASON}),
]


@pytest.mark.parametrize("text", WHOLE)
def test_read__a_whole_hypothesis__finds_all_four_parts(text: str):
    assert [found.part for found in read(text, METRICS) if not found.ok] == []
    assert is_complete(text, METRICS)


@pytest.mark.parametrize(("text", "lacking"), LACKS)
def test_read__what_is_left_out__is_asked_for(text: str, lacking: set[Part]):
    found = read(text, METRICS)
    assert {one.part for one in found if not one.ok} == lacking
    assert all(one.says == ASKS[one.part] for one in found if not one.ok)


def test_read__a_metric_by_its_telling_words__is_the_one_of_the_catalogue():
    assert read("revenues rise", METRICS)[1].words is None  # which revenue is not said
    assert read("the revenue of each shopper rises", METRICS)[1].words == "Revenue per shopper"


@given(st.text(max_size=400), st.lists(st.text(max_size=30), max_size=4))
def test_read__any_text__answers_four_short_parts(text, metrics):
    found = read(text, metrics)
    assert [one.part for one in found] == list(Part)
    assert all(one.words is None or one.part is Part.METRIC or len(one.words) <= LONGEST_QUOTE for one in found)


PAST = {
    1: "Ranking by a gradient-boosted model raises purchases, because it knows the season",
    2: "A green checkout button raises orders, because it stands out",
    3: "Free shipping from 30 euro raises baskets",
}


def test_similar__the_nearest_first__and_nothing_where_nothing_is_near():
    assert [match.key for match in similar("A red checkout button stands out", PAST)] == [2]
    assert similar("Rank with the gradient-boosted model of winter", PAST)[0].key == 1
    assert similar("Push messages at night", PAST) == []
    assert similar("", PAST) == []
    assert similar("anything", {}) == []


@given(st.dictionaries(st.integers(0, 50), st.text(max_size=60), max_size=12), st.text(max_size=60))
def test_similar__scores__are_shares_in_falling_order(others, text):
    found = similar(text, others, most=5)
    assert len(found) <= 5
    assert all(0 < match.score <= 1 + 1e-9 for match in found)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)


@given(st.from_regex(r"[a-z]{4,9}( [a-z]{4,9}){2,5}", fullmatch=True))
def test_similar__the_same_text__is_found(text):
    found = similar(text, {1: text, 2: "zzzz qqqq"})
    assert not found or found[0].key == 1


@pytest.mark.parametrize("gap", ["…", "..."])
def test_read__a_gap_that_a_template_left__is_no_answer(gap: str):
    text = f"If we {gap}, then the purchase rate rises, because it {gap}."
    found = {one.part: one.words for one in read(text, ["Purchase rate"])}
    assert found == {"change": None, "metric": "Purchase rate", "direction": "rises", "reason": None}


def test_read__a_gap_before_the_answer__does_not_hide_it():
    found = {
        one.part: one.words for one in read("If we … it, by showing prices early, because … since people compare.")
    }
    assert found["change"] == "by showing prices early"
