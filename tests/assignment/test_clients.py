"""The clients that apps already have, against a real server process."""

import contextlib
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.results import FeatureResult
from assignment.ofrep import FLAGS, LARGEST_BODY
from assignment.publish import read_project
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, ModelVersion, Project, Variant
from tests import builders
from tests.assignment.conftest import wait_until
from tests.assignment.serving import Server, start_server

VALUES = {
    "a-flag": (False, True),
    "a-text": ("old", "new"),
    "a-number": (1, 2),
    "a-share": (1, 1.5),
    "an-object": ({"model": "a", "ratio": 1.0}, {"model": "b", "ratio": 2.0}),
}
DEFAULT = {"default": True}


class World:
    """A server with a project's experiments, and keys to it."""

    def __init__(self, server: Server, key: str, ingest_key: str, ending: contextlib.ExitStack) -> None:
        self.server = server
        self.key = key
        self.ingest_key = ingest_key
        self.ending = ending

    def client(self, key: str | None = None) -> OpenFeatureClient:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        provider = OFREPProvider(self.server.url, headers_factory=lambda: headers)
        self.ending.callback(provider.session.close)
        api.set_provider(provider, domain=f"key-{key}")
        return api.get_client(domain=f"key-{key}")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    """One server for all these tests; what they need is committed, and gone at the end."""
    with django_db_blocker.unblock(), contextlib.ExitStack() as ending:
        ending.callback(connection.close)
        ending.callback(call_command, "flush", verbosity=0, interactive=False)
        evaluate, ingest = make_experiments()
        server = start_server(tmp_path_factory.mktemp("home"), database_url())
        ending.callback(server.stop)
        ending.callback(api.clear_providers)
        yield World(server, evaluate, ingest, ending)


def make_experiments() -> tuple[str, str]:
    """Return a key that may evaluate and one that may not."""
    home = builders.project("shop")
    for key, (control, treatment) in VALUES.items():
        made = builders.experiment(home, key)
        Variant.objects.filter(experiment=made, key="control").update(value=control)
        Variant.objects.filter(experiment=made, key="treatment").update(value=treatment)
    model = ModelVersion.objects.create(project=home, name="ranker", version="7")
    Variant.objects.filter(experiment__key="a-text", key="treatment").update(model_version=model)
    builders.experiment(home, "stopped", status=Status.STOPPED)
    builders.experiment(home, "draft", status=Status.DRAFT)
    builders.experiment(home, "tiny", allocation=0)
    return (
        keys.issue_key(home, "App", [Scope.EVALUATE], None)[1],
        keys.issue_key(home, "Events", [Scope.INGEST], None)[1],
    )


def database_url() -> str:
    parameters = connection.get_connection_params()
    return f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"


def expected(key: str) -> Callable[[str], FeatureResult]:
    """Return what the reference engine gives each unit in an experiment of the database."""
    connection.ensure_connection()
    home = Project.objects.get(slug="shop")
    served = read_project(connection.connection, home.pk).environments["production"]
    features = {name: json.loads(bytes(raw)) for name, raw in served.features.items()}
    return lambda unit: evaluate_feature(Context(attributes={"id": unit}, features=features), key)


def test_openfeature_python__every_type_of_flag__gets_what_the_engine_says(world):
    client = world.client()
    asks = {
        "a-flag": lambda context: client.get_boolean_details("a-flag", False, context),
        "a-text": lambda context: client.get_string_details("a-text", "?", context),
        "a-number": lambda context: client.get_integer_details("a-number", 0, context),
        "a-share": lambda context: client.get_float_details("a-share", 0.0, context),
        "an-object": lambda context: client.get_object_details("an-object", DEFAULT, context),
    }
    for key, details_for in asks.items():
        engine = expected(key)
        for number in range(30):
            unit = f"shopper-{number}"
            result = engine(unit)
            details = details_for(EvaluationContext(targeting_key=unit, attributes={"country": "CA"}))
            assert details.error_code is None, details.error_message
            assert (details.value, details.variant) == (result.value, result.experiment_result.key)
            assert details.reason == Reason.SPLIT
            assert details.flag_metadata["outcome"] == "assigned"


def test_openfeature_python__the_metadata__names_the_model(world):
    client, engine = world.client(), expected("a-text")
    unit = next(f"shopper-{n}" for n in range(100) if engine(f"shopper-{n}").value == "new")
    details = client.get_string_details("a-text", "?", EvaluationContext(targeting_key=unit))
    assert details.flag_metadata["modelVersion"] == "ranker 7"


def test_openfeature_python__a_stopped_experiment__gives_the_control_and_is_disabled(world):
    details = world.client().get_string_details("stopped", "?", EvaluationContext())
    assert (details.value, details.variant, details.reason) == ("control", "control", Reason.DISABLED)


def test_openfeature_python__outside_the_traffic__gives_the_control_and_the_metadata_says_so(world):
    details = world.client().get_string_details("tiny", "?", EvaluationContext(targeting_key="shopper-1"))
    assert (details.value, details.error_code) == ("control", None)
    assert details.flag_metadata["outcome"] == "not_in_traffic"


@pytest.mark.parametrize("context", [None, EvaluationContext(), EvaluationContext(attributes={"country": "CA"})])
def test_openfeature_python__no_targeting_key__is_told_so(world, context):
    details = world.client().get_string_details("a-text", "default", context)
    assert (details.value, details.error_code) == ("default", ErrorCode.TARGETING_KEY_MISSING)
    assert "context.targetingKey" in details.error_message


@pytest.mark.parametrize("key", ["draft", "missing"])
def test_openfeature_python__a_draft_or_missing_flag__is_not_found(world, key):
    details = world.client().get_string_details(key, "default", EvaluationContext(targeting_key="u"))
    assert (details.value, details.error_code) == ("default", ErrorCode.FLAG_NOT_FOUND)
    assert f"{key!r} in project 'shop'" in details.error_message


def test_openfeature_python__an_invalid_context__is_told_so(world):
    context = EvaluationContext(targeting_key="u", attributes={"user_id": True})
    details = world.client().get_string_details("a-text", "default", context)
    assert (details.value, details.error_code) == ("default", ErrorCode.INVALID_CONTEXT)
    assert "user_id" in details.error_message


def test_openfeature_python__a_wrong_type__keeps_the_default(world):
    details = world.client().get_boolean_details("a-text", False, EvaluationContext(targeting_key="u"))
    assert (details.value, details.error_code) == (False, ErrorCode.TYPE_MISMATCH)


def test_openfeature_python__keys_that_are_no_good__keep_the_default(world):
    for key, words in (("tl_wrong", "unauthorized"), (world.ingest_key, "forbidden")):
        details = world.client(key).get_string_details("a-text", "default", EvaluationContext(targeting_key="u"))
        assert (details.value, details.error_code, details.error_message) == ("default", ErrorCode.GENERAL, words)


def test_openfeature_python__an_experiment_starts__is_seen_by_notification(world):
    client, context = world.client(), EvaluationContext(targeting_key="u")
    starting = builders.experiment(Project.objects.get(slug="shop"), "starting", status=Status.DRAFT)
    assert client.get_string_details("starting", "?", context).error_code == ErrorCode.FLAG_NOT_FOUND

    Experiment.objects.filter(pk=starting.pk).update(status=Status.RUNNING, started_at=builders.T0)
    announce()

    wait_until(lambda: client.get_string_details("starting", "?", context).error_code is None)


def test_http__what_only_a_server_can_get_wrong__is_right(world):
    auth = {"Authorization": f"Bearer {world.key}"}
    with httpx.Client(base_url=world.server.url, headers=auth) as http:
        body = {"context": {"targetingKey": "u"}}
        assert http.post(f"{FLAGS}/%61-text", json=body).json()["key"] == "a-text"
        assert http.post(f"{FLAGS}/a%2Fb", json=body).json()["errorCode"] == "FLAG_NOT_FOUND"
        assert http.post(f"{FLAGS}/stopped").status_code == 200
        assert http.get(f"{FLAGS}/a-text").status_code == 405
        assert http.post(f"{FLAGS}/a-text", content=b"x" * (LARGEST_BODY + 1)).status_code == 413
        assert http.post(FLAGS, json=body, headers={"Authorization": ""}).status_code == 401

        first = http.post(FLAGS, json=body)
        flags = [flag["key"] for flag in first.json()["flags"]]
        assert flags == sorted(flags)
        assert set(flags) - {"starting"} == {*VALUES, "stopped", "tiny"}
        again = http.post(FLAGS, json=body, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_http__a_browser__may_ask_and_read(world):
    with httpx.Client(base_url=world.server.url) as http:
        preflight = http.options(
            FLAGS,
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,if-none-match",
            },
        )
        assert preflight.status_code in (200, 204)
        allowed = {name.strip() for name in preflight.headers["access-control-allow-headers"].lower().split(",")}
        assert {"authorization", "content-type", "if-none-match", "x-api-key"} <= allowed
        answer = http.post(FLAGS, headers={"X-API-Key": world.key}, json={"context": {"targetingKey": "u"}})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "etag" in answer.headers["access-control-expose-headers"].lower()


def test_http__decide__answers_a_person_with_curl(world):
    with httpx.Client(base_url=world.server.url, headers={"Authorization": f"Bearer {world.key}"}) as http:
        answer = http.get("/v1/decide", params={"unit": "shopper-1", "country": "CA", "keys": "a-text"})
        assert answer.status_code == 200
        assert answer.json()["decisions"]["a-text"]["value"] == expected("a-text")("shopper-1").value
        posted = http.post("/v1/decide", json={"unit": "shopper-1", "keys": ["a-text"]})
        assert posted.json()["decisions"]["a-text"]["value"] == expected("a-text")("shopper-1").value
        assert http.get("/v1/decide", headers={"Authorization": ""}).status_code == 401
        assert answer.headers["access-control-allow-origin"] == "*"
