"""The public Segment client for Python against a real server process."""

import threading
import warnings
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from analysis.models import UnitDay
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from events.models import LoggedEvent
from experiments.domain.metrics import MetricKind
from experiments.models import Project
from tests import builders

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


def test_client__identify_and_alias__make_a_device_and_an_older_id_one_unit_with_their_user(server, write_key):
    project = Project.objects.get(api_keys__name="app")
    tested = builders.experiment(project, primary=builders.metric(project, kind=MetricKind.COUNT))
    client, now = send(server, write_key), datetime.now(UTC)
    seen = {"experiment_id": tested.key, "variation_id": "treatment"}
    client.track("user-1", "Experiment Viewed", seen, timestamp=now - timedelta(minutes=9))
    for minutes in (10, 8):  # before the exposure it counts for nobody
        client.track(anonymous_id="phone", event="Order Completed", timestamp=now - timedelta(minutes=minutes))
    client.track("old-1", "Order Completed", timestamp=now - timedelta(minutes=7))
    client.flush()
    fold()
    assert UnitDay.objects.count() == 0

    client.identify("user-1", {"plan": "pro"}, anonymous_id="phone")
    client.alias("old-1", "user-1")
    client.flush()
    client.join()
    fold()
    assert client.failures == []
    assert [(row.unit, int(row.numerator)) for row in UnitDay.objects.all()] == [("user-1", 2)]
    assert check([tested]).differences == []


def test_client__revoked_key__tells_the_caller(server):
    client = send(server, "tl_unknown", max_retries=1)
    client.track("user-1", "Order Completed")
    client.flush()
    client.join()

    assert [(error.status, error.code) for error in client.failures] == [(401, "invalid_key")]
    assert LoggedEvent.objects.count() == 0


def test_client__answer_lost_on_the_way__sends_again_and_is_counted_once(server, write_key):
    with ForgetfulProxy(server.url) as proxy:
        client = send(proxy, write_key, max_retries=5)
        for number in range(20):
            client.track(f"user-{number}", "Order Completed", {"revenue": 1})
        client.flush()
        client.join()

    assert proxy.retries_seen > 0
    assert client.failures == []
    assert LoggedEvent.objects.count() == 20


class ForgetfulProxy:
    """Passes requests on, and cuts the connection instead of answering the first two."""

    def __init__(self, target: str) -> None:
        outer = self
        self.seen = 0
        self.retries_seen = 0

        class Forwarding(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.seen += 1
                outer.retries_seen += "x-retry-count" in self.headers
                answer = httpx.post(target + self.path, content=body, headers=dict(self.headers), timeout=60)
                self.close_connection = True
                if outer.seen <= 2:
                    return
                self.send_response(answer.status_code)
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Forwarding)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
