"""A training job registers its model: once, however often it is sent, and it says why where it cannot."""

import json
from datetime import date

import httpx
import pytest

from assignment.client import ClientError, register_model, registering


@pytest.fixture
def server(monkeypatch):
    """Answer requests in the process; ``replies`` come first, then the version as it was sent."""
    asked: list[httpx.Request] = []
    replies: list[httpx.Response | Exception] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if replies:
            reply = replies.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply
        return httpx.Response(200, json=json.loads(request.content))

    client = httpx.Client
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(registering.httpx, "Client", lambda **options: client(transport=transport, **options))
    monkeypatch.setattr(registering.time, "sleep", lambda _: None)
    monkeypatch.setenv("TRUELIFT_URL", "http://truelift.localhost/")
    monkeypatch.setenv("TRUELIFT_KEY", "tl_key")
    return asked, replies


def test_register__two_lines__send_what_is_known_and_nothing_else(server):
    asked, _ = server
    register_model("ranker", "v9", parent="v8", trained_until=date(2026, 2, 1), metrics={"NDCG@10": 0.452})
    assert str(asked[0].url) == "http://truelift.localhost/api/v1/model-versions"
    assert asked[0].headers["authorization"] == "Bearer tl_key"
    assert json.loads(asked[0].content) == {
        "name": "ranker", "version": "v9", "parent": "v8", "trained_until": "2026-02-01",
        "metrics": [{"name": "NDCG@10", "value": 0.452}],
    }  # fmt: skip


def test_register__intervals_and_several_sets__are_taken(server):
    asked, _ = server
    register_model("r", "1", metrics={"AUC": {"value": 0.8, "low": 0.79, "high": 0.81}})
    register_model("r", "1", metrics=[{"name": "AUC", "value": 0.7, "evaluation_set": "new users"}])
    sent = [json.loads(request.content)["metrics"] for request in asked]
    assert sent == [
        [{"name": "AUC", "value": 0.8, "low": 0.79, "high": 0.81}],
        [{"name": "AUC", "value": 0.7, "evaluation_set": "new users"}],
    ]


def test_register__a_server_that_is_away_for_a_moment__is_asked_again(server):
    asked, replies = server
    replies += [httpx.ConnectError("refused"), httpx.Response(503)]
    assert register_model("ranker", "v9")["version"] == "v9"
    assert len(asked) == 3


def test_register__a_refusal__is_not_repeated_and_says_why(server):
    asked, replies = server
    replies.append(httpx.Response(422, json={"error": {"code": "bad_value", "message": "Register the parent first."}}))
    with pytest.raises(ClientError, match=r"ranker v9 was not registered. Register the parent first"):
        register_model("ranker", "v9", parent="v8")
    assert len(asked) == 1


def test_register__no_answer_at_all__gives_up(server):
    asked, replies = server
    replies += [httpx.ConnectError("refused")] * 9
    with pytest.raises(ClientError, match="does not answer"):
        register_model("ranker", "v9")
    assert len(asked) == registering.ATTEMPTS


def test_register__another_kind_of_server__is_named(server):
    _, replies = server
    replies.append(httpx.Response(200, text="<html>"))
    with pytest.raises(ClientError, match="is that a Truelift server"):
        register_model("ranker", "v9")


@pytest.mark.parametrize(("variable", "said"), [("TRUELIFT_URL", "url is ''"), ("TRUELIFT_KEY", "key is empty")])
def test_register__without_address_or_key__says_what_to_give(server, monkeypatch, variable: str, said: str):
    monkeypatch.delenv(variable)
    with pytest.raises(ClientError, match=said):
        register_model("ranker", "v9")
