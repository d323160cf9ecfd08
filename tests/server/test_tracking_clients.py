"""The public PostHog client and the feature-flag SDK's tracking plugin against a real server process."""

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from growthbook.plugins import growthbook_tracking_plugin
from posthog import Posthog

from events.models import LoggedEvent
from events.row import Door
from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.models import ApiKey


def stored(count: int, seconds: float = 15) -> int:
    """Wait for a client that sends from a thread of its own."""
    until = time.monotonic() + seconds
    while LoggedEvent.objects.count() < count and time.monotonic() < until:
        time.sleep(0.05)
    return LoggedEvent.objects.count()


@pytest.mark.parametrize("gzip", [False, True])
def test_posthog__flushes_its_events__each_is_kept_once(server, write_key, gzip):
    failures = []
    client = Posthog(write_key, host=server.url, gzip=gzip, on_error=lambda error, _: failures.append(error))
    for number in range(250):
        client.capture("Order Completed", distinct_id=f"user-{number}", properties={"revenue": 12.5})
    flag = {"$feature_flag": "new-ranker", "$feature_flag_response": "treatment"}
    client.capture("$feature_flag_called", distinct_id="user-1", properties=flag)
    client.flush()
    client.shutdown()

    assert failures == []
    assert LoggedEvent.objects.count() == 251
    exposure = LoggedEvent.objects.get(name="Experiment Viewed")
    assert (exposure.experiment, exposure.variant, exposure.user_id) == ("new-ranker", "treatment", "user-1")
    order = LoggedEvent.objects.get(user_id="user-7")
    assert (order.props["revenue"], order.door, order.environment) == (12.5, Door.POSTHOG, 0)
    assert abs(order.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_posthog__unknown_key__tells_the_caller_why(server):
    failures = []
    client = Posthog("tl_unknown", host=server.url, max_retries=0, on_error=lambda error, _: failures.append(error))
    client.capture("Order Completed", distinct_id="user-1")
    client.flush()
    client.shutdown()

    assert [error.status for error in failures] == [401]
    assert "missing, unknown or revoked" in str(failures[0])
    assert LoggedEvent.objects.count() == 0


def test_posthog__asks_for_flags__is_told_where_they_are(server, write_key):
    answer = httpx.post(f"{server.url}/flags/?v=4", json={"api_key": write_key, "distinct_id": "u"})
    assert answer.status_code == 404
    assert "OpenFeature" in answer.json()["detail"]


def test_sdk_plugin__sends_exposures_and_events__they_are_kept(server, write_key):
    attributes = {"id": "user-1", "country": "DE"}
    sdk = SimpleNamespace(
        _client_key=write_key, _attributes=attributes, _url="", _trackingCallback=None,
        eval_feature=lambda key: SimpleNamespace(value=True, source="force"),
    )  # fmt: skip
    plugin = growthbook_tracking_plugin(ingestor_host=server.url, batch_size=3)
    plugin.initialize(sdk)
    context = SimpleNamespace(attributes=attributes, url="")
    result = SimpleNamespace(
        variationId=1, key="treatment", inExperiment=True, hashUsed=True, hashAttribute="id", hashValue="user-1"
    )
    sdk._trackingCallback(SimpleNamespace(key="new-ranker"), result, context)
    sdk.eval_feature("new-ranker")
    plugin._handle_log_event("Order Completed", {"revenue": 5}, context)
    assert stored(3) == 3
    plugin.cleanup()

    exposure = LoggedEvent.objects.get(name="Experiment Viewed")
    assert (exposure.experiment, exposure.variant, exposure.user_id) == ("new-ranker", "treatment", "user-1")
    assert LoggedEvent.objects.get(name="Feature Evaluated").user_id == "user-1"
    order = LoggedEvent.objects.get(name="Order Completed")
    assert (order.user_id, order.props["revenue"], order.door) == ("user-1", 5, Door.SDK)


def test_legacy_segment_client__as_it_writes_its_requests__is_answered_with_exactly_200(server, write_key):
    """analytics-python 1.4 cannot be installed beside its successor; this is the request that it makes."""
    body = {
        "batch": [
            {
                "integrations": {}, "anonymousId": None, "properties": {"revenue": 5}, "type": "track",
                "userId": "user-1", "event": "Order Completed", "timestamp": datetime.now(UTC).isoformat(),
                "messageId": "5f2f0d4e-1111-4b4b-8f4e-000000000001",
                "context": {"library": {"name": "analytics-python", "version": "1.4.0"}},
            }
        ],
        "sentAt": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    for _ in range(2):
        answer = httpx.post(f"{server.url}/v1/batch", content=json.dumps(body), auth=(write_key, ""))
        assert answer.status_code == 200
    refused = httpx.post(f"{server.url}/v1/batch", content=json.dumps(body), auth=("tl_unknown", ""))
    assert {"code", "message"} <= refused.json().keys()
    assert LoggedEvent.objects.count() == 1


def test_cloudevents__in_every_mode__are_kept_once(server, write_key):
    event = {"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "Order Completed", "subject": "user-1"}
    headers = {"authorization": f"Bearer {write_key}"}
    url = f"{server.url}/v1/events"
    structured = httpx.post(
        url, content=json.dumps(event), headers={**headers, "content-type": "application/cloudevents+json"}
    )
    batch = httpx.post(
        url,
        content=json.dumps([event, {**event, "id": "A-2"}]),
        headers={**headers, "content-type": "application/cloudevents-batch+json"},
    )
    attributes = {f"ce-{name}": value for name, value in {**event, "id": "A-3"}.items()}
    binary = httpx.post(url, json={"revenue": 5}, headers={**headers, **attributes})
    assert [answer.status_code for answer in (structured, batch, binary)] == [200, 200, 200]
    assert LoggedEvent.objects.count() == 3


def test_key_of_staging__marks_what_it_sends(server, write_key):
    ApiKey.objects.filter(scopes__contains=[Scope.INGEST]).update(environment=Environment.STAGING)
    until = time.monotonic() + 15
    track = {"event": "Order Completed", "userId": "user-1"}
    while time.monotonic() < until:
        assert httpx.post(f"{server.url}/v1/track", json=track, auth=(write_key, "")).status_code == 200
        if LoggedEvent.objects.filter(environment=1).exists():
            return
        time.sleep(0.5)
    raise AssertionError("The server did not hear of the key's environment.")
