import asyncio
import json

import pytest

from assignment.assignments import PATH, AssignmentsDoor
from assignment.edge import Edge
from tests.assignment import rows, served
from tests.assignment.asking import ask
from tests.assignment.served import KEY, experiment, flag, variant

AUTHORISED = {"authorization": f"Bearer {KEY}"}
UNITS = [f"user-{number}" for number in range(200)]


@pytest.fixture
def edge(tmp_path):
    made = Edge("", tmp_path / "snapshot.json")
    made.offer(
        served.content_for(
            KEY,
            experiment("half", allocation=5000),
            experiment("targeted", targeting={"country": "DE"}, overrides=(rows.override("qa"),)),
            experiment("old", status="stopped"),
            experiment(
                "by-session", unit_type="session", variants=(variant("control"), variant("b", value={"n": 1.0}))
            ),
            flag(rules=(rows.rule(4, "force", value="on"),)),
            flag("carrier", rules=(rows.rule(5, "experiment", experiment="half"),)),
        )
    )
    return made


def assignments(edge, context, *, method="POST", headers=AUTHORISED, path=PATH):
    body = json.dumps({"context": context}).encode()
    status, answered, content = asyncio.run(AssignmentsDoor(edge).handle(method, path, headers, "", body))
    return status, dict(answered), json.loads(content)


def test_assignments__every_unit__equals_what_ofrep_says_of_each_flag(edge):
    """What is there is OFREP's own answer, and what is absent is there the default."""
    for unit in UNITS:
        status, _, answer = assignments(edge, {"targetingKey": unit, "country": "DE"})
        assert (status, answer["unit"]) == (200, unit)
        for key in ("half", "targeted", "old", "by-session", "banner", "carrier"):
            one = ask(edge, KEY, key, {"targetingKey": unit, "country": "DE"}).body
            got = answer["assignments"].get(key)
            if got is None:
                assert one["metadata"]["outcome"] in ("not_in_traffic", "stopped")
            else:
                assert (got["variant"], got["value"]) == (one["variant"], one["value"])
                assert got.get("outcome", "assigned") == one["metadata"]["outcome"]


def test_assignments__half_of_the_traffic__is_absent_for_the_others(edge):
    inside = ["half" in assignments(edge, {"targetingKey": unit})[2]["assignments"] for unit in UNITS]
    assert {True, False} == set(inside)


def test_assignments__a_flag_that_carries_an_experiment__names_it(edge):
    unit = next(unit for unit in UNITS if "half" in assignments(edge, {"targetingKey": unit})[2]["assignments"])
    found = assignments(edge, {"targetingKey": unit})[2]["assignments"]
    assert found["carrier"] == {**found["half"], "experiment": "half"}


def test_assignments__an_override__is_told_and_is_no_assignment(edge):
    found = assignments(edge, {"targetingKey": "qa"})[2]["assignments"]
    assert found["targeted"] == {"variant": "treatment", "value": "treatment", "outcome": "override"}


def test_assignments__no_unit__answers_what_needs_none(edge):
    status, headers, answer = assignments(edge, {})
    assert (status, answer["unit"], headers["cache-control"]) == (200, None, "no-store")
    assert list(answer["assignments"]) == ["banner"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"method": "GET"}, 405), ({"headers": {}}, 401), ({"path": PATH + "/x"}, 404), ({"context": {"id": True}}, 400)],
)
def test_assignments__a_wrong_request__says_what_to_do(edge, changed, status):
    answer = assignments(edge, **{"context": {"targetingKey": "u"}, **changed})
    assert answer[0] == status
    assert answer[2]["message"]
