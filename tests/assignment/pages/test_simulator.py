"""The simulator answers as the doors do, says why in words, and is nobody else's to see."""

import json
import re

import pytest
from django.db import connection
from django.urls import reverse
from msgspec import structs

from assignment.engine.hashing import bucket_of
from assignment.pages import serving
from assignment.publish import read_texts
from experiments import holdouts, lifecycle, overrides, rules
from experiments.domain.environments import Environment
from experiments.domain.kinds import RuleKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Segment
from tests import builders

AT = "/p/shop/simulator/"


@pytest.fixture
def ranker(shop, purchase):
    return builders.experiment(shop, primary=purchase, allocation=10_000)


def rows(page: str) -> dict[str, str]:
    """Return the text of each answer by the name of what was asked."""
    cut = page.split("<tbody>")[1].split("</tbody>")[0] if "<tbody>" in page else ""
    text = {one.split("</a>")[0].split(">")[-1]: re.sub(r"<[^>]+>|\s+", " ", one) for one in cut.split("<tr>")[1:]}
    return {name: re.sub(r"\s+", " ", words) for name, words in text.items()}


def ask(client, **asked) -> dict[str, str]:
    response = client.get(AT, asked)
    assert response.status_code == 200
    return rows(response.content.decode())


def test_simulator__a_stranger__gets_404_and_a_viewer_may_look(client_of_charlie, client_of_bob, ranker):
    for where in (AT, f"{AT}new-ranker/"):
        assert client_of_charlie.get(where).status_code == 404
        assert client_of_bob.get(where).status_code == 200


def test_simulator__nothing_asked__shows_the_form_alone(client_of_alice, ranker):
    page = client_of_alice.get(AT).content.decode()
    assert "<tbody>" not in page
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=", page)


def test_document__is_built_again_when_a_row_changes_and_not_before(ranker):
    kept = serving.Kept()

    def now() -> serving.Served:
        return kept.served(read_texts(connection.connection, ranker.project_id), Environment.PRODUCTION)

    first = now()
    assert now() is first
    ranker.variants.filter(position=1).update(name="Renamed")
    assert now() is not first
    places = [(number, Environment.STAGING) for number in range(serving.MOST_KEPT + 2)]
    for number, environment in places:
        kept.served(structs.replace(read_texts(connection.connection, ranker.project_id), id=-number), environment)
    assert len(kept) == serving.MOST_KEPT


def test_simulator__a_unit__gets_the_variant_of_its_bucket(client_of_alice, ranker):
    for unit in ("user-1", "user-2", "user-3", "user-4"):
        expected = "control" if bucket_of(ranker.salt, unit) < 5000 else "treatment"
        said = ask(client_of_alice, unit=unit)["New ranker"]
        assert f"{expected} " in said
        assert "Drawn by chance" in said
        assert f"place {bucket_of(ranker.salt, unit):,} of 10,000" in said


def test_simulator__each_obstacle__is_said_in_words(client_of_alice, alice, shop, purchase):
    builders.experiment(shop, "german", primary=purchase, targeting={"country": "DE"})
    builders.experiment(shop, "tiny", primary=purchase, allocation=1)
    builders.experiment(shop, "by-account", primary=purchase, unit_type="account")
    paused = builders.experiment(shop, "paused", primary=purchase)
    lifecycle.pause(paused, alice, "A bug")
    stopped = builders.experiment(shop, "stopped", primary=purchase)
    lifecycle.stop(stopped, alice, "Done")
    said = ask(client_of_alice, json=json.dumps({"id": "user-1", "country": "FR"}))
    assert "Does not match the targeting" in said["German"]
    assert "Outside the share of traffic" in said["Tiny"]
    assert "No id of the kind that is needed" in said["By account"]
    assert "is paused" in said["Paused"]
    assert "is stopped" in said["Stopped"]


def test_simulator__rows_and_json__become_typed_attributes(client_of_alice, shop, purchase):
    builders.experiment(shop, "adults", primary=purchase, targeting={"age": {"$gte": 18}, "country": "DE"})
    asked = {"unit": "u", "name": ["age", "", "country"], "value": ["18", "", "DE"]}
    assert "Drawn by chance" in ask(client_of_alice, **asked)["Adults"]
    assert "Drawn by chance" in ask(client_of_alice, unit="u", json='{"age": 40, "country": "DE"}')["Adults"]
    assert "Does not match" in ask(client_of_alice, unit="u", json='{"age": "forty", "country": "DE"}')["Adults"]


@pytest.mark.parametrize("text", ["{", "[]", "1", "x" * 10_001])
def test_simulator__json_that_is_none__is_refused_and_kept(client_of_alice, ranker, text: str):
    response = client_of_alice.get(AT, {"unit": "u", "json": text})
    page = response.content.decode()
    assert response.status_code == 400
    assert "data-error-summary" in page
    assert "<tbody>" not in page


def test_simulator__an_override__says_so_and_who_is_next(client_of_alice, alice, ranker):
    overrides.add(ranker, "user-1", ranker.variants.get(key="treatment"), alice)
    said = ask(client_of_alice, unit="user-1")["New ranker"]
    assert "Set by hand for this unit" in said
    assert "QA overrides" in said


def test_simulator__a_flags_rules__are_told_in_order(client_of_alice, alice, shop):
    flag = builders.flag(shop, on=("production",))
    Segment.objects.create(
        project=shop, key="staff", name="Our staff", kind="list", unit_attribute="id", values=["user-9"]
    )
    rules.add_rule(
        flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=True, name="Staff", targeting={"$segment": "staff"})
    )
    rules.add_rule(flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=True, targeting={"plan": "pro"}))
    assert "A rule of the flag reaches this unit" in ask(client_of_alice, unit="user-9")["New checkout"]
    said = ask(client_of_alice, unit="user-1")["New checkout"]
    assert re.search(
        r"Staff \(Only if in the segment Our staff\).*Passed over: the unit does not match it.*Only if plan is pro",
        said,
    )
    assert "false" in said
    assert "Switched off here" in ask(client_of_alice, unit="user-9", environment="staging")["New checkout"]


def test_simulator__a_held_out_unit__keeps_the_control(client_of_alice, alice, shop, purchase):
    holdouts.start(shop, alice, 1000, [purchase])
    builders.experiment(shop, primary=purchase)
    said = [ask(client_of_alice, unit=f"user-{i}")["New ranker"] for i in range(40)]
    held = [words for words in said if "In the holdout, so it keeps the control" in words]
    assert held
    assert all(" control " in words for words in held)


def test_simulator__a_draft__is_served_in_staging_alone(client_of_alice, shop, purchase):
    builders.experiment(shop, "draft", status=Status.DRAFT, primary=purchase)
    assert ask(client_of_alice, unit="u") == {}
    assert "Drawn by chance" in ask(client_of_alice, unit="u", environment="staging")["Draft"]


def test_simulator__a_part_of_a_name__shows_that_one(client_of_alice, shop, purchase, ranker):
    builders.experiment(shop, "basket", primary=purchase)
    assert set(ask(client_of_alice, unit="u", flag="BASK")) == {"Basket"}


def test_simulator__more_experiments__cost_no_more_queries(
    client_of_alice, shop, purchase, django_assert_max_num_queries
):
    for i in range(15):
        builders.experiment(shop, f"exp-{i}", primary=purchase)
    with django_assert_max_num_queries(10):
        assert len(ask(client_of_alice, unit="u")) == 15
    assert not AuditEntry.objects.exists()


def test_distribution__1000_random_units__are_spread_by_weight(client_of_alice, shop, purchase):
    builders.experiment(shop, weights=(8000, 2000), primary=purchase, allocation=5000)
    page = client_of_alice.get(f"{AT}new-ranker/").content.decode()
    counted = dict(re.findall(r'<th scope="row">([^<]+)</th><td>[^<]*chance[^<]*</td><td class="n"[^>]*>(\d+),', page))
    # Of 1,000 units 400 and 100 are expected; six standard deviations either way.
    assert abs(int(counted["control"]) - 400) < 95
    assert abs(int(counted["treatment"]) - 100) < 60
    assert "Outside the share of traffic" in page


def test_distribution__attributes__count(client_of_alice, shop, purchase):
    builders.experiment(shop, primary=purchase, targeting={"country": "DE"})
    nobody = client_of_alice.get(f"{AT}new-ranker/").content.decode()
    assert "1000, 100.0%" in nobody
    some = client_of_alice.get(f"{AT}new-ranker/", {"name": "country", "value": "DE"}).content.decode()
    assert "Does not match" not in some


def test_distribution__what_does_not_exist__is_not_found(client_of_alice, shop, purchase):
    foreign = builders.project("foreign")
    builders.experiment(foreign, "theirs")
    assert client_of_alice.get(f"{AT}theirs/").status_code == 404
    builders.experiment(shop, "draft", status=Status.DRAFT, primary=purchase)
    page = client_of_alice.get(f"{AT}draft/").content.decode()
    assert "It is not served in production" in page


def test_detail__leads_to_who_would_get_what(client_of_alice, ranker):
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    assert f"{AT}new-ranker/" in page
