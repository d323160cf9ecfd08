"""Guardrails of serving: from one event, at one click the first time, by default from then on."""

import pytest
from django.urls import reverse

from experiments import serving
from experiments.domain.access import Scope
from experiments.domain.definitions import flaws
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.domain.serving import SERVING
from experiments.keys import issue_key
from experiments.models import AuditEntry, Metric, ModelVersion
from experiments.setup import PlanError, plan_of
from tests import builders
from tests.experiments.pages.wizard_forms import what

pytestmark = pytest.mark.django_db
NAMES = [one.name for one in SERVING]


@pytest.fixture
def versions(shop) -> list[ModelVersion]:
    return [ModelVersion.objects.create(project=shop, name="ranker", version=name) for name in ("v8", "v9")]


@pytest.fixture
def draft(shop, purchase, alice, versions):
    made = builders.experiment(shop, status=Status.DRAFT, primary=purchase, owner=alice)
    for variant, version in zip(made.variants.order_by("position"), versions, strict=True):
        variant.model_version = version
        variant.save()
    return made


def held(experiment) -> list[str]:
    uses = experiment.plan.filter(role=MetricRole.GUARDRAIL.value).order_by("position")
    return [use.metric.name for use in uses.select_related("metric")]


@pytest.mark.parametrize("one", SERVING, ids=lambda one: one.key)
def test_serving__each_definition__is_one_that_a_person_could_enter(one):
    assert flaws(one.definition) == []


def test_hold__the_first_time__adds_the_metrics_and_names_them_and_twice_changes_nothing(draft, alice):
    assert serving.hold(draft, alice) == NAMES
    assert held(draft) == NAMES
    assert serving.hold(draft, alice) == []
    assert Metric.objects.filter(project=draft.project, key__startswith="model-").count() == len(SERVING)
    assert AuditEntry.objects.filter(action="metric.create").count() == len(SERVING)
    margins = dict(draft.plan.filter(role="guardrail").values_list("metric__key", "margin"))
    assert (margins["model-latency-p95"], margins["model-latency-p99"], margins["model-cost"]) == (500, 1000, 1000)


def test_hold__of_an_experiment_without_two_versions__names_nothing(shop, purchase, versions):
    other = builders.experiment(shop, "other", status=Status.DRAFT, primary=purchase)
    assert serving.hold(other, None) == []
    other.variants.update(model_version=versions[0])
    assert serving.hold(other, None) == []
    assert not Metric.objects.filter(key__startswith="model-").exists()


def test_hold__once_started__is_refused(draft):
    draft.status, draft.started_at = Status.RUNNING, builders.T0
    draft.save()
    with pytest.raises(PlanError):
        serving.hold(draft, None)
    assert not Metric.objects.filter(key__startswith="model-").exists()


def test_hold__what_was_archived__stays_out(draft, alice):
    serving.hold(draft, alice)
    draft.plan.filter(metric__key="model-cost").delete()
    Metric.objects.filter(key="model-cost").update(archived_at=builders.T0)
    assert serving.lacking(draft, plan_of(draft)) == []


def test_checklist__of_models__offers_them_and_one_click_adds_them(client_of_alice, draft):
    address = reverse("experiment_detail", args=["shop", draft.key])
    assert "What serving the models costs is not watched" in client_of_alice.get(address).content.decode()
    client_of_alice.post(reverse("experiment_fix", args=["shop", draft.key]), {"guardrails": "serving"})
    assert held(draft) == NAMES
    said = client_of_alice.get(address).content.decode()
    assert "Latency, failures, fallbacks and cost of the models are guardrails." in said


def test_step_what__once_the_project_has_them__names_them_by_default_and_not_again(
    client_of_alice, draft, shop, purchase, versions
):
    serving.hold(draft, None)
    fresh = builders.experiment(shop, "next", status=Status.DRAFT, primary=purchase)
    sent = what(**{f"variants-{row}-model_version": str(version.pk) for row, version in enumerate(versions)})
    address = reverse("experiment_set_up", args=["shop", "next", "what"])
    assert client_of_alice.post(address, sent).status_code == 302
    assert held(fresh) == NAMES
    fresh.plan.filter(metric__key="model-cost").delete()
    client_of_alice.post(address, sent)
    assert "Cost of a model's answer" not in held(fresh)


def test_api__adds_them_to_a_draft_of_models_and_refuses_any_other(client, draft, shop, purchase):
    key = issue_key(shop, "ci", [Scope.READ, Scope.WRITE], None)[1]
    head = {"authorization": f"Bearer {key}"}
    answer = client.post(f"/api/v1/experiments/{draft.key}/serving-guardrails", headers=head)
    assert answer.status_code == 200, answer.content
    assert held(draft) == NAMES
    builders.experiment(shop, "plain", status=Status.DRAFT, primary=purchase)
    refused = client.post("/api/v1/experiments/plain/serving-guardrails", headers=head)
    assert (refused.status_code, "compares no two model versions" in refused.content.decode()) == (422, True)
