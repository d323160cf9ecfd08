"""The public Segment client for Python against a real server process."""

import warnings
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from events.models import LoggedEvent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from segment.analytics.client import Client


def send(server, key: str, **options) -> Client:
    failures = []
    client = Client(key, host=server.url, on_error=lambda error, _: failures.append(error), **options)
    client.failures = failures
    return client


@pytest.mark.parametrize("gzip", [False, True])
def test_client__flushes_its_events__each_is_kept_once(server, write_key, gzip):
    client = send(server, write_key, gzip=gzip)
    for number in range(250):
        client.track(f"user-{number}", "Order Completed", {"revenue": 12.5, "order_id": str(number)})
    client.track("user-1", "Experiment Viewed", {"experiment_id": "new-ranker", "variation_id": "treatment"})
    client.identify("user-1", {"plan": "pro"})
    client.flush()
    client.join()

    assert client.failures == []
    assert LoggedEvent.objects.count() == 252
    exposure = LoggedEvent.objects.get(name="Experiment Viewed")
    assert (exposure.experiment, exposure.variant, exposure.user_id) == ("new-ranker", "treatment", "user-1")
    assert LoggedEvent.objects.get(name="$identify").props["plan"] == "pro"
    order = LoggedEvent.objects.get(user_id="user-7")
    assert order.props["revenue"] == 12.5
    assert abs(order.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_client__revoked_key__tells_the_caller(server):
    client = send(server, "tl_unknown", max_retries=1)
    client.track("user-1", "Order Completed")
    client.flush()
    client.join()

    assert [(error.status, error.code) for error in client.failures] == [(401, "invalid_key")]
    assert LoggedEvent.objects.count() == 0


def test_server__answers_doors_django_and_health(server, write_key):
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{server.url}/readyz").json()
    assert (ready["status"], ready["event_log"]) == ("ready", "available")
    answer = httpx.post(
        f"{server.url}/ofrep/v1/evaluate/flags/x", headers={"x-api-key": write_key}, json={"context": {}}
    )
    assert answer.json()["key"] == "x"
