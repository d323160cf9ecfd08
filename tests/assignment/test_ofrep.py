import gzip
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.edge import Edge
from assignment.ofrep import FLAGS, LARGEST_BODY, OfrepDoor
from experiments.domain.keys import digest
from tests.assignment import rows, served
from tests.assignment.asking import ask, ask_all, send
from tests.assignment.served import KEY, edge_of, experiment, grant, project, variant

AUTHORISED = {"authorization": f"Bearer {KEY}"}


def reference(one):
    """Return what the reference engine gives each unit, as variant keys."""
    published = rows.Published(one)
    attribute = published.rules(one.key)[-1]["hashAttribute"]
    return lambda unit: published.ask(one.key, **{attribute: unit}).experiment_result.key


@pytest.fixture
def edge(tmp_path):
    return edge_of(
        experiment("ranker"),
        experiment("old", status="stopped"),
        experiment("empty", allocation=0),
        experiment("by-session", unit_type="session"),
        home=tmp_path,
    )


@pytest.fixture(scope="module")
def standing_edge(tmp_path_factory):
    return edge_of(experiment("ranker"), home=tmp_path_factory.mktemp("edge"))


class TestAnswer:
    def test_single__a_running_experiment__answers_as_the_engine_does(self, edge):
        variant_of = reference(experiment("ranker"))
        for number in range(200):
            expected = variant_of(f"shopper-{number}")
            answer = ask(edge, KEY, "ranker", {"targetingKey": f"shopper-{number}"})
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.body == {
                "key": "ranker",
                "value": expected,
                "variant": expected,
                "reason": "SPLIT",
                "metadata": {
                    "experiment": "ranker",
                    "unitType": "user",
                    "outcome": "assigned",
                },
            }

    def test_single__a_stopped_experiment__is_disabled_and_needs_no_unit(self, edge):
        answer = ask(edge, KEY, "old", {})
        assert answer.status == 200
        assert (answer.body["value"], answer.body["variant"]) == ("control", "control")
        assert answer.body["reason"] == "DISABLED"
        assert answer.body["metadata"]["outcome"] == "stopped"

    def test_single__a_unit_outside_the_traffic__gets_the_control_and_the_metadata_says_so(self, edge):
        answer = ask(edge, KEY, "empty")
        assert (answer.status, answer.body["value"], answer.body["variant"]) == (200, "control", "control")
        assert answer.body["reason"] == "STATIC"  # OFREP's schema has no DEFAULT
        assert answer.body["metadata"]["outcome"] == "not_in_traffic"

    def test_single__the_variant_of_a_model__names_its_version(self, tmp_path):
        models = (variant("a", weight=0), variant("b", weight=10_000, model="ranker 7"))
        answer = ask(edge_of(experiment(variants=models), home=tmp_path), KEY, "ranker")
        assert answer.body["metadata"]["modelVersion"] == "ranker 7"

    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            (1.0, "1.0"),
            (0.25, "0.25"),
            (1, "1"),
            (False, "false"),
            ("ä", '"ä"'),
            ({"size": 3, "ratio": 2.0, "none": None}, '{"size":3,"ratio":2.0,"none":null}'),
        ],
    )
    def test_single__every_type_of_value__is_sent_as_that_type(self, value, encoded, tmp_path):
        edge = edge_of(experiment(variants=(variant("a", value=value), variant("b", value=value))), home=tmp_path)
        body = b'{"context":{"targetingKey":"u"}}'
        _, _, answer = OfrepDoor(edge).answer("POST", f"{FLAGS}/ranker", AUTHORISED, body)
        assert f'"value":{encoded},"variant"'.encode() in answer


class TestUnit:
    def test_single__the_unit_types_own_id__goes_before_the_targeting_key(self, edge):
        by_session = [
            ask(edge, KEY, "by-session", {"targetingKey": "one-user", "session_id": f"session-{number}"}).body[
                "variant"
            ]
            for number in range(50)
        ]
        variant_of = reference(experiment("by-session", unit_type="session"))
        assert by_session == [variant_of(f"session-{number}") for number in range(50)]
        assert len(set(by_session)) == 2

    def test_single__another_unit_types_id__is_an_attribute_like_any_other(self, edge):
        plain = ask(edge, KEY, "ranker", {"targetingKey": "shopper-1"})
        assert ask(edge, KEY, "ranker", {"targetingKey": "shopper-1", "session_id": "s"}) == plain

    @pytest.mark.parametrize(
        ("context", "unit"),
        [
            ({"targetingKey": 42}, "42"),
            ({"user_id": 42}, "42"),
            ({"user_id": "42", "targetingKey": "x"}, "42"),
            ({"id": "43", "user_id": "42"}, "43"),
            ({"targetingKey": 1e5}, "100000"),
            ({"targetingKey": 12345678901234567890}, "12345678901234567890"),
            ({"targetingKey": " a b "}, " a b "),
            ({"targetingKey": "x" * 255}, "x" * 255),
        ],
    )
    def test_single__an_id__is_hashed_as_it_is_and_a_whole_number_as_its_digits(self, tmp_path, context, unit):
        many = experiment(variants=tuple(variant(f"v{n}", weight=100) for n in range(100)))
        answer = ask(edge_of(many, home=tmp_path), KEY, "ranker", context)
        assert answer.body["variant"] == reference(many)(unit)

    @pytest.mark.parametrize(
        "context", [{}, {"targetingKey": ""}, {"targetingKey": "  "}, {"targetingKey": None}, {"a": "b"}]
    )
    def test_single__no_unit_where_one_is_needed__is_targeting_key_missing(self, edge, context):
        answer = ask(edge, KEY, "ranker", context)
        assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (400, "TARGETING_KEY_MISSING", "ranker")
        assert "context.targetingKey or context.user_id" in answer.body["errorDetails"]

    @pytest.mark.parametrize(
        ("unit", "words"),
        [("x" * 256, "has 256 characters; a unit's id may have up to 255"), ("a\x00b", "holds the character NUL")],
    )
    def test_single__an_id_that_events_would_refuse__is_an_invalid_context(self, edge, unit, words):
        answer = ask(edge, KEY, "ranker", {"targetingKey": unit})
        assert (answer.status, answer.body["errorCode"]) == (400, "INVALID_CONTEXT")
        assert words in answer.body["errorDetails"]

    @pytest.mark.parametrize("unit", [True, 1.5, ["a"], {"a": 1}])
    @pytest.mark.parametrize("name", ["targetingKey", "user_id"])
    def test_single__an_id_that_is_none__is_an_invalid_context_that_names_it(self, edge, name, unit):
        answer = ask(edge, KEY, "ranker", {name: unit})
        assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (400, "INVALID_CONTEXT", "ranker")
        assert f"{name} is {json.dumps(unit, separators=(',', ':'))};" in answer.body["errorDetails"]
        assert "string or a whole number" in answer.body["errorDetails"]


class TestBody:
    @pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"context":null}', b'{"context":{}}', b'{"other":1}'])
    def test_single__no_context__is_fine_where_no_unit_is_needed(self, edge, body):
        assert send(edge, f"{FLAGS}/old", body, AUTHORISED).status == 200

    @pytest.mark.parametrize("body", [b"{", b"hello", b"[]", b"null", b'"x"', b"3", b"\xff", b'{"context":' * 3_000])
    def test_single__a_body_that_is_no_json_object__is_a_parse_error(self, edge, body):
        answer = send(edge, f"{FLAGS}/ranker", body, AUTHORISED)
        assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (400, "PARSE_ERROR", "ranker")
        assert '{"context": {"targetingKey": "user-1"}}' in answer.body["errorDetails"]

    def test_single__a_body_nested_without_end__is_a_parse_error(self, edge):
        answer = send(edge, f"{FLAGS}/ranker", b'{"context":' + b"[" * 20_000 + b"]" * 20_000 + b"}", AUTHORISED)
        assert (answer.status, answer.body["errorCode"]) == (400, "PARSE_ERROR")

    @pytest.mark.parametrize("context", ["[]", '"user-1"', "7", "true"])
    def test_single__a_context_that_is_no_object__is_an_invalid_context(self, edge, context):
        answer = send(edge, f"{FLAGS}/ranker", b'{"context":%s}' % context.encode(), AUTHORISED)
        assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (400, "INVALID_CONTEXT", "ranker")

    def test_single__a_body_that_is_too_large__is_413_with_both_sizes(self, edge):
        body = json.dumps({"context": {"targetingKey": "u", "note": "x" * LARGEST_BODY}}).encode()
        answer = send(edge, f"{FLAGS}/ranker", body, AUTHORISED)
        assert answer.status == 413
        assert str(len(body)) in answer.body["errorDetails"]
        assert str(LARGEST_BODY) in answer.body["errorDetails"]


class TestEncoding:
    BODY = json.dumps({"context": {"targetingKey": "shopper-1"}}).encode()

    def packed(self, edge, body, encoding="gzip"):
        return send(edge, f"{FLAGS}/ranker", body, {**AUTHORISED, "content-encoding": encoding})

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
    def test_single__a_gzipped_body__is_read(self, edge, encoding):
        assert self.packed(edge, gzip.compress(self.BODY), encoding) == ask(edge, KEY, "ranker")

    @pytest.mark.parametrize("encoding", ["identity", ""])
    def test_single__a_body_that_is_not_packed__is_read(self, edge, encoding):
        assert self.packed(edge, self.BODY, encoding) == ask(edge, KEY, "ranker")

    @pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
    def test_single__another_encoding__is_415_and_names_what_is_taken(self, edge, encoding):
        answer = self.packed(edge, self.BODY, encoding)
        assert (answer.status, answer.body["errorCode"]) == (415, "PARSE_ERROR")
        assert "plain or as gzip" in answer.body["errorDetails"]

    @pytest.mark.parametrize("body", [BODY, gzip.compress(BODY, mtime=0)[:-9], b""])
    def test_single__a_body_that_is_no_gzip_stream__is_a_parse_error(self, edge, body):
        answer = self.packed(edge, body)
        assert (answer.status, answer.body["errorCode"]) == (400, "PARSE_ERROR")
        assert "gzip stream" in answer.body["errorDetails"]

    def test_single__a_small_body_that_unpacks_to_much__is_413(self, edge):
        bomb = gzip.compress(b" " * 10_000_000)
        assert len(bomb) < LARGEST_BODY
        answer = self.packed(edge, bomb)
        assert (answer.status, str(LARGEST_BODY) in answer.body["errorDetails"]) == (413, True)


class TestKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": f"Bearer {KEY}"},
            {"authorization": f"bearer  {KEY} "},
            {"x-api-key": KEY},
            {"authorization": "Basic Zm9v", "x-api-key": KEY},
        ],
    )
    def test_single__a_good_key__is_read_from_either_header(self, edge, headers):
        assert send(edge, f"{FLAGS}/old", b"", headers).status == 200

    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ({}, "There is no API key"),
            ({"authorization": "Bearer "}, "There is no API key"),
            ({"authorization": "Basic Zm9v"}, "There is no API key"),
            ({"authorization": "Bearer tl_unknown"}, "unknown or revoked"),
            ({"x-api-key": "nonsense \ud800"}, "unknown or revoked"),
        ],
    )
    @pytest.mark.parametrize("path", [f"{FLAGS}/ranker", FLAGS])
    def test_both__without_a_good_key__are_401_in_json(self, edge, headers, words, path):
        answer = send(edge, path, b"{}", headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert words in answer.body["errorDetails"]
        assert answer.body.get("key") == ("ranker" if path != FLAGS else None)

    def test_single__a_key_without_the_scope__is_403_and_says_which(self, tmp_path):
        edge = Edge("", tmp_path / "snapshot.json")
        edge.offer(served.content(project(experiment()), keys={digest(KEY): grant("ingest", "read")}))
        answer = ask(edge, KEY, "ranker")
        assert answer.status == 403
        assert "ingest, read" in answer.body["errorDetails"]
        assert "evaluate" in answer.body["errorDetails"]

    def test_single__another_projects_flag__is_not_found(self, tmp_path):
        edge = Edge("", tmp_path / "snapshot.json")
        theirs = project(experiment("secret-plan"), id=2, slug="rival")
        edge.offer(served.content(project(experiment()), theirs, keys={digest(KEY): grant("evaluate")}))
        answer = ask(edge, KEY, "secret-pla")
        assert answer.status == 404
        assert "secret-plan" not in answer.body["errorDetails"]
        assert ask(edge, KEY, "secret-plan").status == 404

    def test_error__never_repeats_the_key(self, edge):
        answer = send(edge, f"{FLAGS}/ranker", b"", {"authorization": "Bearer tl_mistyped"})
        assert "mistyped" not in json.dumps(answer.body)


class TestNotFound:
    def test_single__a_mistyped_flag__is_named_with_the_nearest(self, edge):
        for _ in range(2):
            answer = ask(edge, KEY, "rankr")
            assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (404, "FLAG_NOT_FOUND", "rankr")
            assert "'rankr' in project 'shop'" in answer.body["errorDetails"]
            assert "Did you mean 'ranker'?" in answer.body["errorDetails"]

    def test_single__a_flag_like_no_other__is_told_about_drafts(self, edge):
        details = ask(edge, KEY, "zzz").body["errorDetails"]
        assert "Did you mean" not in details
        assert "A draft is answered once it is started" in details

    @pytest.mark.parametrize("key", ["a/b", "a b", "ä", "a%2Fb", "", "x" * 5000 + "!"])
    def test_single__a_key_that_cannot_be__is_not_found_with_the_rule(self, edge, key):
        answer = ask(edge, KEY, key)
        assert (answer.status, answer.body["errorCode"], answer.body["key"]) == (404, "FLAG_NOT_FOUND", key)
        assert "letters, digits, dots, underscores and hyphens" in answer.body["errorDetails"]
        assert len(answer.body["errorDetails"]) < 300

    @pytest.mark.parametrize("path", ["/ofrep/", "/ofrep/v2/evaluate/flags/x", "/ofrep/v1/evaluate/flagsx"])
    def test_elsewhere__is_404_and_says_where_flags_are(self, edge, path):
        answer = send(edge, path, b"{}", AUTHORISED)
        assert answer.status == 404
        assert FLAGS in answer.body["errorDetails"]

    def test_nearest__many_misses__are_forgotten_again(self, edge):
        for number in range(2_100):
            assert ask(edge, KEY, f"missing-{number}").status == 404
        assert len(edge.table.environment(1, "production")._nearest) <= 1_000


class TestHttp:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
    @pytest.mark.parametrize("path", [f"{FLAGS}/ranker", FLAGS])
    def test_both__another_method__is_405_with_what_is_allowed(self, edge, method, path):
        answer = send(edge, path, b"", AUTHORISED, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")

    def test_both__before_the_first_snapshot__are_503_and_say_when_to_return(self, tmp_path):
        edge = Edge("", tmp_path / "snapshot.json")
        for path in (f"{FLAGS}/ranker", FLAGS):
            answer = send(edge, path, b"{}", AUTHORISED)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.body["errorDetails"]


class TestBulk:
    def test_bulk__all_flags__answer_as_one_by_one(self, edge):
        context = {"targetingKey": "shopper-1", "session_id": "session-1"}
        answer = ask_all(edge, KEY, context)
        assert answer.status == 200
        assert answer.body["flags"] == [
            ask(edge, KEY, flag, context).body for flag in ("by-session", "empty", "old", "ranker")
        ]

    def test_bulk__a_flag_that_needs_another_unit__fails_alone(self, edge):
        answer = ask_all(edge, KEY, {"session_id": "session-1"})
        assert answer.status == 200
        found = {flag["key"]: flag.get("errorCode", flag.get("reason")) for flag in answer.body["flags"]}
        assert found == {
            "ranker": "TARGETING_KEY_MISSING",
            "old": "DISABLED",
            "empty": "TARGETING_KEY_MISSING",
            "by-session": "SPLIT",
        }

    def test_bulk__a_project_without_experiments__has_no_flags(self, tmp_path):
        answer = ask_all(edge_of(home=tmp_path), KEY, {})
        assert (answer.status, answer.body) == (200, {"flags": []})

    def test_bulk__nothing_changed__is_304_without_a_body(self, edge):
        first = ask_all(edge, KEY, {"targetingKey": "u", "country": "CA"})
        assert re.fullmatch(r'"[0-9a-f]{32}"', first.headers["etag"])
        for presented in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
            again = ask_all(edge, KEY, {"country": "CA", "targetingKey": "u"}, if_none_match=presented)
            assert (again.status, again.body) == (304, None)
            assert again.headers["etag"] == first.headers["etag"]

    def test_bulk__an_attribute_changed__is_not_304(self, edge):
        first = ask_all(edge, KEY, {"targetingKey": "u", "country": "CA"})
        other = ask_all(edge, KEY, {"targetingKey": "u", "country": "US"}, if_none_match=first.headers["etag"])
        assert other.status == 200
        assert other.headers["etag"] != first.headers["etag"]

    def test_bulk__the_configuration_changed__is_not_304(self, edge):
        first = ask_all(edge, KEY, {"targetingKey": "u"})
        edge.offer(served.content_for(KEY, experiment("ranker", allocation=5000)))
        assert ask_all(edge, KEY, {"targetingKey": "u"}, if_none_match=first.headers["etag"]).status == 200

    def test_bulk__two_projects__never_share_a_tag(self, tmp_path):
        edge = Edge("", tmp_path / "snapshot.json")
        other = "tl_" + "o" * 43
        edge.offer(
            served.content(
                project(experiment(), id=1),
                project(experiment(), id=2, slug="rival"),
                keys={digest(KEY): grant("evaluate"), digest(other): grant("evaluate", project_id=2)},
            )
        )
        assert ask_all(edge, KEY, {}).headers["etag"] != ask_all(edge, other, {}).headers["etag"]

    @pytest.mark.parametrize(("body", "code"), [(b"{", "PARSE_ERROR"), (b'{"context":1}', "INVALID_CONTEXT")])
    def test_bulk__a_body_that_cannot_be_read__is_400(self, edge, body, code):
        answer = send(edge, FLAGS, body, AUTHORISED)
        assert (answer.status, answer.body["errorCode"]) == (400, code)
        assert answer.body["errorDetails"]


@given(body=st.binary(max_size=200), key=st.text(max_size=40), method=st.sampled_from(["POST", "GET"]))
def test_door__any_request__is_answered_in_the_protocols_shape(standing_edge, body, key, method):
    answer = send(standing_edge, f"{FLAGS}/{key}", body, AUTHORISED, method=method)
    assert answer.status in {200, 400, 404, 405}
    if answer.status >= 400:
        assert answer.body["errorDetails"]
        assert answer.body["errorCode"]
        assert answer.body["key"] == key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(context=st.dictionaries(st.sampled_from(["targetingKey", "user_id", "country", ""]), json_values))
def test_door__any_context__is_a_value_or_an_error_that_says_why(standing_edge, context):
    answer = ask(standing_edge, KEY, "ranker", context)
    if answer.status == 200:
        assert set(answer.body) == {"key", "value", "variant", "reason", "metadata"}
    else:
        assert answer.status == 400
        assert answer.body["errorCode"] in {"TARGETING_KEY_MISSING", "INVALID_CONTEXT", "PARSE_ERROR"}
        assert answer.body["errorDetails"]
    assert ask_all(standing_edge, KEY, context).status in {200, 400}
