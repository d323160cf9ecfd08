"""What OFREP's answers say of each end of an evaluation, and where clients hear of changes."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from assignment.ofrep import FLAGS, STREAM, OfrepDoor
from assignment.tokens import PERIOD_SECONDS, Tokens
from experiments.domain.environments import Environment
from tests.assignment import contract, rows
from tests.assignment.asking import ask, ask_all
from tests.assignment.served import KEY, edge_of, experiment, variant

AUTHORISED = {"authorization": f"Bearer {KEY}"}
HELD = (variant("holdoutcontrol", weight=10_000), variant("holdouttreatment", weight=0))


class TestMeaning:
    """How each end of an evaluation is said; which unit meets which is tested in test_document.py."""

    @pytest.mark.parametrize(
        ("made", "context", "variant", "reason", "outcome"),
        [
            ([experiment(overrides=(rows.override("qa"),))], {}, "treatment", "TARGETING_MATCH", "override"),
            ([experiment(targeting={"plan": "pro"})], {"plan": "free"}, "control", "STATIC", "not_targeted"),
            ([experiment(prerequisites=(rows.needs("gone", 1),))], {}, "control", "STATIC", "prerequisite"),
            ([experiment(layer_salt="l", layer_ranges=((9999, 10_000),))], {}, "control", "STATIC", "other_experiment"),
            ([experiment(), rows.holdout(size=5000, variants=HELD)], {}, "control", "STATIC", "held_out"),
            ([experiment(status="paused")], {}, "control", "DISABLED", "paused"),
            ([experiment(status="stopped")], {}, "control", "DISABLED", "stopped"),
            ([experiment(environments=())], {}, "control", "DISABLED", "disabled"),
            ([rows.shipped()], {}, "treatment", "STATIC", "shipped"),
        ],
    )
    def test_experiment__each_end__has_its_words(self, tmp_path, made, context, variant, reason, outcome):
        answer = ask(edge_of(*made, home=tmp_path), KEY, "ranker", {"targetingKey": "qa", **context})
        assert (answer.status, answer.body["variant"], answer.body["value"]) == (200, variant, variant)
        assert (answer.body["reason"], answer.body["metadata"]["outcome"]) == (reason, outcome)

    @pytest.mark.parametrize(
        ("fields", "value", "variant", "reason", "outcome"),
        [
            ({}, "off", "default", "STATIC", "default"),
            ({"enabled": ()}, "off", "default", "DISABLED", "disabled"),
            ({"rules": (rows.rule(3, value="on"),)}, "on", "rule:3", "TARGETING_MATCH", "targeted"),
            ({"rules": (rows.rule(3, value="on", name="All"),)}, "on", "All", "TARGETING_MATCH", "targeted"),
        ],
    )
    def test_flag__each_end__has_its_words(self, tmp_path, fields, value, variant, reason, outcome):
        answer = ask(edge_of(rows.flag("ranker", **fields), home=tmp_path), KEY, "ranker", {})
        assert (answer.body["value"], answer.body["variant"]) == (value, variant)
        assert (answer.body["reason"], answer.body["metadata"]["outcome"]) == (reason, outcome)
        assert "experiment" not in answer.body["metadata"]

    def test_flag__its_experiment__is_named_with_the_unit_type(self, tmp_path):
        made = rows.flag(rules=(rows.rule(3, "experiment", experiment="ranker"),)), experiment(unit_type="account")
        answer = ask(edge_of(*made, home=tmp_path), KEY, "banner", {"account_id": "a"})
        assert answer.body["metadata"] == {
            "experiment": "ranker", "unitType": "account", "outcome": "assigned",
        }  # fmt: skip

    def test_chain__of_too_many_prerequisites__gives_the_control_and_never_null(self, tmp_path):
        chain = [experiment(f"e{n:02}", prerequisites=(rows.needs(f"e{n + 1:02}", "treatment"),)) for n in range(50)]
        edge = edge_of(*chain, experiment("e50"), home=tmp_path)
        found = ask_all(edge, KEY, {"targetingKey": "u"}).body["flags"]
        assert {one["value"] for one in found} <= {"control", "treatment"}
        assert ask(edge, KEY, "e00").body["metadata"]["outcome"] == "prerequisite"

    def test_holdback__is_its_own_experiment(self, tmp_path):
        edge = edge_of(rows.shipped(holdback_share=4999), rows.holdback(), home=tmp_path)
        found = [ask(edge, KEY, "ranker", {"targetingKey": f"u{n}"}).body for n in range(20)]
        assert {one["metadata"]["experiment"] for one in found} == {"ranker-holdback"}
        assert {one["variant"] for one in found} == {"control", "treatment"}

    def test_holdout__its_hidden_flag__is_none_for_apps(self, tmp_path):
        edge = edge_of(experiment(), rows.holdout(), home=tmp_path)
        assert ask(edge, KEY, "$holdout:quiet").status == 404
        assert [one["key"] for one in ask_all(edge, KEY, {"targetingKey": "u"}).body["flags"]] == ["ranker"]

    def test_draft__is_seen_with_a_key_for_staging_and_not_for_production(self, tmp_path):
        draft = experiment("next", status="draft")
        assert ask(edge_of(draft, home=tmp_path), KEY, "next").status == 404
        staging = edge_of(draft, home=tmp_path, environment=Environment.STAGING)
        assert ask(staging, KEY, "next").body["reason"] == "SPLIT"


class TestStreams:
    @pytest.fixture
    def edge(self, tmp_path):
        return edge_of(experiment(), home=tmp_path)

    def bulk(self, edge, tokens, **headers):
        door = OfrepDoor(edge, tokens)
        body = json.dumps({"context": {"targetingKey": "u"}}).encode()
        status, answered, content = door.answer("POST", FLAGS, {**AUTHORISED, **headers}, body)
        contract.check(FLAGS, status, json.loads(content) if content else None)
        return status, dict(answered), json.loads(content) if content else None

    def test_bulk__with_a_stream__tells_where_and_the_token_opens_this_environment_alone(self, edge):
        tokens = Tokens("only-for-tests", lambda: 1e9)
        _, _, body = self.bulk(edge, tokens)
        (stream,) = body["eventStreams"]
        address = urlsplit(stream.pop("endpoint")["requestUri"])
        assert (stream, address.path) == ({"type": "sse", "inactivityDelaySec": 120}, STREAM)
        opened = tokens.read(parse_qs(address.query)["token"][0])
        assert (opened.project_id, opened.environment) == (1, "production")
        assert KEY not in json.dumps(body)

    def test_bulk__a_new_period__is_a_new_answer_so_that_no_client_keeps_a_token_that_is_over(self, edge):
        def at(period):
            return Tokens("only-for-tests", lambda: period * PERIOD_SECONDS)

        _, headers, _ = self.bulk(edge, at(1000))
        seen = {"if-none-match": headers["etag"]}
        assert self.bulk(edge, at(1000), **seen)[0] == 304
        assert self.bulk(edge, at(1001), **seen)[0] == 200

    def test_elsewhere__no_stream_is_told(self, edge):
        tokens = Tokens("only-for-tests", lambda: 1e9)
        for path, body in ((f"{FLAGS}/ranker", b'{"context":{"targetingKey":"u"}}'), (FLAGS, b"[")):
            _, _, content = OfrepDoor(edge, tokens).answer("POST", path, AUTHORISED, body)
            assert "eventStreams" not in json.loads(content)
