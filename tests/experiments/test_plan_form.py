"""The page that creates and edits experiments."""

import re

import pytest
from django.urls import reverse

from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.models import AuditEntry, Experiment, ModelVersion
from experiments.setup import plan_of
from tests import builders


@pytest.fixture
def latency(shop):
    return builders.metric(shop, "latency", direction="decrease", display_unit="milliseconds")


@pytest.fixture
def fields(purchase, latency):
    return {
        "name": "New ranker", "key": "new-ranker", "hypothesis": "People find more.", "unit_type": "device",
        "planned_days": "14", "traffic": "25",
        "variants-TOTAL_FORMS": "4", "variants-INITIAL_FORMS": "0",
        "variants-0-name": "Control", "variants-0-key": "control", "variants-0-weight": "33.34",
        "variants-1-name": "Ranker v2", "variants-1-key": "", "variants-1-weight": "33.33",
        "variants-2-name": "", "variants-2-key": "", "variants-2-weight": "", "variants-2-value": "",
        "variants-3-name": "Ranker v3", "variants-3-weight": "33.33", "variants-3-value": '{"model": "v3"}',
        "primary": str(purchase.pk),
        "guardrails-TOTAL_FORMS": "2", "guardrails-INITIAL_FORMS": "0",
        "guardrails-0-metric": str(latency.pk), "guardrails-0-margin": "2.5",
        "guardrails-1-metric": "", "guardrails-1-margin": "",
    }  # fmt: skip


def new() -> str:
    return reverse("experiment_new", args=["shop"])


def test_new__a_whole_form__creates_a_draft_and_skips_empty_rows(client_of_alice, shop, fields, purchase, latency):
    version = ModelVersion.objects.create(project=shop, name="ranker", version="v2")
    response = client_of_alice.post(new(), {**fields, "variants-1-model_version": str(version.pk)})
    assert response.url == reverse("experiment_detail", args=["shop", "new-ranker"])
    plan = plan_of(Experiment.objects.get())
    assert [(v.key, v.weight, v.value) for v in plan.variants] == [
        ("control", 3334, None), ("ranker-v2", 3333, None), ("ranker-v3", 3333, {"model": "v3"}),
    ]  # fmt: skip
    assert plan.variants[1].model_version == version
    assert [(use.metric, use.role, use.margin) for use in plan.metrics] == [
        (purchase, MetricRole.PRIMARY, None), (latency, MetricRole.GUARDRAIL, 250),
    ]  # fmt: skip
    assert (plan.unit_type, plan.allocation) == ("device", 2500)


def test_new__sent_twice__creates_one(client_of_alice, shop, fields):
    answers = [client_of_alice.post(new(), fields) for _ in range(2)]
    assert answers[0].url == answers[1].url
    assert Experiment.objects.count() == AuditEntry.objects.count() == 1


def test_new__the_form_as_first_shown__is_a_valid_split(client_of_alice, shop, purchase):
    page = client_of_alice.get(new()).content.decode()
    shown = dict(re.findall(r'name="(variants-\d-(?:name|key|weight))" value="([^"]*)"', page))
    fields = {
        "name": "As shown", "key": "as-shown", "unit_type": "user", "planned_days": "14", "traffic": "100",
        "variants-TOTAL_FORMS": "4", "variants-INITIAL_FORMS": "4", **shown, "primary": str(purchase.pk),
        "guardrails-TOTAL_FORMS": "0", "guardrails-INITIAL_FORMS": "0",
    }  # fmt: skip
    assert client_of_alice.post(new(), fields).status_code == 302
    assert [v.weight for v in Experiment.objects.get().variants.all()] == [5000, 5000]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Name: This field is required"),
        ({"key": "über uns"}, "cannot be a key"),
        ({"key": "new"}, "address of the product itself"),
        ({"unit_type": "cow"}, "Select a valid choice"),
        ({"planned_days": "0"}, "greater than or equal to 1"),
        ({"traffic": "0"}, "greater than or equal to 0.01"),
        ({"traffic": "101"}, "less than or equal to 100"),
        ({"variants-0-weight": "33.33"}, "The weights add up to 99.99 %; they must add up to exactly 100 %"),
        ({"variants-0-weight": "33.345"}, "no more than 2 decimal places"),
        ({"variants-0-weight": "NaN"}, "Enter a number"),
        ({"variants-3-key": "control"}, "is used 2 times"),
        ({"variants-3-value": "{model: v3}"}, "This is not JSON"),
        ({"variants-3-name": ""}, "This field is required"),
        ({"variants-3-model_version": "999999"}, "Select a valid choice"),
        ({"primary": ""}, "Primary metric: This field is required"),
        ({"primary": "999999"}, "Select a valid choice"),
        ({"guardrails-0-margin": ""}, "Margin, %: This field is required"),
        ({"guardrails-0-margin": "-1"}, "greater than or equal to 0"),
        ({"variants-TOTAL_FORMS": "x"}, "ManagementForm data is missing"),
    ],
)
def test_new__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, shop, fields, changes, message: str):
    response = client_of_alice.post(new(), {**fields, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page.replace("&#x27;", "'")
    assert "data-error-summary" in page
    assert "People find more." in page
    assert not Experiment.objects.exists()


def test_new__every_error_in_the_summary__leads_to_an_element(client_of_alice, shop, fields):
    wrong = {"name": "", "variants-3-value": "{", "guardrails-0-margin": "", "primary": "", "variants-0-weight": ""}
    page = client_of_alice.post(new(), {**fields, **wrong}).content.decode()
    summary = page.split("data-error-summary")[1].split("</div>")[0]
    anchors = re.findall(r'href="#([^"]+)"', summary)
    assert len(anchors) == len(wrong)
    assert all(f'id="{anchor}"' in page for anchor in anchors)


def test_new__a_metric_that_is_both_primary_and_guardrail__is_refused(client_of_alice, shop, fields, purchase):
    response = client_of_alice.post(new(), {**fields, "guardrails-0-metric": str(purchase.pk)})
    assert response.status_code == 400
    assert "give each metric one role" in response.content.decode()


def test_new__a_key_in_use__is_refused(client_of_alice, shop, fields):
    builders.experiment(shop, "new-ranker")
    response = client_of_alice.post(new(), fields)
    assert response.status_code == 400
    assert "already used in this project" in response.content.decode()


def test_new__another_projects_metric__cannot_be_chosen(client_of_alice, shop, fields):
    foreign = builders.metric(builders.project("foreign"))
    assert client_of_alice.post(new(), {**fields, "primary": str(foreign.pk)}).status_code == 400
    assert not Experiment.objects.exists()


def test_new__a_project_without_metrics__leads_to_the_first_one(client_of_alice, shop):
    page = client_of_alice.get(new()).content.decode()
    assert reverse("metric_new", args=["shop"]) in page.split("<main")[1]


def test_edit__a_draft__shows_its_plan_and_saves_the_change(client_of_alice, shop, fields):
    client_of_alice.post(new(), fields)
    where = reverse("experiment_edit", args=["shop", "new-ranker"])
    page = client_of_alice.get(where).content.decode()
    assert 'value="33.34"' in page
    assert "{&quot;model&quot;: &quot;v3&quot;}" in page
    assert client_of_alice.post(where, {**fields, "name": "Newer"}).status_code == 302
    made = Experiment.objects.get()
    assert (made.name, made.revision, made.variants.count()) == ("Newer", 2, 3)


def test_edit__a_running_experiment__stays_as_it_is(client_of_alice, shop, fields, purchase):
    running = builders.experiment(shop, primary=purchase)
    where = reverse("experiment_edit", args=["shop", "new-ranker"])
    page = client_of_alice.post(where, {**fields, "name": "Changed"}, follow=True).content.decode()
    assert "its plan is frozen" in page
    running.refresh_from_db()
    assert (running.name, running.status) == ("New ranker", Status.RUNNING)


def test_edit__in_a_tab_older_than_another_change__is_refused_and_the_words_kept(client_of_alice, shop, fields):
    client_of_alice.post(new(), fields)
    where = reverse("experiment_edit", args=["shop", "new-ranker"])
    assert 'name="revision" value="1"' in client_of_alice.get(where).content.decode()
    sent = {**fields, "name": "Newer", "revision": "1"}
    for _ in range(2):
        assert client_of_alice.post(where, sent).status_code == 302
    stale = client_of_alice.post(where, {**sent, "name": "Another", "hypothesis": "Kept words"})
    assert stale.status_code == 400
    assert "was changed meanwhile" in stale.content.decode()
    assert "Kept words" in stale.content.decode()
    assert Experiment.objects.get().name == "Newer"


def test_new__looking_early__is_kept_with_its_units_and_what_matters(client_of_alice, shop, fields):
    looking = {"reading": "group_sequential", "planned_units": "40000", "matters": "1.5"}
    client_of_alice.post(new(), {**fields, **looking})
    made = Experiment.objects.get()
    assert (made.reading, made.planned_units, made.matters) == ("group_sequential", 40_000, 150)
    assert AuditEntry.objects.get().after["reading"] == "group_sequential"
    page = client_of_alice.get(reverse("experiment_edit", args=["shop", made.key])).content.decode()
    assert re.search(r'value="group_sequential"[^>]*checked', page)


def test_new__looking_early_without_planned_units__says_what_is_missing(client_of_alice, shop, fields):
    page = client_of_alice.post(new(), {**fields, "reading": "always_valid"}).content.decode()
    assert "Looking early needs the number of units that you plan for" in page
    assert not Experiment.objects.exists()


def test_new__without_a_word_about_looking__is_read_once(client_of_alice, shop, fields):
    client_of_alice.post(new(), fields)
    made = Experiment.objects.get()
    assert (made.reading, made.planned_units, made.matters) == ("fixed", None, None)


def test_new__more_planned_units_than_anyone_has__is_refused_in_words(client_of_alice, shop, fields):
    page = client_of_alice.post(new(), {**fields, "planned_units": "9" * 30}).content.decode()
    assert "less than or equal to 1000000000000" in page
    assert not Experiment.objects.exists()
