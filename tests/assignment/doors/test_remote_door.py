import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assignment.doors.remote import MOST_FORCED, PATH, RemoteDoor
from tests.assignment.doors.fakes import FakeServed, Keys, payload

UNITS = [f"shopper-{number}" for number in range(200)]


def experiment(key: str, **fields):
    rule = {
        "id": "experiment",
        "key": key,
        "seed": key,
        "hashVersion": 2,
        "coverage": 1.0,
        "weights": [0.5, 0.5],
        "variations": [f"{key}-old", f"{key}-new"],
        "meta": [{"key": "control"}, {"key": "treatment"}],
    }
    return {"defaultValue": f"{key}-old", "rules": [{**rule, **fields}]}


FEATURES = {
    "ranker": experiment("ranker", condition={"country": "CA"}),
    "child": experiment("child", parentConditions=[{"id": "ranker", "condition": {"value": "ranker-new"}}]),
    "banner": {"defaultValue": "none", "rules": [{"condition": {"plan": "pro"}, "force": "gold"}]},
    "$holdout:all": experiment("holdout"),
}


@pytest.fixture
def ask():
    keys = Keys(FakeServed(payload(features=FEATURES, savedGroups={"team": ["secret-member"]})))
    door = RemoteDoor(keys.connect)

    def asking(question, key: str = "remote", method: str = "POST", **headers: str):
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        status, answered, content = asyncio.run(door.handle(method, PATH + key, headers, "", body))
        asking.headers = dict(answered)
        return status, json.loads(content)

    return asking


def features(ask, unit: str = "shopper-1", **question):
    attributes = {"id": unit, "country": "CA", **question.pop("attributes", {})}
    return ask({"attributes": attributes, **question})[1]["features"]


def unit_with(ask, value: str) -> str:
    return next(unit for unit in UNITS if features(ask, unit)["ranker"]["defaultValue"] == value)


def test_remote__every_feature__has_its_value_and_is_stored_nowhere(ask):
    status, answer = ask({"attributes": {"id": "shopper-1", "country": "CA", "plan": "pro"}})
    assert (status, answer["status"]) == (200, 200)
    assert answer["features"]["banner"] == {"defaultValue": "gold"}
    assert set(answer["features"]) == {"ranker", "child", "banner"}
    assert ask.headers["cache-control"] == "no-store"
    assert "dateUpdated" in answer


def test_remote__a_unit_in_an_experiment__carries_the_exposure_and_no_secret(ask):
    found = features(ask, unit_with(ask, "ranker-new"))["ranker"]
    (rule,) = found["rules"]
    (track,) = rule["tracks"]
    assert rule["force"] == found["defaultValue"] == "ranker-new"
    assert track["experiment"]["key"] == "ranker"
    assert track["experiment"]["variations"] == [{}, "ranker-new"]
    assert "condition" not in track["experiment"]
    assert (track["result"]["key"], track["result"]["variationId"]) == ("treatment", 1)
    assert track["result"]["inExperiment"] is True


def test_remote__the_whole_answer__says_nothing_of_targeting_groups_or_other_variants(ask):
    answer = json.dumps(ask({"attributes": {"id": unit_with(ask, "ranker-new"), "country": "CA"}})[1])
    for secret in ("CA", "secret-member", "plan", "gold", "ranker-old", "holdout"):
        assert secret not in answer


def test_remote__a_prerequisite_experiment__is_among_the_childs_exposures(ask):
    tracks = features(ask, unit_with(ask, "ranker-new"))["child"]["rules"][0]["tracks"]
    assert [track["experiment"]["key"] for track in tracks] == ["ranker", "child"]


def test_remote__not_targeted__gets_the_default_and_no_exposure(ask):
    assert features(ask, attributes={"country": "US"})["ranker"] == {"defaultValue": "ranker-old"}


def test_remote__forced_variations_and_features__are_obeyed_and_track_nothing(ask):
    forced = features(ask, forcedVariations={"ranker": 1}, forcedFeatures=[["banner", "mine"]])
    assert forced["ranker"] == {"defaultValue": "ranker-new"}
    assert forced["banner"] == {"defaultValue": "mine"}


def test_remote__forced_features__have_no_date_so_that_clients_do_not_take_them_for_known(ask):
    assert "dateUpdated" not in ask({"attributes": {}, "forcedFeatures": [["banner", 1]]})[1]


def test_remote__the_url__forces_a_variation_by_its_query(ask):
    unit = unit_with(ask, "ranker-old")
    assert features(ask, unit, url="https://shop.example/?ranker=1")["ranker"] == {"defaultValue": "ranker-new"}


@pytest.mark.parametrize("question", [b"", b"{}", b'{"attributes":null,"forcedVariations":null}', b'{"other":1}'])
def test_remote__a_question_about_nobody__is_answered_with_defaults(ask, question):
    status, answer = ask(question)
    assert status == 200
    assert answer["features"]["ranker"] == {"defaultValue": "ranker-old"}


@pytest.mark.parametrize(
    "question",
    [
        b"[]",
        b"not json",
        b'{"attributes":[]}',
        b'{"url":7}',
        {"forcedVariations": {str(n): 0 for n in range(MOST_FORCED + 1)}},
        {"forcedFeatures": [[str(n), 0] for n in range(MOST_FORCED + 1)]},
        b"[" * 100_000,
    ],
)
def test_remote__a_question_that_is_none__is_400_with_words(ask, question):
    status, answer = ask(question)
    assert (status, answer["status"]) == (400, 400)
    assert answer["error"]
    assert "x-unrecoverable" not in ask.headers


def test_remote__as_many_forced_as_allowed__is_answered(ask):
    forced = {str(number): 0 for number in range(MOST_FORCED)}
    assert ask({"forcedVariations": forced, "forcedFeatures": list(forced.items())})[0] == 200


def test_remote__too_large__is_413(ask):
    assert ask(b" " * 300_000)[0] == 413


@pytest.mark.parametrize("key", ["plain", "encrypted", "unknown"])
def test_remote__a_key_that_is_not_for_this__is_final(ask, key):
    assert ask({}, key)[0] == 400
    assert ask.headers["x-unrecoverable"] == "1"


def test_remote__another_method__is_told_which(ask):
    assert ask({}, method="GET")[0] == 405
    assert ask.headers["allow"] == "POST"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_named = st.sampled_from(["ranker", "child", "banner", "id", "country", "plan", ""])
_questions = st.fixed_dictionaries(
    {},
    optional={
        "attributes": _json | st.dictionaries(_named, _json, max_size=4),
        "forcedVariations": _json | st.dictionaries(_named, _json, max_size=4),
        "forcedFeatures": _json | st.lists(st.tuples(_named, _json), max_size=4),
        "url": _json | st.sampled_from(["?ranker=1", "http://[", "https://shop.example/?ranker=9&child=x#y"]),
    },
)


@given(_questions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_remote__whatever_is_asked__is_answered_or_refused_in_the_protocols_shape(ask, question):
    status, answer = ask(question)
    assert status == answer["status"]
    assert (status == 200 and set(answer["features"]) == {"ranker", "child", "banner"}) or (
        status == 400 and answer["error"]
    )


@given(st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_remote__any_bytes__are_answered_or_refused(ask, body):
    assert ask(body)[0] in (200, 400)
