"""Lists shown and items chosen become one vote a unit, a sentence, and a page."""

from datetime import timedelta

import pytest
from django.urls import reverse

from analysis.interleaving import result
from analysis.results.schema import Results
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

ITEMS = ["a", "b", "c"]
END = T0 + timedelta(days=9)


def interleaving(shop, status: Status = Status.RUNNING, **fields) -> Experiment:
    design = {**fields.pop("design", {})}
    made = builders.experiment(
        shop, "rankers", kind=ExperimentKind.INTERLEAVING, design=design, status=status, planned_days=7, **fields
    )
    made.variants.filter(position=0).update(name="Old ranker")
    made.variants.filter(position=1).update(name="New ranker")
    return made


def show(shop, impression: str, unit: str | None, *, at=T0, first: str = "treatment", **props) -> None:
    other = "control" if first == "treatment" else "treatment"
    said = {"experiment_id": "rankers", "impression_id": impression, "items": ITEMS, "teams": [first, other, first]}
    builders.log(shop, "Ranking Shown", unit, at=at, **{**said, **props})


def choose(shop, impression: str, item: str, *, at=T0, **props) -> None:
    builders.log(shop, "Ranking Clicked", "whoever", at=at, impression_id=impression, item_id=item, **props)


def people(shop, ahead: int, behind: int, even: int = 0) -> None:
    """So many who choose the treatment's item, the control's, and nothing; either ranker begins as often."""
    for number in range(ahead + behind + even):
        first = "treatment" if number % 2 else "control"
        show(shop, f"i{number}", f"u{number}", first=first)
        if number < ahead:
            choose(shop, f"i{number}", "a" if first == "treatment" else "b")
        elif number < ahead + behind:
            choose(shop, f"i{number}", "a" if first == "control" else "b")


def read(tested: Experiment, as_of=END) -> Results:
    found = result.read(tested, as_of)
    assert found is not None
    assert found.interleaving is not None
    return found


def test_result__a_clear_majority_at_the_end__is_said_in_one_sentence(shop):
    people(shop, 60, 20, 20)
    found = read(interleaving(shop))
    assert found.verdict.headline == "People prefer New ranker."
    assert "75%" in found.verdict.explanation
    assert found.interleaving is not None
    assert found.interleaving.value == pytest.approx(0.4)
    votes = found.interleaving
    assert (votes.users_for_treatment, votes.users_for_control, votes.users_undecided) == (60, 20, 20)
    assert votes.p_value is not None
    assert votes.p_value < 0.001
    assert all(check.ok is not False for check in found.health.checks)


def test_result__a_clear_preference_before_the_end__keeps_running(shop):
    people(shop, 60, 20)
    found = read(interleaving(shop), T0 + timedelta(days=3))
    assert found.verdict.decision == "keep running"
    assert "day 3 of 7" in found.verdict.headline


def test_result__a_clear_preference_for_what_is_in_use__is_said_at_once(shop):
    people(shop, 20, 60)
    found = read(interleaving(shop), T0 + timedelta(days=3))
    assert found.verdict.headline == "People prefer Old ranker, which is in use."
    assert "Stop it" in found.verdict.explanation


def test_result__as_many_on_either_side__shows_no_preference(shop):
    people(shop, 30, 30)
    assert read(interleaving(shop)).verdict.headline == "People show no clear preference."


def test_result__one_who_searches_a_hundred_times__is_one_voice(shop):
    people(shop, 5, 20)
    for number in range(100):
        show(shop, f"more{number}", "u0")
        choose(shop, f"more{number}", "a")
    votes = read(interleaving(shop)).interleaving
    assert votes is not None
    assert (votes.users, votes.users_for_treatment, votes.users_for_control) == (25, 5, 20)


def test_result__the_same_item_twice_and_a_list_reported_twice__count_once(shop):
    show(shop, "i0", "u0", first="treatment")
    show(shop, "i0", "u0", first="treatment", at=T0 + timedelta(seconds=5))
    for _ in range(3):
        choose(shop, "i0", "a")
    show(shop, "i1", "u1")
    votes = read(interleaving(shop)).interleaving
    assert votes is not None
    assert (votes.impressions, votes.for_treatment) == (2, 1)
    assert votes.value == pytest.approx(0.5)


@pytest.mark.parametrize("hours", [25, -1])
def test_result__a_choice_outside_its_day__is_an_orphan(shop, hours):
    people(shop, 5, 5)
    show(shop, "late", "u", at=T0 + timedelta(days=2))
    choose(shop, "late", "a", at=T0 + timedelta(days=2, hours=hours))
    votes = read(interleaving(shop)).interleaving
    assert votes is not None
    assert votes.for_treatment == 5


def test_health__one_ranker_always_begins__withholds_the_vote(client_of_alice, shop):
    for number in range(60):
        show(shop, f"i{number}", f"u{number}", first="treatment")
        choose(shop, f"i{number}", "a")
    tested = interleaving(shop)
    found = read(tested)
    assert found.verdict.decision == "not trustworthy"
    assert not found.health.trustworthy
    builders.snapshot(tested, found)
    page = client_of_alice.get(address()).content.decode()
    assert "The vote is withheld" in page
    assert "100.0%" not in page


def test_health__choices_without_their_list_and_lists_without_teams__are_counted(shop):
    people(shop, 10, 10)
    for number in range(10):
        choose(shop, f"unknown{number}", "a")
    show(shop, "broken", "u", teams=["treatment"])
    show(shop, "nobody", None)
    checks = {check.key: check for check in read(interleaving(shop)).health.checks}
    assert checks["orphans"].ok is False
    assert "2 of" in checks["lists"].summary


def test_health__items_that_were_not_on_the_list__are_a_wrong_report(shop):
    people(shop, 10, 10)
    choose(shop, "i0", "never shown")
    checks = {check.key: check for check in read(interleaving(shop)).health.checks}
    assert checks["strangers"].ok is False


def test_result__events_of_another_environment_or_experiment__count_for_nothing(shop):
    people(shop, 5, 5)
    show(shop, "staging", "u", environment=1)
    show(shop, "other", "u", experiment_id="others")
    votes = read(interleaving(shop)).interleaving
    assert votes is not None
    assert votes.impressions == 10


def test_result__nothing_reported__is_too_early_and_no_error(shop):
    assert read(interleaving(shop)).verdict.decision == "too early"


def test_sensitivity__beside_an_ab_test_with_a_clear_effect__says_how_many_times_more_it_needs(shop):
    people(shop, 60, 20, 20)
    ab = builders.experiment(shop, "ab", name="A/B")
    builders.snapshot(ab)  # difference .0067, standard error .00215, 92,103 units in each
    tested = interleaving(shop, design={"beside": "ab"})
    votes = read(tested).interleaving
    assert votes is not None
    assert votes.separate is not None
    assert votes.ratio is not None
    # 4 z² s² / d² with s² = .00215² × 92,103 / 2 a unit
    assert votes.separate == pytest.approx(4 * 7.849 * 0.00215**2 * 92_103 / 2 / 0.0067**2, rel=1e-3)
    assert votes.needed is not None
    assert votes.ratio == pytest.approx(votes.separate / votes.needed, rel=0.1)


def test_sensitivity__beside_nothing_that_is_clear__is_not_said(shop):
    people(shop, 5, 5)
    votes = read(interleaving(shop, design={"beside": "nowhere"})).interleaving
    assert votes is not None
    assert votes.ratio is None
    assert "no result of an experiment 'nowhere'" in votes.beside_reason


def address(name: str = "experiment_results") -> str:
    return reverse(name, args=["shop", "rankers"])


def test_page__a_vote__is_shown_with_what_it_does_not_say(
    client_of_alice, client_of_charlie, shop, django_assert_max_num_queries
):
    people(shop, 60, 20, 20)
    for number in range(40):
        show(shop, f"next{number}", f"n{number}", at=T0 + timedelta(days=1), first=["treatment", "control"][number % 2])
        choose(shop, f"next{number}", "a", at=T0 + timedelta(days=1))
    tested = interleaving(shop)
    builders.snapshot(tested, read(tested))
    with django_assert_max_num_queries(14):
        page = client_of_alice.get(address()).content.decode()
    for words in ("People prefer New ranker.", "one voice", "preference-days", "not <b>by how much</b>", "sign test"):
        assert words in page
    assert 'style="' not in page
    assert client_of_charlie.get(address()).status_code == 404
