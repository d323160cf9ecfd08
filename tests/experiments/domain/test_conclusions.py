"""What contradicts the rule, and which stage of its life an experiment is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.decisions.decision import Decision
from experiments.domain.conclusions import Choice, Recommendation, clean_tags, is_against, tags_problem
from experiments.domain.lifecycle import Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.stages import Facts, Stage, place


def test_recommendations__are_the_words_of_the_rule():
    assert {one.value for one in Recommendation} == {one.value for one in Decision}


@pytest.mark.parametrize("said", [one for one in Recommendation if one is not Recommendation.SHIP])
def test_is_against__whatever_else_the_rule_says__only_shipping_contradicts_it(said):
    assert [choice for choice in Choice if is_against(said, choice)] == [Choice.SHIP]


def test_is_against__a_proven_gain__keeping_the_control_contradicts_it():
    assert [choice for choice in Choice if is_against(Recommendation.SHIP, choice)] == [
        Choice.ROLL_BACK,
        Choice.ITERATE,
    ]


def test_is_against__before_the_rule_has_said_anything__nothing_does():
    assert not any(is_against("", choice) for choice in Choice)


def test_tags__as_typed__are_small_single_and_in_order():
    assert clean_tags(" Search,price  test; search,,") == ["search", "price test"]


@given(st.text(max_size=200))
def test_tags__of_any_text__are_stable(text):
    once = clean_tags(text)
    assert clean_tags(", ".join(once)) == once


def test_tags__too_many_or_too_long__are_refused_in_words():
    assert "11 tags; 10 are allowed" in (tags_problem([str(n) for n in range(11)]) or "")
    assert "longer than 40" in (tags_problem(["x" * 41]) or "")
    assert tags_problem(["fine"]) is None


def facts(**fields) -> Facts:
    return Facts(**{"status": Status.RUNNING, "day": 5, **fields})


READY = {"recommendation": "ship", "trustworthy": True}
STAGES = [
    (facts(status=Status.DRAFT), Stage.DRAFT, "has not started"),
    (facts(), Stage.RUNNING, "day 5 of 14"),
    (facts(status=Status.PAUSED), Stage.RUNNING, "paused on day 5"),
    (facts(trustworthy=False, recommendation="not trustworthy"), Stage.RUNNING, "a health check fails"),
    (facts(reading=ReadingPlan.ALWAYS_VALID, day=40), Stage.RUNNING, "allows for looking"),
    (facts(**READY), Stage.READY, "the rule says: ship"),
    (facts(status=Status.STOPPED, **READY), Stage.READY, "the rule says: ship"),
    (facts(waits_for_second=True, **READY), Stage.READY, "second person"),
    (facts(day=15), Stage.WRAP_UP, "planned days are over, and it has no result"),
    (facts(status=Status.STOPPED, trustworthy=False, recommendation="not trustworthy"), Stage.WRAP_UP, "believed"),
    (facts(status=Status.STOPPED, trustworthy=True, recommendation="too early"), Stage.WRAP_UP, "too early"),
    (facts(status=Status.STOPPED, decision=Choice.ITERATE), Stage.CONCLUDED, "keeps the control"),
    (facts(status=Status.STOPPED, decision=Choice.SHIP, is_shipped=True), Stage.CONCLUDED, "decided: ship"),
]


@pytest.mark.parametrize(("given_facts", "stage", "words"), STAGES)
def test_place__each_state__has_its_stage_a_reason_and_a_next_step(given_facts, stage, words: str):
    found = place(given_facts)
    assert found.stage is stage
    assert words in found.why
    assert found.next.endswith(".")


@given(
    st.sampled_from(list(Status)), st.integers(0, 400), st.sampled_from(list(ReadingPlan)),
    st.sampled_from(["", *Recommendation]), st.sampled_from([None, True, False]), st.booleans(),
    st.sampled_from([None, *Choice]),
)  # fmt: skip
def test_place__of_any_facts__is_concluded_exactly_when_somebody_decided(
    status, day, reading, said, trust, waits, choice
):
    found = place(
        Facts(
            status=status, day=day, reading=reading, recommendation=said, trustworthy=trust, waits_for_second=waits,
            decision=choice,
        )
    )  # fmt: skip
    assert (found.stage is Stage.CONCLUDED) == (choice is not None and status is not Status.DRAFT)
    assert found.why
    assert found.next
