"""No document makes the compiled engine slow, large or different where the interpreter bounds what it does."""

import time

import pytest

from assignment.engine.program import compile_features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.effort import STEPS
from assignment.engine.sdk.evaluating import evaluate_feature
from tests.assignment.sdk.test_hostile import HOSTILE

SECOND = 1.0
LONG = {"id": "1", "a": "a" * 5000 + "!"}


def targeted(condition, **fields):
    return {"f": {"defaultValue": "out", "rules": [{"condition": condition, "force": "in", **fields}]}}


def interpreted(features, attributes):
    return evaluate_feature(Context(features=features, attributes=attributes), "f")


def value(features, attributes):
    compiled = compile_features(features).evaluate("f", attributes)
    assert compiled == interpreted(features, attributes)
    return compiled.value


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
def test_regex__hostile_pattern__answers_soon(pattern):
    flag = compile_features(targeted({"a": {"$regex": pattern}})).flag("f")
    started = time.process_time()
    flag.choose(LONG)
    assert time.process_time() - started < SECOND


def test_regex__a_thousand_hostile_patterns_over_many_rules__share_one_allowance():
    rules = [{"condition": {"a": {"$regex": f"(a+)+{number}$"}}, "force": 1} for number in range(1000)]
    parents = [{"id": f"p{number}", "condition": {"value": 1}} for number in range(20)]
    features = {f"p{number}": {"rules": rules} for number in range(20)}
    program = compile_features(
        {**features, "f": {"defaultValue": 0, "rules": [{"parentConditions": parents, "force": 1}]}}
    )
    assert not program.flag("f").interpreted
    started = time.process_time()
    assert program.evaluate("f", LONG).value == 0
    assert time.process_time() - started < SECOND


def test_regex__time_is_up__is_not_the_opposite():
    assert value(targeted({"a": {"$notRegex": "(a|aa)+$"}}), LONG) == "out"
    assert value(targeted({"$not": {"a": {"$regex": "(a|aa)+$"}}}), LONG) == "out"


@pytest.mark.parametrize(("elements", "expected"), [(10, "in"), (60_000, "in"), (STEPS + 1, "out")])
def test_array__more_elements_than_steps__fails_where_the_interpreter_does(elements, expected):
    # 60,000 elements might take 120,000 steps and take half of them: only the interpreter knows.
    condition = {"$not": {"tags": {"$elemMatch": {"$eq": "absent", "$exists": True}}}}
    features = targeted(condition)
    assert not compile_features(features).flag("f").interpreted
    assert value(features, {"tags": ["x"] * elements}) == expected


def test_array__two_rules_that_share_the_steps__agree_with_the_interpreter():
    condition = {"$not": {"tags": {"$all": ["absent"]}}}
    features = targeted({"$and": [condition, {"plan": "pro"}]})
    features["f"]["rules"].append({"condition": condition, "force": "second"})
    for elements in (30_000, 49_990, 50_010, 90_000):
        value(features, {"tags": ["x"] * elements, "plan": "free"})


def test_condition__more_steps_than_an_evaluation_may_take__is_left_to_the_interpreter():
    features = targeted({"$and": [{"a": {"$ne": number}} for number in range(STEPS)]})
    assert compile_features(features).flag("f").interpreted
    assert value(features, {}) == "out"


@pytest.mark.parametrize("levels", [30, 40, 5001])
def test_condition__negations_deep_in_each_other__pass_as_in_the_interpreter(levels):
    condition = {"a": 1}
    for _ in range(levels):
        condition = {"$not": condition}
    assert value(targeted(condition), {"a": 1}) == ("in" if levels < 64 else "out")


def test_saved_groups__that_name_each_other_twice__are_not_written_out_for_ever():
    groups = {
        f"g{number}": {
            "type": "condition",
            "condition": {
                "$and": [{"$savedGroup": {"id": f"g{number + 1}"}}, {"$savedGroup": {"id": f"g{number + 1}"}}]
            },
        }
        for number in range(40)
    }
    started = time.process_time()
    program = compile_features(targeted({"$savedGroup": {"id": "g0"}}), groups)
    assert program.flag("f").interpreted
    assert time.process_time() - started < SECOND


def test_prerequisites__that_double_at_every_step__are_each_evaluated_once():
    features = {
        f"f{step}": {
            "defaultValue": 1,
            "rules": [{"parentConditions": [{"id": f"f{step + 1}", "condition": {"value": 1}}] * 2, "force": 1}],
        }
        for step in range(30)
    }
    program = compile_features({**features, "f30": {"defaultValue": 1}})
    assert not program.flag("f0").interpreted
    started = time.process_time()
    assert program.evaluate("f0", {}).value == 1
    assert time.process_time() - started < SECOND


@pytest.mark.parametrize(("links", "cyclic"), [(32, False), (33, True), (2000, True)])
def test_prerequisites__chain__ends_as_cyclic_where_the_interpreter_ends_it(links, cyclic):
    features = {
        f"f{step}": {"rules": [{"parentConditions": [{"id": f"f{step + 1}", "condition": {}}], "force": 1}]}
        for step in range(links)
    }
    features["f"] = features.pop("f0")
    result = compile_features(features).evaluate("f", {})
    assert result == interpreted(features, {})
    assert (result.source == "cyclicPrerequisite") is cyclic


@pytest.mark.parametrize("field", ["ranges", "filters", "variations"])
def test_experiment__twenty_thousand_ranges_or_variations__is_left_to_the_interpreter(field):
    many = [[0.5, 0.50001]] * 20_000
    change = {"ranges": many, "filters": [{"seed": "s", "ranges": many}], "variations": list(range(20_000))}[field]
    features = {"f": {"rules": [{"variations": [1, 2], "hashVersion": 2, field: change}]}}
    started = time.process_time()
    program = compile_features(features)
    assert time.process_time() - started < SECOND
    assert program.evaluate("f", {"id": "1"}) == evaluate_feature(
        Context(features=features, attributes={"id": "1"}), "f"
    )


PARENT = {"id": "p0", "condition": {"value": 1}}
LAYER = {"seed": "s", "ranges": [[0, 1]]}


@pytest.mark.parametrize("rule", [{"parentConditions": [PARENT] * 1_500}, {"filters": [LAYER] * 1_500}])
def test_rule__more_parents_or_filters_than_calls_may_nest__is_left_to_the_interpreter(rule):
    features = {"p0": {"defaultValue": 1}, "f": {"defaultValue": "out", "rules": [{**rule, "force": "in"}]}}
    assert compile_features(features).flag("f").interpreted
    assert value(features, {"id": "1"}) == "in"


@pytest.mark.parametrize(("each", "interpreted_too"), [(3, False), (50, True)])
def test_chain__of_parents_with_many_conditions_each__answers_as_the_interpreter(each, interpreted_too):
    features = {
        f"p{step}": {"rules": [{"parentConditions": [{"id": f"p{step + 1}", "condition": {}}] * each, "force": 1}]}
        for step in range(31)
    }
    features["f"] = {"defaultValue": "out", "rules": [{"parentConditions": [PARENT] * each, "force": "in"}]}
    flag = compile_features(features).flag("f")
    assert flag.interpreted == interpreted_too
    assert value(features, {"id": "1"}) == "in"
    assert flag.terminals[flag.choose({"id": "1"})].value == "in"
