"""The set-up in four steps: each saved as one goes, nothing lost, a stale tab and a second click found out."""

import re
from dataclasses import replace

import pytest
from django.urls import reverse

from experiments import layers, setup
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.models import AuditEntry, Experiment, ModelVersion
from experiments.setup import plan_of
from tests import builders
from tests.experiments.pages.wizard_forms import HYPOTHESIS, how, what, who, why

STEPS = ["why", "who", "what", "how"]


@pytest.fixture
def latency(shop):
    return builders.metric(shop, "latency", direction="decrease", display_unit="milliseconds")


@pytest.fixture
def draft(client_of_alice, shop) -> Experiment:
    client_of_alice.post(new(), why())
    return Experiment.objects.get()


@pytest.fixture
def sent(purchase, latency) -> dict[str, dict]:
    return {"why": why(), "who": who(), "what": what(), "how": how(purchase, latency)}


def new() -> str:
    return reverse("experiment_new", args=["shop"])


def at(step: str) -> str:
    return reverse("experiment_set_up", args=["shop", "new-ranker", step])


def shown() -> str:
    return reverse("experiment_detail", args=["shop", "new-ranker"])


def mark(client, step: str) -> str:
    return re.search(r'name="mark" value="(\d+)"', client.get(at(step)).content.decode())[1]


def test_set_up__all_four_steps__make_the_plan(client_of_alice, shop, sent, purchase, latency):
    version = ModelVersion.objects.create(project=shop, name="ranker", version="v2")
    assert client_of_alice.post(new(), why()).url == at("who")
    assert client_of_alice.post(at("who"), who(("and", "country", "is", "DE"), traffic="25")).url == at("what")
    assert client_of_alice.post(at("what"), what(**{"variants-1-model_version": str(version.pk)})).url == at("how")
    assert client_of_alice.post(at("how"), sent["how"]).url == shown()
    made = Experiment.objects.get()
    plan = plan_of(made)
    assert [(v.key, v.weight, v.value) for v in plan.variants] == [
        ("control", 3334, None), ("ranker-v2", 3333, None), ("ranker-v3", 3333, {"model": "v3"}),
    ]  # fmt: skip
    assert plan.variants[1].model_version == version
    assert [(use.metric, use.role, use.margin) for use in plan.metrics] == [
        (purchase, MetricRole.PRIMARY, None), (latency, MetricRole.GUARDRAIL, 250),
    ]  # fmt: skip
    assert (plan.hypothesis, plan.allocation, plan.planned_days, plan.matters) == (HYPOTHESIS, 2500, 21, 150)
    assert not plan.adjusted
    assert (made.targeting, made.page_address) == ({"country": "DE"}, "https://shop.example/search")
    assert made.owner == made.created_by
    assert client_of_alice.post(reverse("experiment_start", args=["shop", "new-ranker"])).status_code == 302
    made.refresh_from_db()
    assert made.status == Status.RUNNING


def test_new__sent_twice__creates_one(client_of_alice, shop):
    assert [client_of_alice.post(new(), why()).url for _ in range(2)] == [at("who")] * 2
    assert Experiment.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.parametrize("step", STEPS)
def test_step__sent_twice__is_recorded_once(client_of_alice, draft, sent, step: str):
    fields = {**sent[step], "hypothesis": "Another", "traffic": "50", "mark": mark(client_of_alice, step)}
    for _ in range(2):
        assert client_of_alice.post(at(step), fields).status_code == 302
    assert AuditEntry.objects.filter(action="experiment.revise").count() == 1


@pytest.mark.parametrize(("go", "where"), [("why", at("why")), ("who", at("who")), ("close", None), ("", at("how"))])
def test_step__each_button__saves_and_leads_where_it_says(client_of_alice, draft, go: str, where):
    response = client_of_alice.post(at("what"), what(go=go))
    assert response.url == (where or shown())
    assert Experiment.objects.get().variants.count() == 3


def test_step__shown_and_sent_back_as_it_is__changes_nothing(client_of_alice, draft, sent):
    client_of_alice.post(at("what"), what())
    client_of_alice.post(at("how"), sent["how"])
    before, entries = setup.describe(plan_of(Experiment.objects.get())), list(AuditEntry.objects.values_list("action"))
    for step in STEPS:
        page = client_of_alice.get(at(step)).content.decode().split("<main")[1]
        response = client_of_alice.post(
            at(step), typed_in(re.sub(r"<template>.*?</template>", "", page, flags=re.DOTALL))
        )
        assert response.status_code == 302, (step, response.content.decode().split("data-error-summary")[1][:600])
    assert setup.describe(plan_of(Experiment.objects.get())) == before
    assert list(AuditEntry.objects.values_list("action")) == entries


def typed_in(page: str) -> dict[str, list[str]]:
    """Read the form's fields out of a page, as a browser would send them."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        facts = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        ticked = facts.get("type") not in ("checkbox", "radio") or " checked" in tag
        if "name" in facts and ticked and facts.get("type") != "file":
            found.setdefault(facts["name"], []).append(
                facts.get("value", "on" if ticked and "checked" in tag else "").replace("&quot;", '"')
            )
    for name, body in re.findall(r'<textarea name="(\w+)"[^>]*>\s?(.*?)</textarea>', page, re.DOTALL):
        found[name] = [body.strip()]
    for name, body in re.findall(r'<select name="([\w-]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"\s+selected', body) or re.search(r'value="([^"]*)"', body)
        found[name] = [chosen[1]]
    return found


WRONG = [
    ("why", {"name": ""}, "Name: This field is required"),
    ("why", {"key": "über uns"}, "cannot be a key"),
    ("why", {"key": "new"}, "address of the product itself"),
    ("why", {"hypothesis": "x" * 2001}, "at most 2000 characters"),
    ("who", {"unit_type": "cow"}, "Select a valid choice"),
    ("who", {"traffic": "0"}, "greater than or equal to 0.01"),
    ("who", {"traffic": "101"}, "less than or equal to 100"),
    ("who", {"environments": []}, "Choose one environment or more"),
    ("what", {"variants-0-weight": "33.33"}, "The weights add up to 99.99 %; they must add up to exactly 100 %"),
    ("what", {"variants-0-weight": "33.345"}, "no more than 2 decimal places"),
    ("what", {"variants-0-weight": "NaN"}, "Enter a number"),
    ("what", {"variants-3-key": "control"}, "is used 2 times"),
    ("what", {"variants-3-value": "{model: v3}"}, "This is not JSON"),
    ("what", {"variants-3-name": ""}, "This field is required"),
    ("what", {"variants-3-model_version": "999999"}, "Select a valid choice"),
    ("what", {"page_address": "javascript:alert(1)"}, "Begin it with https://"),
    ("what", {"variants-TOTAL_FORMS": "x"}, "ManagementForm data is missing"),
    ("how", {"planned_days": "0"}, "greater than or equal to 1"),
    ("how", {"primary": ""}, "Primary metric: This field is required"),
    ("how", {"primary": "999999"}, "Select a valid choice"),
    ("how", {"guardrails-0-margin": ""}, "Margin, %: This field is required"),
    ("how", {"guardrails-0-margin": "-1"}, "greater than or equal to 0"),
    ("how", {"reading": "always_valid"}, "Looking early needs the number of units that you plan for"),
    ("how", {"planned_units": "9" * 30}, "less than or equal to 1000000000000"),
]


@pytest.mark.parametrize(("step", "changes", "message"), WRONG)
def test_step__a_wrong_field__is_refused_and_nothing_saved(client_of_alice, draft, sent, step, changes, message: str):
    before = AuditEntry.objects.count()
    response = client_of_alice.post(at(step), {**sent[step], **changes})
    page = response.content.decode().replace("&#x27;", "'")
    assert response.status_code == 400
    assert message in page
    anchors = re.findall(r'href="#([^"]+)"', page.split("data-error-summary")[1].split("</div>")[0])
    assert anchors
    assert all(f'id="{anchor}"' in page for anchor in anchors)
    assert AuditEntry.objects.count() == before


def test_how__a_metric_that_is_both_primary_and_guardrail__is_refused(client_of_alice, draft, sent, purchase):
    page = client_of_alice.post(at("how"), {**sent["how"], "guardrails-0-metric": str(purchase.pk)}).content.decode()
    assert "give each metric one role" in page


def test_how__another_projects_metric__cannot_be_chosen(client_of_alice, draft, sent):
    foreign = builders.metric(builders.project("foreign"))
    assert client_of_alice.post(at("how"), {**sent["how"], "primary": str(foreign.pk)}).status_code == 400


def test_how__two_metrics_that_decide__are_kept_through_the_form(client_of_alice, draft, sent, shop):
    revenue = builders.metric(shop, "revenue")
    client_of_alice.post(
        at("how"), {**sent["how"], "also": [str(revenue.pk)], "reading": "group_sequential", "planned_units": "40000"}
    )
    plan = plan_of(Experiment.objects.get())
    assert [use.metric.key for use in plan.metrics if use.role is MetricRole.PRIMARY] == ["purchase-rate", "revenue"]
    page = client_of_alice.get(at("how")).content.decode()
    assert re.search(rf'name="also" value="{revenue.pk}"[^>]*checked', page)
    assert re.search(r'value="group_sequential"[^>]*checked', page)


def test_how__the_usual_guardrails__are_offered_and_not_saved_by_looking(
    client_of_alice, draft, shop, latency, purchase
):
    earlier = builders.experiment(shop, "earlier", primary=purchase)
    earlier.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=300, position=1)
    assert "Add the usual ones: Latency (3%)" in client_of_alice.get(at("how")).content.decode()
    page = client_of_alice.get(at("how") + "?with=usual-guardrails").content.decode()
    assert re.search(rf'name="guardrails-0-metric".*?value="{latency.pk}" selected', page, re.DOTALL)
    assert 'name="guardrails-0-margin" value="3"' in page
    assert draft.plan.count() == 0


def test_step__in_a_tab_older_than_another_change__says_what_changed_and_by_whom(client_of_alice, draft, alice):
    seen = mark(client_of_alice, "why")
    bob = builders.user("bob.editor@example.com", name="Bob Editor")
    setup.revise_experiment(draft, bob, replace(plan_of(draft), name="Bob's name"), unfinished=True)
    response = client_of_alice.post(at("why"), why(name="Mine", mark=seen))
    page = response.content.decode()
    assert response.status_code == 400
    assert "changed meanwhile by somebody else" in page
    assert "<b>Bob Editor</b> changed the plan" in page
    assert "Bob&#x27;s name" in page
    assert 'value="Mine"' in page
    again = re.search(r'name="mark" value="(\d+)"', page)[1]
    assert client_of_alice.post(at("why"), why(name="Mine", mark=again)).status_code == 302
    assert Experiment.objects.get().name == "Mine"


def test_step__a_change_of_another_step_meanwhile__is_no_conflict_and_is_kept(client_of_alice, draft):
    seen = mark(client_of_alice, "why")
    client_of_alice.post(at("who"), who(traffic="25"))
    assert client_of_alice.post(at("why"), why(name="Mine", mark=seen)).status_code == 302
    made = Experiment.objects.get()
    assert (made.name, made.allocation) == ("Mine", 2500)


def test_new__a_key_in_use__is_refused(client_of_alice, shop):
    builders.experiment(shop, "new-ranker", name="Older")
    response = client_of_alice.post(new(), why())
    assert response.status_code == 400
    assert "already used in this project" in response.content.decode()


def test_who__unit_and_layer_together__leave_the_layer_before_the_unit_changes(client_of_alice, draft, alice, shop):
    layer = layers.create_layer(shop, alice, "home", "Home page")
    layers.join(draft, layer, 3000, alice)
    kept = client_of_alice.post(at("who"), who(unit_type="device", layer="home", layer_share="30"))
    assert "leave that first" in kept.content.decode()
    assert client_of_alice.post(at("who"), who(unit_type="device")).status_code == 302
    draft.refresh_from_db()
    assert (draft.unit_type, draft.layer) == ("device", None)


@pytest.mark.parametrize("step", STEPS)
def test_step__a_started_experiment__is_shown_instead(client_of_alice, shop, purchase, sent, step: str):
    running = builders.experiment(shop, primary=purchase)
    page = client_of_alice.post(at(step), {**sent[step], "name": "Changed"}, follow=True).content.decode()
    assert "its plan is frozen" in page
    running.refresh_from_db()
    assert (running.name, running.status) == ("New ranker", Status.RUNNING)


@pytest.mark.parametrize("step", STEPS)
def test_step__a_stranger__gets_404_and_a_viewer_403(client_of_charlie, client_of_bob, draft, sent, step: str):
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403)):
        assert client.get(at(step)).status_code == status
        assert client.get(reverse("experiment_edit", args=["shop", "new-ranker"])).status_code == status
        assert client.post(at(step), sent[step]).status_code == status


def test_step__an_unknown_one__is_not_found(client_of_alice, draft):
    assert client_of_alice.get(at("where")).status_code == 404


def test_edit__leads_to_the_first_step_that_lacks_something(client_of_alice, draft, sent):
    edit = reverse("experiment_edit", args=["shop", "new-ranker"])
    assert client_of_alice.get(edit).url == at("how")
    client_of_alice.post(at("how"), sent["how"])
    client_of_alice.post(at("why"), why(hypothesis="It will be great"))
    assert client_of_alice.get(edit).url == at("why")


def test_bar__names_what_is_missing_and_what_blocks(client_of_alice, draft):
    page = client_of_alice.get(at("why")).content.decode()
    steps = page.split('class="steps"')[1].split("</ol>")[0]
    assert "Choose a primary metric" in steps
    assert 'aria-current="step"' in steps
    assert "The hypothesis seems to lack a metric" in steps  # none is in the catalogue


@pytest.mark.parametrize("step", STEPS)
def test_step__more_of_everything__costs_no_more_queries(
    client_of_alice, shop, alice, draft, purchase, step: str, django_assert_max_num_queries
):
    for i in range(8):
        layers.create_layer(shop, alice, f"layer-{i}", f"Layer {i}")
        builders.metric(shop, f"metric-{i}")
        earlier = builders.experiment(shop, f"other-{i}", primary=purchase)
        earlier.plan.create(metric=builders.metric(shop, f"guard-{i}"), role=MetricRole.GUARDRAIL, margin=100)
        ModelVersion.objects.create(project=shop, name="ranker", version=f"v{i}")
    with django_assert_max_num_queries(22):
        page = client_of_alice.get(at(step)).content.decode()
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=", page)


def test_new__a_project_without_metrics__leads_to_the_first_one(client_of_alice, shop):
    page = client_of_alice.get(new()).content.decode()
    assert reverse("metric_new", args=["shop"]) in page.split("<main")[1]
