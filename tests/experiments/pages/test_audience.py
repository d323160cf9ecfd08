"""Who takes part: one page, one transaction, and once started only what takes nobody out."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from experiments import layers
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from experiments.pages import meanwhile
from tests import builders


@pytest.fixture
def draft(shop, purchase, alice) -> Experiment:
    layers.create_layer(shop, alice, "home", "Home page")
    builders.flag(shop, "base")
    return builders.experiment(shop, status=Status.DRAFT, primary=purchase)


AT = "/p/shop/experiments/new-ranker/audience/"
ALL = ["production", "staging", "development"]


def form(*clauses: tuple[str, str, str, str], **changes) -> dict:
    names = ("joiner", "attribute", "op", "value")
    cells = {f"targeting-{i}-{n}": text for i, row in enumerate(clauses) for n, text in zip(names, row, strict=True)}
    counts = {
        "targeting-TOTAL_FORMS": str(len(clauses)), "targeting-INITIAL_FORMS": "0",
        "needs-TOTAL_FORMS": "1", "needs-INITIAL_FORMS": "0",
    }  # fmt: skip
    return {"environments": ALL, "respects_holdout": "on", **counts, **cells, **changes}


def soon(days: int) -> str:
    return f"{timezone.now() + timedelta(days=days):%Y-%m-%dT%H:%M}"


def test_audience__everything_at_once__is_kept_and_shown(client_of_alice, draft):
    sent = form(
        ("and", "country", "one_of", "DE, AT"),
        layer="home", layer_share="30", starts_at=soon(1), ends_at=soon(15), fallback_unit_type="device",
        ramp="1, 5 for 48 h, 50", environments=["production"],
        **{"needs-0-parent_key": "base", "needs-0-value": "true"},
    )  # fmt: skip
    assert client_of_alice.post(AT, sent).status_code == 302
    draft.refresh_from_db()
    assert draft.targeting == {"country": {"$in": ["DE", "AT"]}}
    assert (draft.layer_ranges, draft.environments, draft.fallback_unit_type) == ([[0, 3000]], ["production"], "device")
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    for words in (
        "Only if country is one of DE, AT.", "30 % of Home page", "1 % for 24 h, then 5 % for 48 h, then 50 %.",
        "<code>base</code> to be <code>true</code>", "Starts by itself",
    ):  # fmt: skip
        assert words in page
    again = client_of_alice.get(AT).content.decode()
    assert "New ranker holds 30 %; 70 % is free." in again
    assert 'value="DE, AT"' in again


def test_audience__sent_twice__is_recorded_once(client_of_alice, draft):
    sent = form(("and", "plan", "is", "pro"), seen=str(meanwhile.mark(draft.project, f"experiment:{draft.key}")))
    for _ in range(2):
        assert client_of_alice.post(AT, sent).status_code == 302
    assert AuditEntry.objects.filter(action="experiment.audience").count() == 1


def test_audience__a_tab_older_than_another_change__is_refused(client_of_alice, draft):
    stale = form(("and", "plan", "is", "pro"), seen=str(meanwhile.mark(draft.project, f"experiment:{draft.key}")))
    client_of_alice.post(AT, form(("and", "plan", "is", "free")))
    response = client_of_alice.post(AT, stale)
    assert response.status_code == 400
    assert "changed meanwhile by somebody else" in response.content.decode()
    draft.refresh_from_db()
    assert draft.targeting == {"plan": "free"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environments": []}, "Choose one environment or more"),
        ({"environments": ["moon"]}, "Select a valid choice"),
        ({"fallback_unit_type": "user"}, "randomises users already"),
        ({"layer": "home"}, "Say how much of the layer"),
        ({"layer": "elsewhere", "layer_share": "10"}, "Select a valid choice"),
        ({"layer": "home", "layer_share": "0"}, "greater than or equal to"),
        ({"ends_at": "2001-01-01T00:00"}, "lies in the past"),
        ({"starts_at": "2031-01-02T00:00", "ends_at": "2031-01-01T00:00"}, "The end must lie after"),
        ({"ramp": "5, 1"}, "each must be more than the one before"),
        ({"needs-0-parent_key": "nowhere", "needs-0-value": "true"}, "There is no flag or experiment"),
        ({"needs-0-parent_key": "base"}, "This field is required"),
        ({"targeting-0-value": ""}, "Give the value"),
    ],
)
def test_audience__what_cannot_be__is_refused_whole_and_kept(client_of_alice, draft, changes, message: str):
    sent = form(("and", "country", "is", "Kept land"))
    response = client_of_alice.post(AT, {**sent, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert "Kept land" in page or "targeting-0-value" in changes
    assert not AuditEntry.objects.filter(action__startswith="experiment.").exists()


def test_audience__once_started__widens_and_never_narrows(client_of_alice, shop, purchase):
    builders.experiment(shop, primary=purchase, targeting={"country": "DE"})
    narrower = client_of_alice.post(AT, form(("and", "country", "is", "DE"), ("and", "plan", "is", "pro")))
    assert narrower.status_code == 400
    assert "units could leave it" in narrower.content.decode()
    wider = form(("and", "country", "is", "DE"), ("or", "plan", "is", "pro"))
    assert client_of_alice.post(AT, wider).status_code == 302
    assert Experiment.objects.get().targeting == {"$or": [{"country": "DE"}, {"plan": "pro"}]}


def test_audience__a_stranger_or_viewer__is_refused(client_of_charlie, client_of_bob, draft):
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403)):
        assert client.get(AT).status_code == status
        assert client.post(AT, form()).status_code == status


def test_audience__more_of_everything__costs_no_more_queries(
    client_of_alice, shop, alice, draft, django_assert_max_num_queries
):
    for i in range(10):
        layers.create_layer(shop, alice, f"layer-{i}", f"Layer {i}")
        builders.experiment(shop, f"other-{i}")
    with django_assert_max_num_queries(14):
        assert client_of_alice.get(AT).status_code == 200


def test_audience__a_stopped_experiment__leads_back(client_of_alice, shop, purchase):
    builders.experiment(shop, primary=purchase, status=Status.STOPPED)
    assert "who took part is settled" in client_of_alice.get(AT, follow=True).content.decode()
