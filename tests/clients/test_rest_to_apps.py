"""What REST creates is what the pages show and what apps are served."""

import httpx
import pytest
from django.test import Client

from experiments.models import User
from tests.assignment.conftest import wait_until

EXPERIMENT = {
    "key": "new-ranker",
    "name": "New ranker",
    "variants": [
        {"key": "control", "weight": 5000, "value": "old"},
        {"key": "treatment", "weight": 5000, "value": "new"},
    ],
    "metrics": [{"metric": "purchase-rate", "role": "primary"}],
}
FLAG = {"key": "ranker", "name": "Ranker", "value_type": "string", "default_value": "none"}
GERMANY = {"kind": "experiment", "experiment": "new-ranker", "targeting": {"country": "DE"}}


@pytest.fixture
def app(rest):
    headers = {"Authorization": f"Bearer {rest.key}"}
    with httpx.Client(base_url=rest.server.url, headers=headers, timeout=20) as client:
        yield client


def sent(app, method, path, body=None):
    response = app.request(method, f"/api/v1{path}", json=body)
    assert response.is_success, response.text
    return response.json()


def served(app, key, **context):
    asked = {"context": {"targetingKey": "shopper-1", **context}}
    return app.post(f"/ofrep/v1/evaluate/flags/{key}", json=asked).json()


def test_flag_and_experiment__made_by_rest__are_shown_and_served(app, rest):
    sent(app, "POST", "/experiments", EXPERIMENT)
    sent(app, "POST", "/experiments/new-ranker/start")
    sent(app, "POST", "/flags", FLAG)
    sent(app, "POST", "/flags/ranker/rules", GERMANY)
    sent(app, "PUT", "/flags/ranker/environments/production", {"enabled": True})
    sent(app, "POST", "/experiments/new-ranker/overrides", {"unit_id": "tester", "variant": "treatment"})

    wait_until(lambda: served(app, "ranker", country="DE").get("variant") in ("control", "treatment"))
    answer = served(app, "ranker", country="DE")
    assert answer["value"] == {"control": "old", "treatment": "new"}[answer["variant"]]
    assert answer["reason"] == "SPLIT"
    assert served(app, "ranker", country="FR")["value"] == "none"
    wait_until(lambda: served(app, "new-ranker", targetingKey="tester")["value"] == "new")  # published after the rest

    browser = Client()
    browser.force_login(User.objects.get(email="alice@example.com"))
    shown = browser.get("/p/shop/flags/ranker/").content.decode()
    assert "New ranker" in shown
    assert "Deploys" in shown, "the history names the key"
    assert "running" in browser.get("/p/shop/experiments/new-ranker/").content.decode().lower()


@pytest.fixture(autouse=True)
def _committed(rest, django_db_blocker):
    """Let a test read what the server has committed."""
    with django_db_blocker.unblock():
        yield
