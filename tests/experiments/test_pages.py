"""Who may open what, how much it costs the database, and what each form refuses."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from experiments import keys
from experiments.domain.access import Role, Scope
from experiments.domain.lifecycle import Status
from experiments.models import ApiKey, AuditEntry, Experiment, ExperimentMetric, Membership, Metric, ModelVersion
from tests import builders

READ = ["experiment_detail", "metric_list", "model_list", "key_list"]
EDIT = ["experiment_new", "metric_new", "model_new"]
WRITE = ["experiment_start", "key_revoke"]
OF_EXPERIMENT = {"experiment_detail", "experiment_start"}


@pytest.fixture
def draft(shop, purchase) -> Experiment:
    return builders.experiment(shop, status=Status.DRAFT, primary=purchase)


@pytest.fixture
def key(shop, alice) -> ApiKey:
    return keys.issue_key(shop, "web shop", [Scope.EVALUATE], alice)[0]


def address(name: str, key: ApiKey) -> str:
    extra = ["new-ranker"] if name in OF_EXPERIMENT else [key.pk] if name == "key_revoke" else []
    return reverse(name, args=["shop", *extra])


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__a_stranger__gets_404(client_of_charlie, draft, key, name: str):
    assert client_of_charlie.get(address(name, key)).status_code == 404


@pytest.mark.parametrize("name", WRITE + EDIT + ["key_list"])
def test_post__a_stranger__gets_404_and_changes_nothing(client_of_charlie, draft, key, name: str):
    before = AuditEntry.objects.count()
    assert client_of_charlie.post(address(name, key), {"why": "x", "name": "x"}).status_code == 404
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", WRITE + EDIT + ["key_list"])
def test_post__a_viewer__gets_403_and_changes_nothing(client_of_bob, draft, key, name: str):
    before = AuditEntry.objects.count()
    assert client_of_bob.post(address(name, key), {"why": "x", "name": "x"}).status_code == 403
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", READ)
def test_page__a_viewer__may_read_and_sees_no_way_to_change(client_of_bob, draft, key, name: str):
    response = client_of_bob.get(address(name, key))
    assert response.status_code == 200
    main = response.content.decode().split("<main")[1]
    assert "<form" not in main.replace('<form method="get"', "")


@pytest.mark.parametrize("name", READ + EDIT + WRITE)
def test_page__nobody_signed_in__asks_to_sign_in(draft, key, name: str):
    response = Client().post(address(name, key)) if name in WRITE else Client().get(address(name, key))
    assert (response.status_code, response.url.split("?")[0]) == (302, reverse("sign_in"))


@pytest.mark.parametrize("name", WRITE)
def test_change__by_get__is_refused(client_of_alice, draft, key, name: str):
    assert client_of_alice.get(address(name, key)).status_code == 405


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__more_of_everything__costs_no_more_queries(
    client_of_alice, shop, draft, key, purchase, alice, name: str, django_assert_max_num_queries
):
    for i in range(12):
        metric = builders.metric(shop, f"metric-{i}")
        ExperimentMetric.objects.create(experiment=draft, metric=metric, role="secondary", position=i + 1)
        ModelVersion.objects.create(project=shop, name="ranker", version=str(i))
        keys.issue_key(shop, f"key {i}", [Scope.READ], alice)
    with django_assert_max_num_queries(25):
        assert client_of_alice.get(address(name, key)).status_code == 200


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__holds_no_inline_script_or_style(client_of_alice, draft, key, name: str):
    response = client_of_alice.get(address(name, key))
    page = response.content.decode()
    assert response["Content-Security-Policy"].startswith("default-src 'self'")
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", page)


def test_home__a_member__goes_to_the_chosen_project(client_of_alice, shop, alice):
    builders.project("another", owner=alice)
    assert client_of_alice.get(reverse("home")).url == reverse("project_home", args=["another"])
    assert client_of_alice.get(reverse("home"), {"project": "shop"}).url == reverse("project_home", args=["shop"])
    assert client_of_alice.get(reverse("home"), {"project": "not-mine"}).url == reverse(
        "project_home", args=["another"]
    )


def test_home__a_member_of_nothing__is_told_whom_to_ask(client_of_charlie):
    response = client_of_charlie.post(reverse("home"), {"name": "Mine", "currency": "EUR"})
    assert "Ask the person who runs this installation" in response.content.decode()
    assert not Membership.objects.exists()


def test_home__whoever_runs_the_installation__makes_the_first_project(db):
    person = builders.user(is_staff=True)
    client = Client()
    client.force_login(person)
    refused = client.post(reverse("home"), {"name": "!!!", "currency": "euros"})
    assert refused.status_code == 400
    assert client.post(reverse("home"), {"name": "Web shop", "currency": "usd"}).status_code == 302
    membership = Membership.objects.get(user=person)
    assert (membership.project.slug, membership.project.currency, membership.role) == ("web-shop", "USD", Role.ADMIN)


def test_detail__shows_requests_with_this_experiments_key(client_of_alice, draft, key):
    page = client_of_alice.get(address("experiment_detail", key)).content.decode()
    assert "/ofrep/v1/evaluate/flags/new-ranker" in page
    assert "&quot;experiment_id&quot;: &quot;new-ranker&quot;" in page
    assert "Order Completed" in page


def test_detail__a_draft_without_a_metric__cannot_be_started(client_of_alice, shop, key):
    builders.experiment(shop, status=Status.DRAFT)
    page = client_of_alice.get(address("experiment_detail", key)).content.decode()
    assert "Choose a primary metric" in page
    assert re.search(r'<button class="btn" disabled>Start', page)


def test_start__a_double_click__starts_once(client_of_alice, draft, key):
    for _ in range(2):
        assert client_of_alice.post(address("experiment_start", key)).status_code == 302
    draft.refresh_from_db()
    assert draft.status == Status.RUNNING
    assert AuditEntry.objects.filter(action="experiment.start").count() == 1


def test_start__a_draft_that_lacks_its_metric__says_what_is_missing(client_of_alice, shop, key):
    builders.experiment(shop, status=Status.DRAFT)
    page = client_of_alice.post(address("experiment_start", key), follow=True).content.decode()
    assert "cannot start yet: Choose a primary metric" in page


METRIC = {
    "name": "Revenue per user", "kind": "sum", "event": "Order Completed", "property": "revenue",
    "direction": "increase", "display_unit": "currency",
}  # fmt: skip


def test_metric_new__a_whole_form__adds_a_metric_with_a_key_of_its_name(client_of_alice, shop):
    client_of_alice.post(reverse("metric_new", args=["shop"]), {**METRIC, "denominator_event": "left over"})
    made = Metric.objects.get()
    assert (made.key, made.property, made.denominator_event) == ("revenue-per-user", "revenue", "")
    assert AuditEntry.objects.get().action == "metric.create"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"property": ""}, "Name the property to total"),
        ({"kind": "ratio"}, "Name the event to divide by"),
        ({"kind": "median"}, "Select a valid choice"),
        ({"key": "purchase-rate"}, "already used in this project"),
        ({"key": "has space"}, "valid"),
        ({"name": "!!!"}, "none can be made of this name"),
    ],
)
def test_metric_new__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, purchase, changes, message: str):
    response = client_of_alice.post(reverse("metric_new", args=["shop"]), {**METRIC, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert 'value="Order Completed"' in page
    assert Metric.objects.count() == 1


KEY = {"name": "web", "scopes": ["evaluate", "ingest"], "environment": "staging", "delivery": "encrypted", "once": "a"}


def test_keys__a_new_key__is_shown_once_and_kept_as_a_digest(client_of_alice, shop):
    where = reverse("key_list", args=["shop"])
    page = client_of_alice.post(where, KEY, follow=True).content.decode()
    plain = re.search(r"tl_[A-Za-z0-9_-]{43}", page).group()
    made = ApiKey.objects.get()
    assert (made.digest, made.environment, made.delivery) == (keys.digest(plain), "staging", "encrypted")
    assert plain not in client_of_alice.get(where).content.decode()
    assert plain not in str(dict(client_of_alice.session))


def test_keys__the_form_sent_twice__makes_one_key(client_of_alice, shop):
    where = reverse("key_list", args=["shop"])
    for _ in range(2):
        assert client_of_alice.post(where, KEY).status_code == 302
    assert re.search(r"tl_[A-Za-z0-9_-]{43}", client_of_alice.get(where).content.decode())
    client_of_alice.post(where, {**KEY, "once": "b"})
    assert ApiKey.objects.count() == 2


def test_keys__a_new_key__is_not_shown_on_another_projects_page(client_of_alice, shop, alice):
    builders.project("another", owner=alice)
    client_of_alice.post(reverse("key_list", args=["shop"]), KEY)
    assert not re.search(
        r"tl_[A-Za-z0-9_-]{43}", client_of_alice.get(reverse("key_list", args=["another"])).content.decode()
    )


def test_keys__the_decryption_key__is_shown_to_editors_alone(client_of_alice, client_of_bob, shop):
    where = reverse("key_list", args=["shop"])
    client_of_alice.post(where, KEY)
    secret = ApiKey.objects.get().encryption_key
    assert secret in client_of_alice.get(where).content.decode()
    assert secret not in client_of_bob.get(where).content.decode()


WRONG_KEYS = [
    {"name": "", "scopes": ["read"]},
    {"name": "x"},
    {"name": "x", "scopes": ["admin"]},
    {**KEY, "environment": "moon"},
    {**KEY, "delivery": "pigeon"},
]


@pytest.mark.parametrize("wrong", WRONG_KEYS)
def test_keys__a_wrong_form__makes_no_key(client_of_alice, shop, wrong):
    assert client_of_alice.post(reverse("key_list", args=["shop"]), wrong).status_code == 400
    assert not ApiKey.objects.exists()


def test_key_revoke__twice__is_recorded_once(client_of_alice, key):
    for _ in range(2):
        client_of_alice.post(address("key_revoke", key))
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert AuditEntry.objects.filter(action="key.revoked").count() == 1


def test_key_revoke__a_key_of_another_project__is_not_found(client_of_alice, alice, shop):
    foreign, _ = keys.issue_key(builders.project("foreign"), "theirs", [Scope.READ], None)
    assert client_of_alice.post(reverse("key_revoke", args=["shop", foreign.pk])).status_code == 404
    foreign.refresh_from_db()
    assert foreign.revoked_at is None
