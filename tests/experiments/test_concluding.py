"""Concluding: by the rule at once, against it with a second person, the record complete, nothing done twice."""

import pytest

from experiments import concluding, lifecycle, standing
from experiments.concluding import ConclusionError, Decision
from experiments.domain.access import Role
from experiments.domain.conclusions import Choice, ConclusionState
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Conclusion, Membership, Standing
from experiments.shipping import ShipError
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(shop, purchase):
    return builders.experiment(shop, primary=purchase)


@pytest.fixture
def bob(shop):
    made = builders.user("bob@example.com")
    Membership.objects.create(project=shop, user=made, role=Role.EDITOR)
    return made


def decision(choice: Choice = Choice.SHIP, **fields) -> Decision:
    return Decision(
        **{"choice": choice, "reason": "It pays.", "learned": "Season matters.", "tags": ("search",), **fields}
    )


def test_conclude__by_the_rule__is_in_force_at_once_and_recorded(running, alice, bob):
    builders.standing(running, recommendation="ship")
    made = concluding.conclude(running, alice, decision())
    assert (made.state, made.recommendation, made.snapshot, made.against) == ("made", "ship", 7, False)
    entry = AuditEntry.objects.get(action="experiment.conclude")
    assert (entry.user, entry.why, entry.after["decision"]) == (alice, "It pays.", "ship")
    assert concluding.in_force(running) == made


def test_conclude__against_the_rule__waits_for_somebody_else(running, alice, bob):
    builders.standing(running, recommendation="do not ship")
    asked = concluding.conclude(running, alice, decision())
    assert asked.state == ConclusionState.REQUESTED
    assert concluding.in_force(running) is None
    with pytest.raises(ConclusionError, match="takes two"):
        concluding.approve(asked, alice)
    assert concluding.approve(asked, bob, "Agreed.")
    assert not concluding.approve(asked, bob, "Agreed.")
    held = concluding.in_force(running)
    assert held is not None
    assert (held.reviewed_by, held.review) == (bob, "Agreed.")
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["experiment.conclusion-request", "experiment.conclusion-approve"]


def test_conclude__against_the_rule_with_nobody_else__is_made_and_says_so(running, alice):
    builders.standing(running, recommendation="do not ship")
    made = concluding.conclude(running, alice, decision())
    assert (made.state, made.against, made.alone) == ("made", True, True)


def test_conclude__a_viewer__is_no_second_person(running, alice, shop):
    Membership.objects.create(project=shop, user=builders.user("v@example.com"), role=Role.ANALYST)
    builders.standing(running, recommendation="inconclusive")
    assert concluding.conclude(running, alice, decision()).alone


def test_decline__says_why_and_decides_nothing(running, alice, bob):
    builders.standing(running, recommendation="look before you ship")
    asked = concluding.conclude(running, alice, decision())
    with pytest.raises(ConclusionError, match="Say why"):
        concluding.decline(asked, bob, "  ")
    assert concluding.decline(asked, bob, "Pages are slower.")
    assert not concluding.approve(asked, bob)
    assert Conclusion.objects.get().state == ConclusionState.DECLINED


def test_take_back__is_for_the_one_who_asked(running, alice, bob):
    builders.standing(running, recommendation="inconclusive")
    asked = concluding.conclude(running, alice, decision())
    with pytest.raises(ConclusionError, match="decline"):
        concluding.take_back(asked, bob)
    assert concluding.take_back(asked, alice)
    assert not concluding.take_back(asked, alice)
    assert concluding.conclude(running, alice, decision(Choice.ITERATE)).state == ConclusionState.MADE


def test_conclude__while_another_decision_waits__is_refused(running, alice, bob):
    builders.standing(running, recommendation="inconclusive")
    concluding.conclude(running, alice, decision())
    with pytest.raises(ConclusionError, match="waits for an answer"):
        concluding.conclude(running, bob, decision(Choice.ITERATE))


def test_conclude__sent_twice__is_made_once(running, alice):
    assert concluding.conclude(running, alice, decision()) == concluding.conclude(running, alice, decision())
    assert AuditEntry.objects.filter(action="experiment.conclude").count() == 1


def test_conclude__another_decision_later__replaces_the_first(running, alice):
    concluding.conclude(running, alice, decision(Choice.ITERATE))
    concluding.conclude(running, alice, decision(Choice.SHIP))
    states = Conclusion.objects.order_by("pk").values_list("decision", "state")
    assert list(states) == [("iterate", "replaced"), ("ship", "made")]


@pytest.mark.parametrize("choice", [Choice.ROLL_BACK, Choice.ITERATE])
def test_conclude__to_keep_the_control__stops_what_still_runs(running, alice, choice):
    concluding.conclude(running, alice, decision(choice))
    assert running.status == Status.STOPPED


def test_conclude__to_ship__leaves_it_running_until_it_is_shipped(running, alice):
    concluding.conclude(running, alice, decision())
    running.refresh_from_db()
    assert running.status == Status.RUNNING


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": " "}, "Say why"),
        ({"learned": ""}, "what was learned"),
        ({"learned": "x" * 5001}, "5,001 characters"),
        ({"tags": tuple(map(str, range(11)))}, "11 tags"),
    ],
)
def test_conclude__without_its_words__is_refused(running, alice, fields, words: str):
    with pytest.raises(ConclusionError, match=words):
        concluding.conclude(running, alice, decision(**fields))
    assert not Conclusion.objects.exists()


def test_conclude__a_draft__is_refused(shop, alice, purchase):
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    with pytest.raises(ConclusionError, match="is a draft"):
        concluding.conclude(draft, alice, decision())


def test_ship__against_the_rule__needs_a_conclusion_that_somebody_agreed_to(running, alice, bob):
    builders.standing(running, recommendation="do not ship")
    variant = running.variants.get(key="treatment")
    with pytest.raises(ShipError, match="conclude it with “ship” first"):
        lifecycle.ship(running, variant, 0, alice, "I like it")
    asked = concluding.conclude(running, alice, decision())
    with pytest.raises(ShipError):
        lifecycle.ship(running, variant, 0, alice, "I like it")
    concluding.approve(asked, bob)
    assert lifecycle.ship(running, variant, 0, alice, "Agreed with Bob")


def test_standing__a_new_phase__forgets_what_the_earlier_one_said(running, alice):
    builders.standing(running, recommendation="ship")
    lifecycle.new_phase(running, alice, "Other weights")
    assert not Standing.objects.exists()


def test_standing__noted_twice__is_the_newer(running):
    for snapshot, said in ((1, "too early"), (2, "ship")):
        standing.note(
            running,
            snapshot=snapshot,
            as_of=builders.T0,
            recommendation=said,
            trustworthy=True,
            tone="good",
            headline="",
        )
    assert (Standing.objects.get().snapshot, Standing.objects.get().recommendation) == (2, "ship")
