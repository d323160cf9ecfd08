"""What results know of a metric: its A/A certificate, and another version of it in a started experiment."""

import pytest
from django.urls import reverse

from analysis.models import RefreshRun, Watermark
from analysis.rollup.retention import HORIZON
from experiments import lifecycle
from experiments.domain.definitions import Definition
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind
from experiments.metric_versions import revise_metric
from experiments.models import AuditEntry, ExperimentMetric
from tests import builders
from tests.builders import T0

WEEK = Definition(kind=MetricKind.PROPORTION, event="Order Completed", window_hours=168)


@pytest.fixture
def running(shop, purchase, alice):
    made = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    lifecycle.start(made, alice, at=T0)
    revise_metric(purchase, alice, WEEK, "one week is enough")
    return made


def where() -> str:
    return reverse("experiment_metric_version", args=["shop", "new-ranker", "purchase-rate"])


def test_version__the_page__says_what_would_change(client_of_alice, running):
    page = client_of_alice.get(where()).content.decode()
    for said in (
        "Version 1 (counts now)",
        "within 7 days of first exposure (new)",
        "will say that it was chosen after",
    ):
        assert said in page


def test_version__another_one__counts_and_is_refreshed_once(client_of_alice, running):
    for _ in range(2):
        assert client_of_alice.post(where(), {"number": 2, "why": "the first was wrong"}).status_code == 302
    assert ExperimentMetric.objects.get().number == 2
    assert RefreshRun.objects.count() == 1
    assert AuditEntry.objects.filter(action="experiment.metric-version").count() == 1


@pytest.mark.parametrize(("sent", "said"), [({"number": 9, "why": "x"}, "valid choice"), ({"number": 2}, "required")])
def test_version__a_wrong_field__is_refused(client_of_alice, running, sent, said: str):
    response = client_of_alice.post(where(), sent)
    assert (response.status_code, said in response.content.decode()) == (400, True)
    assert ExperimentMetric.objects.get().number == 1


def test_version__when_the_log_lacks_days__is_refused_in_words(client_of_alice, running):
    Watermark.objects.create(name=HORIZON, data_up_to=T0 + builders.timedelta(days=1))
    assert "no longer in the log" in client_of_alice.get(where()).content.decode()
    response = client_of_alice.post(where(), {"number": 2, "why": "the first was wrong"})
    assert response.status_code == 400
    assert ExperimentMetric.objects.get().number == 1


def test_version__of_a_draft__needs_no_choice(client_of_alice, shop, purchase, alice):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    revise_metric(purchase, alice, WEEK, "one week")
    assert "follows the newest version" in client_of_alice.get(where()).content.decode()


def test_version__a_stranger_or_a_viewer__may_not(client_of_charlie, client_of_bob, running):
    assert client_of_charlie.get(where()).status_code == 404
    assert client_of_bob.get(where()).status_code == 403
    assert client_of_bob.post(where(), {"number": 2, "why": "x"}).status_code == 403


def test_version__a_metric_that_the_experiment_has_not__is_404(client_of_alice, running, shop):
    builders.metric(shop, "other")
    assert client_of_alice.get(where().replace("purchase-rate", "other")).status_code == 404


def test_trial__without_a_certificate__says_how_to_make_one(client_of_alice, shop, purchase):
    page = client_of_alice.get(reverse("metric_trial", args=["shop", "purchase-rate"])).content.decode()
    assert "manage.py certify_metrics shop purchase-rate" in page
