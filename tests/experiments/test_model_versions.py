"""Model versions: registered once, brought up to date, with a parent and offline metrics that make sense."""

from dataclasses import replace
from datetime import date

import pytest
from django.db import connection
from django.urls import reverse

from experiments.domain.metrics import Direction
from experiments.domain.offline import OfflineUnit, OfflineValue, Origin, VersionStatus, named, value_problem
from experiments.model_versions import (
    Outcome,
    Registration,
    RegistrationError,
    ancestors,
    bring_up_to_date,
    register,
    registration_of,
    revise,
)
from experiments.models import AuditEntry, ModelVersion, OfflineMetric
from tests.experiments.conftest import signed_in

NDCG = OfflineValue(
    name="NDCG@10", value=0.431, low=0.427, high=0.435, evaluation_set="held-out", size=12_000,
    direction=Direction.INCREASE,
)  # fmt: skip
V8 = Registration(name="ranker", version="v8", owner="Search", metrics=(NDCG,))


@pytest.mark.parametrize(
    ("name", "label", "good", "unit"),
    [
        ("val_ndcg_at_10", "NDCG@10", "increase", OfflineUnit.SCORE),
        ("roc-auc", "AUC", "increase", OfflineUnit.SCORE),
        ("accuracy_score", "Accuracy", "increase", OfflineUnit.SCORE),
        ("log_loss", "Log loss", "decrease", OfflineUnit.SCORE),
        ("latency p95", "Latency p95", "decrease", OfflineUnit.MILLISECONDS),
        ("Cost per 1,000 predictions", "Cost per 1,000 predictions", "decrease", OfflineUnit.MONEY),
        ("test_rmse", "test_rmse", "decrease", OfflineUnit.SCORE),
        ("Diversity", "Diversity", "increase", OfflineUnit.SCORE),
    ],
)
def test_named__what_training_code_calls_it__is_known(name, label, good, unit):
    found = named(name)
    assert (found.label, found.direction, found.unit) == (label, good, unit)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": float("nan")}, "finite"),
        ({"low": None}, "both ends"),
        ({"low": 0.44}, "does not hold the value"),
        ({"high": float("inf")}, "finite"),
        ({"name": " "}, "Name the offline metric"),
    ],
)
def test_value__that_makes_no_sense__says_why(changes, said: str):
    assert said in value_problem(replace(NDCG, **changes))
    assert value_problem(NDCG) == ""


@pytest.mark.django_db
def test_register__keeps_everything_and_an_audit_row(shop, alice):
    register(shop, alice, Registration(name="ranker", version="v7"))
    wanted = replace(V8, parent="v7", trained_from=date(2026, 1, 1), trained_until=date(2026, 2, 1), notes="n")
    made = register(shop, alice, wanted)
    assert registration_of(ModelVersion.objects.get(pk=made.pk)) == wanted
    row = AuditEntry.objects.get(subject="model:ranker v8")
    assert (row.action, row.after["metrics"]) == (
        "model_version.create",
        {"NDCG@10 on held-out": [0.431, 0.427, 0.435]},
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"version": "v7"}, "version", "registered already"),
        ({"parent": "v6"}, "parent", "register the parent first"),
        ({"parent": "v8"}, "parent", "its own parent"),
        ({"trained_from": date(2026, 2, 1), "trained_until": date(2026, 2, 1)}, "trained_until", "before they end"),
        ({"metrics": (NDCG, NDCG)}, "metrics", "twice"),
        ({"metrics": (replace(NDCG, low=0.5),)}, "metrics", "does not hold"),
    ],
)
def test_register__what_is_wrong__is_refused_with_its_field(shop, alice, changes, field: str, said: str):
    register(shop, alice, Registration(name="ranker", version="v7"))
    with pytest.raises(RegistrationError, match=said) as refused:
        register(shop, alice, replace(V8, **changes))
    assert refused.value.field == field
    assert ModelVersion.objects.count() == 1


@pytest.mark.django_db
def test_revise__twice__changes_once_and_writes_one_row(shop, alice):
    made = register(shop, alice, V8)
    wanted = replace(V8, status=VersionStatus.SERVING)
    assert revise(made, alice, wanted)
    assert not revise(made, alice, wanted)
    assert AuditEntry.objects.filter(action="model_version.edit").count() == 1


@pytest.mark.django_db
def test_revise__a_circle_of_parents__is_refused(shop, alice):
    register(shop, alice, Registration(name="ranker", version="v7"))
    register(shop, alice, replace(V8, parent="v7"))
    v7 = ModelVersion.objects.get(version="v7")
    with pytest.raises(RegistrationError, match="cannot be its parent"):
        revise(v7, alice, replace(registration_of(v7), parent="v8"))
    v8 = ModelVersion.objects.get(version="v8")
    assert [one.version for one in ancestors(v8)] == ["v8", "v7"]


@pytest.mark.django_db
def test_bring_up_to_date__what_is_not_stated_stays_and_metrics_are_merged(shop):
    register(shop, None, replace(V8, notes="kept"))
    auc = OfflineValue(name="AUC", value=0.8)
    given = Registration(name="ranker", version="v8", owner="Ads", metrics=(auc, replace(NDCG, value=0.432)))
    found, outcome = bring_up_to_date(shop, None, given, frozenset({"owner"}), Origin.PROGRAM)
    assert (outcome, found.owner, found.notes) == (Outcome.CHANGED, "Ads", "kept")
    assert [(one.name, one.value) for one in found.offline.all()] == [("NDCG@10", 0.432), ("AUC", 0.8)]
    before = AuditEntry.objects.count()
    assert bring_up_to_date(shop, None, given, frozenset({"owner"}), Origin.PROGRAM)[1] is Outcome.SAME
    assert AuditEntry.objects.count() == before


@pytest.mark.django_db
def test_table__an_interval_without_its_value__cannot_be_kept(shop, alice):
    made = register(shop, alice, V8)
    with pytest.raises(Exception, match="offline_interval_holds_its_value"):
        OfflineMetric.objects.create(model_version=made, name="x", value=2.0, low=0.0, high=1.0, direction="increase")


# The pages

FORM = {
    "name": "ranker", "version": "v9", "parent": "v8", "status": "candidate",
    "metrics-TOTAL_FORMS": "2", "metrics-INITIAL_FORMS": "0",
    "metrics-0-metric": "NDCG@10", "metrics-0-value": "0.452", "metrics-0-low": "0.448", "metrics-0-high": "0.456",
    "metrics-0-evaluation_set": "held-out", "metrics-0-size": "12000",
}  # fmt: skip


def family(name: str = "ranker") -> str:
    return reverse("model_family", args=["shop", name])


def test_new__a_version_with_its_metric__is_registered_once(client_of_alice, shop, alice):
    register(shop, alice, V8)
    where = reverse("model_new", args=["shop"])
    response = client_of_alice.post(where, FORM)
    assert (response.status_code, response.url) == (302, family())
    made = ModelVersion.objects.get(version="v9")
    assert (made.parent.version, made.headline.low, made.headline.size) == ("v8", 0.448, 12_000)
    again = client_of_alice.post(where, FORM)
    assert again.status_code == 400
    assert "ranker v9 is registered already" in again.content.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "required"),
        ({"parent": "v3"}, "register the parent first"),
        ({"metrics-0-value": ""}, "Metric 1, Value"),
        ({"metrics-0-low": "0.5"}, "does not hold the value"),
        ({"metrics-0-high": ""}, "both ends of the interval"),
        ({"metrics-0-size": "0"}, "greater than or equal to 1"),
    ],
)
def test_new__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, shop, alice, changes, message: str):
    register(shop, alice, V8)
    response = client_of_alice.post(reverse("model_new", args=["shop"]), {**FORM, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert 'value="v9"' in page
    assert ModelVersion.objects.count() == 1


def test_edit__status_and_metrics__are_changed_and_the_name_stays(client_of_alice, shop, alice):
    made = register(shop, alice, V8)
    where = reverse("model_edit", args=["shop", made.pk])
    assert 'value="0.431"' in client_of_alice.get(where).content.decode()
    changed = {**FORM, "name": "other", "version": "v1", "parent": "", "status": "serving"}
    assert client_of_alice.post(where, changed).status_code == 302
    made = ModelVersion.objects.get(pk=made.pk)
    assert (str(made), made.status, made.headline.value) == ("ranker v8", "serving", 0.452)


def test_pages__strangers_get_404_and_viewers_may_not_write(client_of_bob, client_of_charlie, shop, alice):
    made = register(shop, alice, V8)
    edit, new = reverse("model_edit", args=["shop", made.pk]), reverse("model_new", args=["shop"])
    for path in (edit, new, family(), reverse("model_list", args=["shop"])):
        assert client_of_charlie.get(path).status_code == 404
    assert [client_of_bob.get(path).status_code for path in (edit, new, family())] == [403, 403, 200]
    assert client_of_bob.get(family("nobody")).status_code == 404
    assert signed_in(alice).get(reverse("model_edit", args=["shop", 0])).status_code == 404


def test_list__queries__do_not_grow_with_versions(client_of_alice, shop, alice, django_assert_num_queries):
    register(shop, alice, V8)
    where = reverse("model_list", args=["shop"])
    client_of_alice.get(where)
    with CaptureQueries() as few:
        client_of_alice.get(where)
    for number in range(9, 15):
        register(shop, alice, replace(V8, version=f"v{number}", parent="v8"))
    with django_assert_num_queries(few.count):
        page = client_of_alice.get(where).content.decode()
    assert "2 older versions" in page


class CaptureQueries:
    """Count the queries of a block."""

    def __enter__(self):
        self.before = len(connection.queries_log)
        connection.force_debug_cursor = True
        return self

    def __exit__(self, *_):
        connection.force_debug_cursor = False
        self.count = len(connection.queries_log) - self.before
