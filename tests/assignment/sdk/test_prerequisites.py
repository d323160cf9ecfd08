"""Flags that wait for other flags, asked of both engines."""

import pytest

from assignment.engine.program import compile_features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment

NULL, CYCLIC, SHUT = (None, "unknownFeature"), (None, "cyclicPrerequisite"), (None, "prerequisite")
DEFAULT, FORCED = ("default", "defaultValue"), ("on", "force")


def needs(key, condition=None, **fields):
    return {"id": key, "condition": {"value": True} if condition is None else condition, **fields}


def flag(*parents, default="default", **fields):
    return {"defaultValue": default, "rules": [{"parentConditions": list(parents), "force": "on", **fields}]}


def ask(features, key="f", **wishes):
    attributes = {"id": "u", "plan": "pro"}
    found = evaluate_feature(Context(features=features, attributes=attributes, **wishes), key)
    assert compile_features(features).evaluate(key, attributes, **wishes) == found
    return found.value, found.source.value


@pytest.mark.parametrize(
    ("condition", "gate", "expected"),
    [
        ({"value": "green"}, False, FORCED),
        ({"value": "red"}, False, DEFAULT),
        ({"value": "red"}, True, SHUT),
        ({"value": {"$in": ["green", "blue"]}}, True, FORCED),
        ({"value": {"$exists": False}}, True, SHUT),
        ({}, True, FORCED),
        ({"other": {"$exists": False}}, True, FORCED),
        ({"$not": {"value": "green"}}, False, DEFAULT),
    ],
)
def test_prerequisite__condition_on_the_parents_value__decides(condition, gate, expected):
    features = {"p": {"defaultValue": "green"}, "f": flag(needs("p", condition, gate=gate))}
    assert ask(features) == expected


@pytest.mark.parametrize(("gate", "expected"), [(True, SHUT), (False, DEFAULT)])
def test_prerequisite__unknown_parent__has_the_value_null(gate, expected):
    assert ask({"f": flag(needs("nobody", gate=gate))}) == expected
    assert ask({"f": flag(needs("nobody", {"value": None}, gate=gate))}) == FORCED


def test_prerequisite__first_that_fails__decides_whether_the_gate_shuts():
    features = {"p": {"defaultValue": True}, "q": {"defaultValue": False}}
    assert ask({**features, "f": flag(needs("q"), needs("q", gate=True))}) == DEFAULT
    assert ask({**features, "f": flag(needs("p"), needs("q", gate=True))}) == SHUT
    assert ask({**features, "f": flag(needs("p"), needs("p", gate=True))}) == FORCED


def test_prerequisite__rule_with_a_gate_alone__lets_the_next_rule_decide():
    rules = [{"parentConditions": [needs("p", gate=True)]}, {"condition": {"plan": "pro"}, "force": "on"}]
    features = {"f": {"defaultValue": "default", "rules": rules}}
    assert ask({**features, "p": {"defaultValue": True}}) == FORCED
    assert ask({**features, "p": {"defaultValue": False}}) == SHUT


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_prerequisite__circle__makes_every_flag_on_it_and_behind_it_cyclic(length, gate):
    circle = {f"c{step}": flag(needs(f"c{(step + 1) % length}", gate=gate)) for step in range(length)}
    features = {**circle, "f": flag(needs("c0", gate=gate))}
    for key in features:
        assert ask(features, key) == CYCLIC


def test_prerequisite__circle_behind_a_rule_that_is_not_reached__is_none():
    features = {
        "p": {"defaultValue": True, "rules": [{"force": True}, {"parentConditions": [needs("f")], "force": False}]},
        "f": flag(needs("p")),
    }
    assert ask(features) == FORCED


def test_prerequisite__two_ways_to_the_same_parent__are_no_circle():
    features = {
        "top": {"defaultValue": True},
        "left": flag(needs("top"), force=True),
        "right": flag(needs("top"), force=True),
        "f": flag(needs("left"), needs("right")),
    }
    assert ask(features) == FORCED


def test_prerequisite__value_forced_by_the_app__counts_and_ends_a_circle():
    features = {"p": flag(needs("f")), "f": flag(needs("p"))}
    assert ask(features, forced_features={"p": True}) == FORCED
    assert ask(features, forced_features={"f": 7}) == (7, "override")
    assert ask(features, "nobody") == NULL


@pytest.mark.parametrize(
    ("condition", "inside"), [({"value": True}, True), ({"value": False}, False), ({"value": {"$gt": 1}}, False)]
)
def test_prerequisite__of_an_experiment_in_the_app__keeps_the_unit_out(condition, inside):
    experiment = {"key": "e", "variations": [0, 1], "parentConditions": [needs("p", condition, gate=True)]}
    context = Context(features={"p": {"defaultValue": True}}, attributes={"id": "u"})
    assert run_experiment(context, experiment).in_experiment is inside


def test_prerequisite__circle_behind_an_experiment_in_the_app__keeps_the_unit_out():
    experiment = {"key": "e", "variations": [0, 1], "parentConditions": [needs("p", {})]}
    context = Context(features={"p": flag(needs("p"))}, attributes={"id": "u"})
    assert not run_experiment(context, experiment).in_experiment
