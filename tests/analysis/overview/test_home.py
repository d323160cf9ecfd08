import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from analysis.alerts.kinds import AlertKind
from analysis.alerts.raising import raise_alert
from analysis.models import Glance, HoldbackWatch
from analysis.overview import rows
from analysis.overview.finding import with_results
from experiments.domain.conclusions import Choice, ConclusionState
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Conclusion, Experiment, Project
from experiments.staging import staged
from tests import builders

HOME = "/p/shop/"


def home(client: Client, query: str = "") -> str:
    response = client.get(f"{HOME}?{query}")
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def running(shop: Project, key: str = "new-ranker", **fields) -> Experiment:
    return builders.experiment(shop, key, started_at=timezone.now() - timedelta(days=2), **fields)


def ended(shop: Project, key: str, **fields) -> Experiment:
    return builders.experiment(shop, key, status=Status.STOPPED, **fields)


def decided(of: Experiment, state: ConclusionState = ConclusionState.MADE, **fields) -> Conclusion:
    said = {"decision": Choice.SHIP, "reason": "It pays.", "learned": "Clicks are not orders.", **fields}
    return Conclusion.objects.create(experiment=of, state=state, **said)


def test_home__an_empty_project__says_how_to_begin(client_of_alice, client_of_bob, shop):
    assert "Create an experiment" in home(client_of_alice)
    assert "Ask an editor to create an experiment" in home(client_of_bob)


def test_home__nothing_to_do__says_so_and_what_will_appear_here(client_of_alice, shop):
    running(shop)
    said = home(client_of_alice)
    assert "Nothing needs anybody right now." in said
    assert "Running now New ranker Day 3 of 14" in said


def test_home__a_failing_result__is_named_until_an_alert_says_it_better(client_of_alice, shop):
    broken, crossed, silent = running(shop, "broken"), running(shop, "crossed"), running(shop, "silent")
    for one, failed, beyond in (
        (broken, ["traffic-split"], []),
        (crossed, [], ["Latency"]),
        (silent, ["exposure-data"], []),
    ):
        builders.snapshot(one)
        glance = one.standing.glance
        glance.failed, glance.crossed = failed, beyond
        glance.save()
    said = home(client_of_alice)
    assert "Broken split" in said
    assert "Beyond its limit: Latency." in said
    assert "Exposures are missing" in said
    raise_alert(shop, AlertKind.BROKEN_SPLIT, "broken", "Only 44% in treatment.", experiment=broken)
    said = home(client_of_alice)
    assert "Only 44% in treatment." in said
    assert "other shares of units than designed" not in said


def test_home__what_has_stopped__asks_for_nothing_but_a_decision(client_of_alice, shop):
    over = ended(shop, "over")
    builders.snapshot(over, builders.broken_results(over))
    said = home(client_of_alice)
    assert "Broken split" not in said
    assert "To wrap up" in said


def test_home__results_that_are_ready__come_with_their_sentence_and_a_way_to_all(client_of_alice, shop):
    for number in range(7):
        builders.standing(ended(shop, f"e{number}"), headline=f"Headline {number}.")
    said = home(client_of_alice)
    assert "Waiting for a decision 7" in said
    assert said.count("Read and decide") == 5
    assert "See all" in said


def test_home__a_decision_against_the_rule__waits_for_somebody_else(client_of_alice, client_of_bob, alice, shop):
    bob = builders.user("editor@example.com")
    asked = ended(shop, "asked")
    builders.standing(asked, recommendation="do not ship")
    decided(asked, ConclusionState.REQUESTED, decided_by=bob, recommendation="do not ship", snapshot=7)
    assert "editor@example.com wants to ship; the rule says: do not ship." in home(client_of_alice)
    assert "/asked/#awaited-title" in client_of_alice.get(HOME).content.decode()
    assert "wants to ship" not in home(client_of_bob)  # a viewer cannot agree
    Conclusion.objects.update(decided_by=alice)
    assert "wants to ship" not in home(client_of_alice)  # nobody agrees with themselves


def test_home__mine__is_what_the_person_owns_and_shown_first_to_owners(client_of_alice, alice, shop):
    builders.standing(ended(shop, "theirs"), headline="Theirs is up.")
    assert "Theirs is up." in home(client_of_alice)
    builders.standing(ended(shop, "mine", owner=alice), headline="Mine is up.")
    said = home(client_of_alice)
    assert "Mine is up." in said
    assert "Theirs is up." not in said
    assert "Theirs is up." in home(client_of_alice, "whose=all")


def test_home__drafts__are_the_persons_own_and_not_archived_ones(client_of_alice, alice, shop):
    builders.experiment(shop, "mine", status=Status.DRAFT, owner=alice, hypothesis="It helps.")
    builders.experiment(shop, "theirs", status=Status.DRAFT)
    builders.experiment(shop, "gone", status=Status.DRAFT, owner=alice, archived_at=timezone.now())
    said = home(client_of_alice)
    assert "Your drafts Mine It helps. Go on" in said
    assert "Theirs" not in said
    assert "Gone" not in said


def test_home__totals__count_the_last_thirty_days(client_of_bob, shop):
    decided(ended(shop, "new"), decided_at=timezone.now())
    decided(ended(shop, "also"), decision=Choice.ITERATE, decided_at=timezone.now())
    decided(ended(shop, "old"), decided_at=timezone.now() - timedelta(days=40))
    decided(ended(shop, "refused"), ConclusionState.DECLINED, decided_at=timezone.now())
    said = home(client_of_bob)
    assert "Decided in 30 days 2 1 shipped" in said
    assert "Clicks are not orders." in said


def test_home__other_projects__stay_out(client_of_alice, client_of_charlie, shop):
    foreign = builders.project("foreign")
    builders.standing(ended(foreign, "secret"), headline="Secret.")
    decided(ended(foreign, "decided"))
    running(shop)
    said = home(client_of_alice)
    assert "Secret" not in said
    assert "Clicks are not orders." not in said
    assert client_of_charlie.get(HOME).status_code == 404


@pytest.mark.parametrize("count", [2, 12])
def test_home__more_experiments__cost_no_more_queries(
    client_of_alice, alice, shop, count: int, django_assert_max_num_queries
):
    for number in range(count):
        for one in (running(shop, f"r{number}", owner=alice), ended(shop, f"e{number}", owner=alice)):
            builders.snapshot(one, builders.results(one, verdict=builders.verdict(decision="ship")))
        decided(ended(shop, f"d{number}"), decided_at=timezone.now())
        builders.experiment(shop, f"draft{number}", status=Status.DRAFT, owner=alice)
    with django_assert_max_num_queries(18):
        home(client_of_alice)


def test_home_list_and_board__a_holdback_whose_launch_has_faded__say_so_and_not_what_it_was_on_average(
    client_of_alice, shop
):
    launch, now = ended(shop, "launched"), timezone.now()
    for key, decayed_at in (("faded", now), ("lasting", None)):
        held = running(shop, key, kind=ExperimentKind.HOLDBACK, parent=launch)
        said = builders.standing(held, headline=f"{key} raises clicks by 13%.")
        Glance.objects.create(standing=said, units=1, treatments=1, reading="Better")
        HoldbackWatch.objects.create(
            holdback=held, metric="clicks", sign=1, declared_at=now, block_days=14, alpha=0.01, decayed_at=decayed_at
        )
    listed = [client_of_alice.get(f"/p/shop/experiments/?view={view}").content.decode() for view in ("list", "board")]
    for said in (home(client_of_alice), *listed):
        assert said.count("The lift that was shipped is gone.") == 1
        assert "lasting raises clicks by 13%." in said
        assert "faded raises clicks" not in said
    listed_rows, _ = rows.rows(shop, with_results(staged(shop.experiments.all(), now)), now)
    assert {row.experiment.key: row.reading_tone for row in listed_rows if row.glance} == {
        "faded": "flat", "lasting": "good"
    }  # fmt: skip
    drawn = client_of_alice.get("/p/shop/experiments/?view=timeline").content.decode()
    assert len(re.findall(r'class="bar-line bad', drawn)) == 1
