import asyncio
import gzip
import json

import pytest

from assignment.decide import PATH, DecideDoor
from assignment.edge import Edge
from experiments.domain.environments import Environment
from experiments.domain.keys import digest
from tests.assignment import rows, served
from tests.assignment.asking import Asked, ask
from tests.assignment.served import KEY, experiment, flag, grant, project, variant

AUTHORISED = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def edge(tmp_path):
    made = Edge("", tmp_path / "snapshot.json")
    made.offer(
        served.content_for(
            KEY,
            experiment(
                "ranker",
                targeting={"country": "DE"},
                overrides=(rows.override("qa"),),
                variants=(variant("control"), variant("treatment", model="ranker 7", value=1.5)),
            ),
            experiment("old", status="stopped"),
            experiment("by-session", unit_type="session"),
            flag(rules=(rows.rule(4, "rollout", value="on", share=5000, salt="pepper", name="Half"),)),
            flag("dark", enabled=()),
            rows.holdout(size=1),
        )
    )
    return made


def decide(edge, query="", *, method="GET", body=b"", headers=AUTHORISED, path=PATH):
    answer = asyncio.run(DecideDoor(edge).handle(method, path, headers, query, body))
    return Asked(answer[0], dict(answer[1]), json.loads(answer[2]) if answer[2] else None)


def test_get__a_unit__gets_every_flag_with_value_variant_reason_and_why(edge):
    answer = decide(edge, "unit=qa&country=DE")
    assert answer.status == 200
    assert (answer.body["project"], answer.body["environment"], answer.body["unit"]) == ("shop", "production", "qa")
    assert list(answer.body["decisions"]) == ["banner", "by-session", "dark", "old", "ranker"]
    assert answer.body["decisions"]["ranker"] == {
        "value": 1.5,
        "variant": "treatment",
        "reason": "TARGETING_MATCH",
        "outcome": "override",
        "why": "Set by hand for this unit (QA override); not analysed",
        "experiment": "ranker",
        "unitType": "user",
        "ruleId": "override:1",
        "modelVersion": "ranker 7",
        "rules": [
            {
                "rule": "override:1",
                "decided": True,
                "outcome": "override",
                "why": "Set by hand for this unit (QA override); not analysed",
            }
        ],
    }
    assert answer.body["decisions"]["old"]["outcome"] == "stopped"
    assert answer.body["decisions"]["dark"]["outcome"] == "disabled"


def test_get__a_rule_that_is_passed_over__says_why_and_where_the_unit_lies(edge):
    decision = decide(edge, "unit=shopper-1&country=US&keys=ranker").body["decisions"]["ranker"]
    assert (decision["value"], decision["outcome"]) == ("control", "not_targeted")
    override, holdout, split = decision["rules"]
    assert override["why"] == "Passed over: the unit is not named"
    assert holdout["why"] == "Passed over: the unit is not held out"
    assert split["why"] == "Passed over: the unit does not match it"
    assert 0 <= split["bucket"] < split["of"] == 10_000


@pytest.mark.parametrize("unit", [f"shopper-{number}" for number in range(20)])
def test_decision__and_the_ofrep_answer__are_the_same(edge, unit):
    decisions = decide(edge, f"unit={unit}&country=DE").body["decisions"]
    for key, decision in decisions.items():
        answer = ask(edge, KEY, key, {"targetingKey": unit, "country": "DE"}).body
        assert [decision[name] for name in ("value", "variant", "reason")] == [
            answer[name] for name in ("value", "variant", "reason")
        ]
        assert decision["outcome"] == answer["metadata"]["outcome"]


def test_post__unit_context_and_keys__are_read(edge):
    body = json.dumps({"unit": "u", "context": {"country": "DE", "session_id": "s"}, "keys": ["ranker", "by-session"]})
    answer = decide(edge, method="POST", body=body.encode())
    assert list(answer.body["decisions"]) == ["ranker", "by-session"]
    packed = decide(
        edge, method="POST", body=gzip.compress(body.encode()), headers={**AUTHORISED, "content-encoding": "gzip"}
    )
    assert packed.body == answer.body


def test_post__a_bare_context_or_nothing__is_fine(edge):
    unit = {"targetingKey": "qa"}
    assert decide(edge, method="POST", body=json.dumps({"context": unit}).encode()).body["unit"] == "qa"
    assert decide(edge, method="POST").body["decisions"]["ranker"]["error"]["code"] == "TARGETING_KEY_MISSING"


def test_get__numbers_truths_and_lists__are_attributes_of_their_type_and_ids_stay_text(tmp_path):
    targeting = {"age": 30, "pro": True, "zip": "01234", "tags": {"$in": ["b"]}, "score": 1.5, "account_id": "7"}
    edge = Edge("", tmp_path / "snapshot.json")
    edge.offer(served.content_for(KEY, flag(rules=(rows.rule(value="on", targeting=targeting),))))
    query = "age=30&pro=true&zip=01234&tags=a&tags=b&score=1.5&account_id=7"
    assert decide(edge, query).body["decisions"]["banner"]["value"] == "on"


def test_decide__one_that_fails__does_so_alone(edge):
    decisions = decide(edge, "session_id=s&keys=ranker,by-session,rankr,a%2Fb").body["decisions"]
    assert decisions["ranker"]["error"]["code"] == "TARGETING_KEY_MISSING"
    assert decisions["by-session"]["variant"] in {"control", "treatment"}
    assert decisions["rankr"]["error"]["code"] == "FLAG_NOT_FOUND"
    assert "Did you mean 'ranker'?" in decisions["rankr"]["error"]["message"]
    assert decisions["a/b"]["error"]["code"] == "FLAG_NOT_FOUND"


def test_decide__the_answer__is_made_for_reading_and_never_kept(edge):
    status, headers, body = asyncio.run(DecideDoor(edge).handle("GET", PATH, AUTHORISED, "unit=u", b""))
    assert status == 200
    assert body.startswith(b'{\n  "project": "shop",\n')
    assert body.endswith(b"}\n")
    assert dict(headers)["cache-control"] == "no-store"
    assert b"$holdout" not in body.replace(b'"rule": "holdout"', b"")


def test_decide__a_key__sees_only_its_own_environment_and_project(tmp_path):
    edge = Edge("", tmp_path / "snapshot.json")
    mine = project(experiment("mine"), experiment("draft", status="draft"))
    theirs = project(experiment("theirs"), id=2, slug="rival")
    keys = {digest(KEY): grant("evaluate", environment=Environment.STAGING)}
    edge.offer(served.content(mine, theirs, keys=keys))
    answer = decide(edge, "unit=u")
    assert (answer.body["environment"], list(answer.body["decisions"])) == ("staging", ["draft", "mine"])


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"headers": {}}, 401, "There is no API key"),
        ({"headers": {"authorization": "Bearer tl_wrong"}}, 401, "unknown or revoked"),
        ({"method": "DELETE"}, 405, "use GET or POST"),
        ({"method": "POST", "body": b"["}, 400, "Send an object such as"),
        ({"method": "POST", "body": b'{"user": "u"}'}, 400, "unknown field `user`"),
        ({"method": "POST", "body": b"x" * 70_000}, 413, "65536"),
        ({"method": "POST", "body": b"{}", "headers": {**AUTHORISED, "content-encoding": "br"}}, 415, "gzip"),
        ({"query": "unit=a&unit=b"}, 400, "one unit at a time"),
        ({"path": "/v1/decide/more"}, 404, PATH),
    ],
)
def test_decide__a_request_that_is_none__is_refused_in_words(edge, fields, status, words):
    answer = decide(edge, fields.pop("query", "unit=u"), **fields)
    assert (answer.status, set(answer.body)) == (status, {"code", "message"})
    assert words in answer.body["message"]


def test_decide__a_key_without_the_scope__is_403(tmp_path):
    edge = Edge("", tmp_path / "snapshot.json")
    edge.offer(served.content(keys={digest(KEY): grant("ingest")}))
    assert decide(edge).status == 403


def test_decide__before_the_first_snapshot__is_503(tmp_path):
    assert decide(Edge("", tmp_path / "snapshot.json")).status == 503
