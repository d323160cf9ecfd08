from datetime import timedelta

import pytest

from analysis.models import Notice, Occurrence
from analysis.notices import agreeing, telling
from analysis.notices.addressing import address_new
from analysis.notices.noticing import NEWS, WAIT_FOR_RESULT, notice
from analysis.notices.rendering import render_message
from analysis.results.schema import Results, Tone
from experiments import concluding, standing
from experiments.domain.access import Role
from experiments.domain.conclusions import Choice
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Membership
from tests import builders
from tests.builders import T0

NOW = T0 + timedelta(hours=1)


@pytest.fixture
def old(ranker) -> Experiment:
    """It started long ago, which is no news."""
    Experiment.objects.update(started_at=T0 - timedelta(days=30))
    ranker.refresh_from_db()
    return ranker


def read(of: Experiment, made: Results | None = None, at=T0) -> Results:
    results = made or builders.results(of)
    stored = builders.snapshot(of, results)
    standing.note(
        of,
        snapshot=stored.pk,
        as_of=at,
        recommendation=results.verdict.decision,
        trustworthy=results.health.trustworthy,
        tone=results.verdict.tone.value,
        headline=results.verdict.headline,
    )
    return results


def kinds() -> list[str]:
    return list(Occurrence.objects.order_by("pk").values_list("kind", flat=True))


def test_notice__a_start__is_told_once(ranker):
    assert [notice(NOW), notice(NOW)] == [1, 0]
    started = Occurrence.objects.get()
    assert (started.kind, started.sentence, started.happened_at) == ("started", "New ranker has started.", T0)
    assert ["Variants", "Control 50%, Treatment 50%"] in started.facts


def test_notice__what_lies_back__is_history(ranker):
    assert notice(T0 + NEWS) == 0


def test_notice__a_decision_against_the_rule__is_told_to_those_who_may_agree_and_to_nobody_once_answered(
    old, shop, alice
):
    bob = builders.user("bob@example.com", name="Bob")
    for person, role in ((bob, Role.EDITOR), (builders.user("viewer@example.com"), Role.VIEWER)):
        Membership.objects.create(project=shop, user=person, role=role)
    builders.standing(old, recommendation="do not ship")
    Occurrence.objects.all().delete()
    decision = concluding.Decision(choice=Choice.SHIP, reason="It is Christmas", learned="Much")
    made = concluding.conclude(old, alice, decision, at=T0)
    old.owner = alice
    old.save()
    assert [notice(NOW), notice(NOW)] == [1, 0]
    told = Occurrence.objects.get()
    assert told.sentence == f"{alice} wants to ship New ranker; the rule says: do not ship."
    assert "It is Christmas" in told.explanation
    assert telling.tell(told).url.endswith("/experiments/new-ranker/#awaited-title")
    assert agreeing.reviewers(told) == [bob]
    address_new(NOW)
    assert [one.recipient.email for one in Notice.objects.all()] == ["bob@example.com"]
    mail = render_message([told], Notice.objects.get().recipient, "").text
    assert "because you may agree or disagree" in mail
    concluding.approve(made, bob, at=NOW)
    assert agreeing.reviewers(told) == []


@pytest.mark.parametrize("kind", [ExperimentKind.HOLDOUT])
def test_notice__what_follows_others__is_not_told(ranker, kind):
    Experiment.objects.update(kind=kind.value)
    assert notice(NOW) == 0


def test_notice__an_answer__is_ready_once_a_phase(old):
    ship = builders.verdict(decision="ship", tone=Tone.GOOD, headline="Clicks rose by 5.6%.")
    read(old, builders.results(old, verdict=ship))
    assert [notice(NOW), notice(NOW)] == [1, 0]
    ready = Occurrence.objects.get()
    assert (ready.kind, ready.sentence, ready.severity) == ("ready-to-decide", "Clicks rose by 5.6%.", "warning")
    assert ["Click-through rate", "+5.6% (+2.1% to +9.2%), Better"] in ready.facts
    Experiment.objects.update(phase=2, phase_started_at=T0 + timedelta(days=20))
    read(old, builders.results(old, verdict=ship), at=T0 + timedelta(days=40))
    Occurrence.objects.update(happened_at=T0 + timedelta(days=14))
    assert notice(T0 + timedelta(days=40)) == 1


def test_notice__still_running_or_not_trustworthy__is_not_ready(old):
    read(old, builders.results(old, verdict=builders.verdict(decision="keep running")))
    assert notice(NOW) == 0
    read(old, builders.broken_results(old, verdict=builders.verdict(decision="ship")))
    assert notice(NOW) == 0


def ended(of: Experiment) -> Experiment:
    Experiment.objects.update(status=Status.STOPPED.value, stopped_at=T0)
    of.refresh_from_db()
    return of


def test_notice__an_end__waits_for_its_result(old):
    ended(old)
    assert notice(NOW) == 0
    read(old, builders.results(old, metrics=[builders.metric_result()]), at=T0 + timedelta(minutes=1))
    assert notice(NOW) == 1
    end = Occurrence.objects.get()
    assert (end.kind, end.sentence) == ("ended", builders.verdict().headline)
    assert end.snapshot is not None


def test_notice__an_end_without_a_result__is_told_after_a_while(old):
    ended(old)
    assert notice(T0 + WAIT_FOR_RESULT + timedelta(minutes=1)) == 1
    assert Occurrence.objects.get().sentence == "New ranker has ended without a result."


def test_notice__a_stopped_loser__is_a_loss_avoided(old):
    ended(old)
    read(old, losing(old))
    notice(NOW)
    assert kinds() == ["avoided-loss"]  # and no "ended" beside it: one mail for one stop
    assert "avoided a loss of about €" in Occurrence.objects.get().sentence
    assert notice(NOW) == 0


def losing(of: Experiment) -> Results:
    from tests.analysis.notices.test_avoided import loser

    return loser(of)


def test_notice__a_shipment__is_told_instead_of_the_end(old):
    ended(old)
    variant = old.variants.get(key="treatment")
    Experiment.objects.update(shipped_variant=variant, shipped_at=T0, shipped_share=10_000, holdback_share=500)
    read(old)
    assert [notice(NOW), notice(NOW)] == [1, 0]
    shipped = Occurrence.objects.get()
    assert shipped.sentence == "Treatment of New ranker is shipped to everyone but the 5% held back."
    assert "holdback" in shipped.next_step
