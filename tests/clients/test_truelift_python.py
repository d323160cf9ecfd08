"""Our own client: the same engine in the app's process, against a real server."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from django.db import connection
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.track import TrackingEventDetails

from assignment.client import Client, ClientError
from assignment.client.openfeature import TrueliftProvider
from assignment.client.watching import events
from assignment.engine.sdk.sticky import MemoryStickyDocuments
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.kinds import Delivery
from experiments.domain.lifecycle import Status
from experiments.models import ApiKey, Experiment, Project
from tests import builders
from tests.assignment.conftest import wait_until
from tests.clients.conftest import UNITS

FLAG = "new-ranker"
NO_SERVER = "http://127.0.0.1:9"


@pytest.fixture
def client(world) -> Iterator[Client]:
    with Client(world.server.url, world.key, flush_seconds=0.05) as made:
        yield made


def stored(blocker, name: str) -> list[tuple[object, ...]]:
    with blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id, anonymous_id, experiment, variant, props FROM events_log WHERE name = %s ORDER BY 1",
            [name],
        )
        return cursor.fetchall()


def units_of(world, variant: str | None) -> Iterator[str]:
    return (unit for unit in UNITS if world.variant(unit) == variant)


def test_decide__ten_thousand_units__equal_the_engine(world, client):
    for unit in UNITS:
        decision, expected = client.decide(FLAG, unit), world.variant(unit)
        assert (decision.value, decision.variant) == (expected or "control", expected or "")
        assert decision.outcome == ("assigned" if expected else "not_in_traffic")


def test_decide__an_unknown_flag__is_the_default_and_says_so(client):
    decision = client.decide("missing", "u", default={"a": 1})
    assert (decision.value, decision.outcome, decision.is_assigned) == ({"a": 1}, "unknown_flag", False)


def test_decide__before_the_start__is_the_default_and_says_so():
    client = Client(NO_SERVER, "tl_any")
    assert (client.decide(FLAG, "u", default=7).value, client.decide(FLAG, "u").outcome) == (7, "not_ready")
    assert not client.expose(client.decide(FLAG, "u"))
    client.close()


def test_explain__a_unit_outside__names_the_bucket(world, client):
    explained = client.explain(FLAG, next(units_of(world, None)))
    assert explained.outcome == "not_in_traffic"
    assert explained.rules[-1].bucket is not None


def test_expose__the_same_decision_twice__is_stored_once(world, client, django_db_blocker):
    unit = next(units_of(world, "treatment"))
    decision = client.decide(FLAG, {"id": unit, "device_id": "phone-1"})
    assert client.expose(decision, outputs_differ=True)
    assert not client.expose(decision, outputs_differ=True)
    assert client.flush()
    rows = [row for row in stored(django_db_blocker, "Experiment Viewed") if row[0] == unit]
    assert [row[:4] for row in rows] == [(unit, "phone-1", FLAG, "treatment")]
    assert msgspec.json.decode(rows[0][4])["outputs_differ"] is True


def test_expose__a_unit_outside_the_traffic__reports_nothing(world, client):
    assert not client.expose(client.decide(FLAG, next(units_of(world, None))))


def test_track__a_thousand_events_from_four_threads__are_all_stored_once(client, django_db_blocker):
    def send(worker: int) -> None:
        for number in range(250):
            client.track("Order Completed", f"buyer-{worker}-{number:03}", revenue=number + 0.5, currency="EUR")

    workers = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert client.flush()
    assert client.counts == {"sent": 1000, "refused": 0, "dropped": 0}
    kept = [row[0] for row in stored(django_db_blocker, "Order Completed")]  # another client's may lie there too
    assert Counter(name for name in kept if name.startswith("buyer-")) == Counter(
        f"buyer-{worker}-{number:03}" for worker in range(4) for number in range(250)
    )


def test_stream__an_experiment_starts__is_heard_of_without_asking(world, django_db_blocker):
    with Client(world.server.url, world.key, poll_seconds=3600) as client:
        assert client.decide("later", "u").outcome == "unknown_flag"
        with django_db_blocker.unblock():
            builders.experiment(Project.objects.get(slug="shop"), "later")
            announce()
        wait_until(lambda: client.decide("later", "u").outcome == "assigned")


def test_polling__an_experiment_stops__is_seen(world, django_db_blocker):
    with django_db_blocker.unblock():
        made = builders.experiment(Project.objects.get(slug="shop"), "ending")
        announce()
    with Client(world.server.url, world.key, stream=False, poll_seconds=0.1) as client:
        wait_until(lambda: client.decide("ending", "u").outcome == "assigned")
        with django_db_blocker.unblock():
            Experiment.objects.filter(pk=made.pk).update(status=Status.STOPPED, stopped_at=builders.T0)
            announce()
        wait_until(lambda: client.decide("ending", "u").outcome != "assigned")
        assert client.decide("ending", "u").value == "control"


def test_start__an_encrypted_definition__needs_the_right_key(world, django_db_blocker):
    with django_db_blocker.unblock():
        project = Project.objects.get(slug="shop")
        plain = keys.issue_key(project, "Encrypted", [Scope.EVALUATE], None, delivery=Delivery.ENCRYPTED)[1]
        announce()
        secret = ApiKey.objects.get(name="Encrypted").encryption_key
    wait_until(lambda: _starts(world.server.url, plain, secret))
    with Client(world.server.url, plain, decryption_key=secret) as client:
        assert client.decide(FLAG, UNITS[0]).variant == (world.variant(UNITS[0]) or "")
    for wrong, words in (("", "give the key's encryption key"), ("AAAAAAAAAAAAAAAAAAAAAA==", "cannot be decrypted")):
        with pytest.raises(ClientError, match=words), Client(world.server.url, plain, decryption_key=wrong):
            pass


def _starts(url: str, key: str, secret: str) -> bool:
    client = Client(url, key, decryption_key=secret)
    try:
        client.start()
    except ClientError:
        return False
    finally:
        client.close()
    return True


def test_start__a_wrong_key__says_what_the_server_said(world):
    with pytest.raises(ClientError, match=r"answered 400: .*key"), Client(world.server.url, "tl_wrong"):
        pass


def test_start__no_server__needs_a_cache(world, tmp_path):
    cache = tmp_path / "definition.json"
    with pytest.raises(ClientError, match="cannot be reached"), Client(NO_SERVER, world.key, cache=cache):
        pass
    with Client(world.server.url, world.key, cache=cache):
        pass
    with Client(NO_SERVER, world.key, cache=cache, stream=False) as client:
        assert client.decide(FLAG, UNITS[0]).variant == (world.variant(UNITS[0]) or "")


def test_sticky__an_assignment_that_was_kept__wins_over_the_hash(world):
    unit, documents = next(units_of(world, "treatment")), MemoryStickyDocuments()
    with Client(world.server.url, world.key, sticky=documents) as client:
        assert client.decide(FLAG, unit).variant == "treatment"
        written = documents.by_unit[f"id||{unit}"]
        assert list(written["assignments"].values()) == ["treatment"]
        documents.save({**written, "assignments": dict.fromkeys(written["assignments"], "control")})
        assert client.decide(FLAG, unit).variant == "control"


def test_fork__a_child__decides_and_sends_its_own_events_once(world, django_db_blocker):
    with Client(world.server.url, world.key, flush_seconds=30) as client:
        client.track("Forked", "parent")
        child = os.fork()
        if child == 0:
            decided = client.decide(FLAG, UNITS[0]).variant == (world.variant(UNITS[0]) or "")
            client.track("Forked", "child")
            os._exit(0 if decided and client.flush(10) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.flush()
    assert [row[0] for row in stored(django_db_blocker, "Forked")] == ["child", "parent"]


def test_import__the_client__brings_no_django():
    code = "import sys, assignment.client; sys.exit(bool({'django', 'celery', 'psycopg'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("url", "key"), [("localhost:8000", "tl_x"), ("http://localhost", "")])
def test_client__a_wrong_setting__says_what_is_allowed(url, key):
    with pytest.raises(ClientError, match=r"must be|make an API key"):
        Client(url, key)


class Unsteady(BaseHTTPRequestHandler):
    """A server that is away for its first answers."""

    answers: list[int]
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).bodies.append(body)
        status = type(self).answers.pop(0) if type(self).answers else 200
        self.send_response(status)
        self.send_header("retry-after", "0")
        answer = b'{"success": true, "accepted": 1, "refused": []}'
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def unsteady() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unsteady)
    Unsteady.bodies = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_events__the_server_is_away__are_sent_again_with_the_same_identity(unsteady):
    Unsteady.answers = [503, 429, 500]
    client = Client(f"http://127.0.0.1:{unsteady.server_port}", "tl_x", flush_seconds=0.01)
    client.track("Clicked", "u")
    assert client.flush(20)
    sent = [msgspec.json.decode(body)["batch"] for body in Unsteady.bodies]
    assert len(sent) == 4
    assert all(batch == sent[0] for batch in sent)
    assert client.counts["sent"] == 1
    client.close()


def test_events__refused_for_good__are_counted_and_not_sent_again(unsteady):
    Unsteady.answers = [403]
    client = Client(f"http://127.0.0.1:{unsteady.server_port}", "tl_x", flush_seconds=0.01)
    client.track("Clicked", "u")
    assert client.flush(20)
    assert (client.counts["refused"], len(Unsteady.bodies)) == (1, 1)
    client.close()


def test_events__too_many_wait__are_dropped_and_counted():
    client = Client(NO_SERVER, "tl_x", most_waiting=10)
    taken = [client.track("Clicked", str(number)) for number in range(12)]
    assert taken == [True] * 10 + [False] * 2
    assert client.counts["dropped"] == 2
    assert not client.close(0.1)


def test_stream__comments_and_long_data__are_read_as_the_standard_says():
    lines = ["retry: 10000", "", ": ping", "id: 1", "event: features", "data: {", "data:}", "", "data: x", ""]
    assert list(events(iter(lines))) == [("features", "{\n}"), ("message", "x")]


@pytest.fixture
def provided(world) -> Iterator[tuple[Client, object]]:
    client = Client(world.server.url, world.key, flush_seconds=0.05)
    api.set_provider_and_wait(TrueliftProvider(client), domain="truelift")
    yield client, api.get_client(domain="truelift")
    api.clear_providers()


def test_openfeature__a_unit__gets_its_variant_and_is_exposed(world, provided, django_db_blocker):
    client, flags = provided
    unit = next(units_of(world, "control"))
    details = flags.get_string_details(FLAG, "?", EvaluationContext(targeting_key=unit, attributes={"country": "SE"}))
    assert (details.value, details.variant, details.reason) == ("control", "control", Reason.SPLIT)
    assert details.flag_metadata == {"outcome": "assigned", "experiment": FLAG}
    flags.track("Checkout", EvaluationContext(targeting_key=unit), TrackingEventDetails(value=9.5))
    assert client.flush()
    assert unit in [row[0] for row in stored(django_db_blocker, "Experiment Viewed")]
    assert msgspec.json.decode(stored(django_db_blocker, "Checkout")[0][4])["value"] == 9.5


def test_openfeature__another_type_or_flag__keeps_the_default(provided):
    _, flags = provided
    context = EvaluationContext(targeting_key="u")
    wrong = flags.get_integer_details(FLAG, 3, context)
    assert (wrong.value, wrong.error_code) == (3, ErrorCode.TYPE_MISMATCH)
    missing = flags.get_boolean_details("missing", True, context)
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
