"""Nothing that a configuration or an app sends makes the engine raise, hang or take much memory."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.decrypting import decrypt
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment
from assignment.engine.sdk.operators import OPERATORS
from assignment.engine.sdk.redirects import redirect_of

OPERATOR_NAMES = [*OPERATORS, "$not", "$or", "$and", "$nor", "$all", "$alli", "$elemMatch", "$size", "$inGroup"]
OPERATOR_NAMES += ["$notInGroup", "$savedGroup", "$newer"]
FIELDS = ["condition", "force", "variations", "weights", "coverage", "ranges", "range", "filters", "namespace", "meta"]
FIELDS += [
    "hashVersion",
    "hashAttribute",
    "fallbackAttribute",
    "seed",
    "key",
    "parentConditions",
    "urlPatterns",
    "status",
]
FIELDS += ["bucketVersion", "minBucketVersion", "contextualVariations", "contextualBanditRef", "tracks", "active"]
NAMES = [
    "a",
    "id",
    "a.b",
    "value",
    "type",
    "values",
    "condition",
    "attributeKey",
    "ranges",
    "seed",
    "pattern",
    "include",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["a", "1", "(a+)+$", "http://x/a"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*OPERATOR_NAMES, *NAMES]), inner, max_size=4)
    ),
    max_leaves=12,
)
rules = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
good_rule = st.fixed_dictionaries(
    {"variations": st.lists(values, min_size=2, max_size=3)},
    optional={name: values for name in FIELDS if name != "variations"},
)
SECOND = 1.0

HOSTILE = {
    "nested_plus": "(a+)+$",
    "alternatives": "^(a|a)*$",
    "overlapping_words": r"(\w+\s?)+$",
    "backreferences": r"(.*)\1\1\1b",
    "nested_thousands": "(?:(?:(?:a?){1000}){1000}){1000}b",
    "endless_repetition": "(?:a{0,99999999}){99}b",
    "long_literal": "a" * 1900,
    "long_literal_in_groups": "(?:" + "a" * 480 + ")(?:" + "a" * 480 + ")",
    "deep_groups": "(" * 900 + "a" + ")" * 900,
    "many_wildcards": ".*" * 200 + "b",
    "recursion": "(?R)",
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["$regex", "$regexi", "$notRegex"])
def test_regex__hostile_pattern__answers_soon(pattern, name):
    started = time.process_time()
    passes({"a": "a" * 5000 + "!"}, {"a": {name: pattern}})
    assert time.process_time() - started < SECOND


def test_regex__a_thousand_hostile_patterns__share_one_allowance():
    started = time.process_time()
    condition = {"$or": [{"a": {"$regex": f"(a+)+{number}$"}} for number in range(1000)]}
    assert not passes({"a": "a" * 5000 + "!"}, condition)
    assert time.process_time() - started < SECOND


def test_regex__time_is_up__is_not_known_and_not_the_opposite():
    hostile = {"a": "a" * 5000 + "!"}, {"a": {"$notRegex": "(a|aa)+$"}}
    assert not passes(*hostile)
    assert not passes(hostile[0], {"$not": {"a": {"$regex": "(a|aa)+$"}}})


@pytest.mark.parametrize("pattern", ["a" * 501, "(?:a{80}){80}", "a|" * 1001])
def test_regex__pattern_larger_than_allowed__is_not_known_and_not_the_opposite(pattern):
    for condition in ({"$regex": pattern}, {"$notRegex": pattern}, {"$not": {"$regex": pattern}}):
        assert not passes({"a": "b"}, {"a": condition})


@pytest.mark.parametrize(
    "pattern", ["a" * 500, "(?:a{60}){60}|b", "|".join(["crawler", "b"] * 150), r"^.{1,64}@.{1,255}\.[a-z]{2,10}$|b"]
)
def test_regex__pattern_of_ordinary_size__is_searched(pattern):
    assert passes({"a": "b" if "b" in pattern else pattern}, {"a": {"$regex": pattern}})


def test_passes__five_thousand_negations_deep__passes_for_nobody():
    condition = {"a": 1}
    for _ in range(5001):
        condition = {"$not": condition}
    assert not passes({"a": 2}, condition)


def test_evaluate__prerequisites_that_double_at_every_step__are_each_evaluated_once():
    parents = {
        f"f{step}": {
            "defaultValue": 1,
            "rules": [{"parentConditions": [{"id": f"f{step + 1}", "condition": {"value": 1}}] * 2, "force": 1}],
        }
        for step in range(30)
    }
    started = time.process_time()
    assert evaluate_feature(Context(features={**parents, "f30": {"defaultValue": 1}}), "f0").value == 1
    assert time.process_time() - started < SECOND


def test_evaluate__chain_of_a_thousand_prerequisites__ends_as_cyclic():
    chain = {
        f"f{step}": {"rules": [{"parentConditions": [{"id": f"f{step + 1}", "condition": {}}]}]} for step in range(1000)
    }
    assert evaluate_feature(Context(features=chain), "f0").source == "cyclicPrerequisite"


@settings(max_examples=150, deadline=None)
@given(attributes=values, condition=values, groups=values)
def test_passes__any_json__never_raises(attributes, condition, groups):
    assert passes(attributes, condition, groups) in (True, False)


@settings(max_examples=150, deadline=None)
@given(
    attributes=st.dictionaries(st.sampled_from(["a", "id"]), values),
    rule=rules | good_rule,
    groups=values,
    extra=values,
    parent=rules,
)
def test_evaluate__any_configuration__never_raises(attributes, rule, groups, extra, parent):
    source = {
        "attributes": attributes,
        "features": {"f": {"rules": [rule, extra], "defaultValue": 1}, "a": {"rules": [parent]}},
        "savedGroups": groups, "contextualBandits": {"a": extra}, "url": "http://x/a?a=1", "forcedVariations": extra,
        "forcedFeatures": extra, "stickyBucketAssignmentDocs": {"id||1": extra},
    }  # fmt: skip
    context = Context.from_json(source)
    assert evaluate_feature(context, "f").as_json()["source"]
    assert run_experiment(context, rule).as_json()["variationId"] >= 0
    assert isinstance(redirect_of(context, rule).to, str)
    assert evaluate_feature(Context.from_json(extra), "f").as_json()["ruleId"] == ""


@settings(max_examples=100, deadline=None)
@given(encrypted=values | st.binary(max_size=64).map(lambda raw: raw.hex() + "." + raw.hex()), key=values)
def test_decrypt__anything__is_text_or_none(encrypted, key):
    assert decrypt(encrypted, key) is None or isinstance(decrypt(encrypted, key), str)
