"""The page that offers kinds of experiment, and the forms and set-up pages of those with a design of their own."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from experiments.domain.designs.stored import read
from experiments.domain.kinds import DESIGNED, ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment, Metric, ModelVersion
from experiments.pages.designs.kinds import BY_SLUG, KINDS, OFFERED
from experiments.setup import plan_of
from tests import builders

SLUGS = list(BY_SLUG)
NO_ROWS = {"variants-INITIAL_FORMS": "0"}
ROWS: dict[str, Any] = {
    "variants-TOTAL_FORMS": "2", **NO_ROWS,
    "variants-0-name": "In use", "variants-0-key": "old", "variants-1-name": "New ranker", "variants-1-key": "",
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "off-policy": {
        "source": "events", "decision_event": "Decision Logged", "reward_by": "unit", "window_hours": "12",
        "unit_type": "device", "planned_days": "5",
    },
    "interleaving": {
        "unit_type": "device", "traffic": "25", "planned_days": "5", "length": "8", "shown_event": "List Viewed",
        "clicked_event": "Product Clicked", "item_property": "product_id", "beside": "",
    },
    "bandit": {
        "unit_type": "session", "planned_days": "5", "policy": "top_two", "floor": "10", "batch_hours": "6",
        "first_units": "50", "window_hours": "2",
    },
    "switchback": {
        "regions": "Berlin\nHamburg, Köln", "region_property": "city", "block_minutes": "30", "burn_in_minutes": "5",
        "planned_days": "5",
    },
}  # fmt: skip
DESIGN: dict[str, dict[str, Any]] = {
    "off-policy": {"source": "events", "decision_event": "Decision Logged", "reward_by": "unit", "window_hours": 12},
    "interleaving": {
        "shown_event": "List Viewed", "clicked_event": "Product Clicked", "item_property": "product_id", "length": 8,
        "beside": "",
    },
    "bandit": {"policy": "top_two", "floor": 1000, "batch_hours": 6, "first_units": 50, "window_hours": 2},
    "switchback": {
        "block_minutes": 30, "burn_in_minutes": 5, "region_property": "city",
        "regions": ["Berlin", "Hamburg", "Köln"],
    },
}  # fmt: skip
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "off-policy": ({"decision_event": " ", "window_hours": "0"}, "greater than or equal to 1"),
    "interleaving": ({"clicked_event": "List Viewed"}, "events of different names"),
    "bandit": ({"floor": "60"}, "with 2 variants it lies between 2.5 %"),
    "switchback": ({"burn_in_minutes": "20"}, "at most half a block"),
}


def fields(slug: str, metric: Any, **more: Any) -> dict[str, Any]:
    if slug == "switchback":  # a block has totals, and no share of units
        metric = Metric.objects.filter(key="orders").first() or builders.metric(metric.project, "orders", kind="count")
    own = {**OWN[slug], **({} if slug == "interleaving" else {"metric": str(metric.pk)})}
    return {"name": "Which one", "key": "which-one", "hypothesis": "It is better.", **ROWS, **own, **more}


def new(slug: str) -> str:
    return reverse("design_new", args=["shop", slug])


def one(name: str = "experiment_detail") -> str:
    return reverse(name, args=["shop", "which-one"])


def made(client: Client, slug: str, metric: Any) -> Experiment:
    assert client.post(new(slug), fields(slug, metric)).url == one()
    return Experiment.objects.get(key="which-one")


def test_chooser__offers_the_usual_ways_first_and_every_kind_with_its_price(client_of_alice, shop):
    page = client_of_alice.get(reverse("experiment_kinds", args=["shop"])).content.decode()
    titles = re.findall(r"<h3>([^<]+)</h3>", page)
    assert titles == ["A/B test", "Model experiment", *(KINDS[kind].title for kind in OFFERED)]
    assert page.count("Its price") == len(titles)
    for slug in SLUGS:
        assert new(slug) in page


@pytest.mark.parametrize("slug", SLUGS)
def test_new__a_whole_form__creates_a_draft_of_the_kind(client_of_alice, shop, purchase, slug):
    version = ModelVersion.objects.create(project=shop, name="ranker", version="v2")
    given = fields(slug, purchase, **{"variants-1-model_version": str(version.pk)})
    assert client_of_alice.post(new(slug), given).url == one()
    experiment = Experiment.objects.get()
    assert (experiment.kind, experiment.status) == (BY_SLUG[slug], Status.DRAFT)
    assert experiment.design == DESIGN[slug]
    plan = plan_of(experiment)
    assert [(v.key, v.weight) for v in plan.variants] == [("old", 5000), ("new-ranker", 5000)]
    assert plan.variants[1].model_version == version
    assert plan.planned_days == 5


@pytest.mark.parametrize("slug", SLUGS)
def test_new__sent_twice__creates_one(client_of_alice, shop, purchase, slug):
    answers = [client_of_alice.post(new(slug), fields(slug, purchase)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert Experiment.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.parametrize("slug", SLUGS)
def test_new__something_wrong__is_said_beside_its_field_and_keeps_what_was_typed(client_of_alice, shop, purchase, slug):
    wrong, message = WRONG[slug]
    response = client_of_alice.post(new(slug), fields(slug, purchase, **wrong))
    page = response.content.decode()
    assert (response.status_code, message in page, "New ranker" in page) == (400, True, True)
    assert 'role="alert"' in page
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("slug", SLUGS)
def test_edit__a_draft__opens_as_it_is_and_saves_what_changed(client_of_alice, shop, purchase, slug):
    made(client_of_alice, slug, purchase)
    page = client_of_alice.get(one("experiment_edit")).content.decode()
    assert 'value="Which one"' in page
    stale = fields(slug, purchase, name="Another", revision="0")
    assert "changed meanwhile" in client_of_alice.post(one("experiment_edit"), stale).content.decode()
    assert client_of_alice.post(one("experiment_edit"), fields(slug, purchase, name="Another")).status_code == 302
    experiment = Experiment.objects.get()
    assert (experiment.name, experiment.design, experiment.kind) == ("Another", DESIGN[slug], BY_SLUG[slug])


@pytest.mark.parametrize("slug", SLUGS)
def test_detail__a_kind__says_its_plan_and_how_an_app_takes_part(client_of_alice, client_of_bob, shop, purchase, slug):
    made(client_of_alice, slug, purchase)
    page = client_of_alice.get(one()).content.decode()
    assert KINDS[BY_SLUG[slug]].title in page
    assert "How your app takes part" in page
    assert "which-one" in page
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=", page)
    seen = client_of_bob.get(one()).content.decode().split("<main")[1]
    assert "<form" not in seen


@pytest.mark.parametrize("slug", SLUGS)
def test_life__a_kind__starts_and_stops_with_the_audit_saying_so(client_of_alice, shop, purchase, slug):
    experiment = made(client_of_alice, slug, purchase)
    assert client_of_alice.post(one("experiment_start")).status_code == 302
    assert client_of_alice.post(one("experiment_stop"), {"why": "Enough.", "seen": ""}).status_code == 302
    experiment.refresh_from_db()
    assert experiment.status == Status.STOPPED
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["experiment.create", "experiment.start", "experiment.stop"]
    assert client_of_alice.get(one("experiment_edit")).status_code == 302  # frozen


@pytest.mark.parametrize("slug", SLUGS)
def test_results__nothing_yet__is_an_empty_state(client_of_alice, shop, purchase, slug):
    made(client_of_alice, slug, purchase)
    client_of_alice.post(one("experiment_start"))
    page = client_of_alice.get(one("experiment_results")).content.decode()
    assert "No results yet" in page


@pytest.mark.parametrize("slug", SLUGS)
def test_pages__a_stranger_and_a_viewer__may_not(client_of_bob, client_of_charlie, shop, slug):
    for address in (new(slug), reverse("experiment_kinds", args=["shop"])):
        assert client_of_charlie.get(address).status_code == 404
        assert client_of_bob.get(address).status_code == 403
    assert client_of_charlie.post(new(slug), {}).status_code == 404


@pytest.mark.parametrize("slug", SLUGS)
def test_pages__more_of_everything__cost_no_more_queries(
    client_of_alice, shop, purchase, slug, django_assert_max_num_queries
):
    made(client_of_alice, slug, purchase)
    for i in range(12):
        builders.metric(shop, f"metric-{i}")
        ModelVersion.objects.create(project=shop, name="ranker", version=str(i))
    for address in (new(slug), one(), one("experiment_edit")):
        with django_assert_max_num_queries(20):
            assert client_of_alice.get(address).status_code == 200


def test_new__a_kind_that_is_none__is_not_found(client_of_alice, shop):
    assert client_of_alice.get(new("horoscope")).status_code == 404


@pytest.mark.parametrize("kind", DESIGNED)
def test_read__a_stored_design__is_the_kinds_own_type_with_its_usual_values(kind):
    design = read(kind, {})
    assert design is not None
    assert list(design.problems(2, None)) == []


def test_read__a_kind_without_a_design__has_none():
    assert read(ExperimentKind.STANDARD, {}) is None
