import pytest

from assignment.engine.hashing import hash_share
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment

EXPERIMENT = {"key": "exp", "variations": ["control", "treatment"]}
TREATED = {**EXPERIMENT, "weights": [0, 1]}
ME = {"id": "1"}


def context(**fields):
    return Context(**{"attributes": ME, **fields})


def outcome(experiment, **fields):
    result = run_experiment(context(**fields), experiment)
    return result.value, result.in_experiment, result.hash_used


OUT = ("control", False, False)
BY_HAND = ("treatment", True, False)
ASSIGNED = ("treatment", True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"coverage": 0},
        {"coverage": "1"},
        {"hashVersion": 3},
        {"hashVersion": "2"},
        {"hashVersion": True},
        {"hashAttribute": "missing"},
        {"fallbackAttribute": "id", "hashAttribute": "missing"},
        {"condition": {"id": "2"}},
        {"condition": "malformed"},
        {"filters": [{"seed": "s", "ranges": []}]},
        {"filters": "malformed"},
        {"namespace": ["n", 0, 0]},
        {"namespace": "malformed"},
        {"ranges": [[0, 0], [0, 0]]},
        {"ranges": []},
        {"ranges": ["x", "y"]},
        {"active": False},
        {"status": "draft"},
        {"status": "stopped"},
        {"force": 9},
        {"force": "1"},
        {"urlPatterns": []},
        {"urlPatterns": [{"type": "simple", "include": True, "pattern": "/other"}]},
        {"parentConditions": [{"id": "unknown", "condition": {"value": True}}]},
        {"parentConditions": "malformed"},
        {"variations": ["control"]},
        {"variations": "malformed"},
    ],
)
def test_run__anything_that_keeps_the_unit_out__gives_the_first_variation(change):
    value, inside, hash_used = outcome({**TREATED, **change}, url="http://x/page")
    assert (inside, hash_used) == (False, False)
    assert value in ("control", None)


@pytest.mark.parametrize(
    ("attribute", "text"), [("a", "a"), (7, "7"), (7.0, "7"), (1.5, "1.5"), (1e21, "1e+21"), (-2, "-2"), (5e-7, "5e-7")]
)
def test_run__unit_that_is_a_number__is_hashed_as_javascript_writes_it(attribute, text):
    result = run_experiment(Context(attributes={"id": attribute}), {**TREATED, "hashVersion": 2})
    assert (result.hash_value, result.bucket) == (text, hash_share("exp", text, 2))


@pytest.mark.parametrize("attribute", ["", None, 0, False, True, float("nan"), float("inf"), 10**400, [], {}, ["1"]])
def test_run__value_that_names_no_unit__stays_out(attribute):
    result = run_experiment(Context(attributes={"id": attribute}), TREATED)
    assert (result.in_experiment, result.hash_value) == (False, "")


def test_run__order__address_then_app_then_draft():
    draft = {**EXPERIMENT, "status": "draft"}
    assert outcome(draft, url="http://x/?exp=1", forced_variations={"exp": 0}) == BY_HAND
    assert outcome(draft, forced_variations={"exp": 1}) == BY_HAND
    assert outcome(EXPERIMENT, forced_variations={"exp": 1}, enabled=False) == OUT
    assert outcome(EXPERIMENT, forced_variations={"exp": 7}) == OUT


def test_run__pages__come_before_a_variation_in_the_address():
    elsewhere = {**EXPERIMENT, "urlPatterns": [{"type": "simple", "pattern": "/other", "include": True}]}
    assert outcome(elsewhere, url="http://x/?exp=1") == OUT


def test_run__quality_mode__assigns_only_by_hand():
    assert outcome(TREATED, qa_mode=True) == OUT
    assert outcome({**TREATED, "force": 1}, qa_mode=True) == BY_HAND
    assert outcome(TREATED) == ASSIGNED


def test_run__forced_index_on_a_unit_outside_the_coverage__stays_out():
    assert outcome({**EXPERIMENT, "coverage": 0, "force": 1}) == OUT


@pytest.mark.parametrize("weights", [None, [1], [0.5, 0.4], [2, -1], ["0", "1"], "malformed", [float("nan"), 1]])
def test_run__weights_that_are_none__count_as_equal(weights):
    equal = run_experiment(context(), EXPERIMENT)
    assert run_experiment(context(), {**EXPERIMENT, "weights": weights}) == equal


def test_run__filter__defaults_to_the_second_hash_version_and_beats_the_namespace():
    share = hash_share("s", "1", 2)
    let_in = {**TREATED, "filters": [{"seed": "s", "ranges": [[share, share + 0.0001]]}], "namespace": ["n", 0, 0]}
    assert outcome(let_in) == ASSIGNED


def feature(rules, **fields):
    return evaluate_feature(context(features={"f": {"defaultValue": "default", "rules": rules}}, **fields), "f")


def test_feature__coverage_of_a_forced_value__includes_its_own_end_and_a_range_does_not():
    share = hash_share("f", "1", 1)
    assert feature([{"force": "on", "coverage": share}]).value == "on"
    assert feature([{"force": "on", "range": [0, share]}]).value == "default"
    assert feature([{"force": "on", "range": [share, 1]}]).value == "on"


def test_feature__forced_null__is_forced():
    result = feature([{"force": None, "id": "rule"}])
    assert (result.value, result.source, result.rule_id) == (None, "force", "rule")


@pytest.mark.parametrize(
    ("value", "on"), [(0, False), ("", False), (None, False), (False, False), ([], True), ({}, True), ("0", True)]
)
def test_feature__on__is_false_only_for_nothing(value, on):
    written = feature([{"force": value}]).as_json()
    assert (written["on"], written["off"]) == (on, not on)


def test_feature__forced_by_the_app__wins_over_everything():
    result = feature([{"force": "rule"}], forced_features={"f": "mine"})
    assert (result.value, result.source) == ("mine", "override")
    assert evaluate_feature(Context.from_json({"forcedFeatures": [["new", 1], "x"]}), "new").value == 1


def test_feature__passthrough_variation__goes_on_to_the_next_rule():
    holdout = {"key": "holdout", "variations": [1, 2], "weights": [0, 1], "meta": [{}, {"passthrough": True}]}
    assert feature([holdout, {"force": "next"}]).value == "next"


def test_feature__numbers_whose_zero_says_something__are_copied_into_the_experiment():
    given = {"coverage": 1, "bucketVersion": 0, "minBucketVersion": 0}
    written = feature([{**EXPERIMENT, **given, "seed": "", "name": None}]).as_json()["experiment"]
    assert written == {**EXPERIMENT, **given}


def test_feature__malformed_rules__are_skipped():
    assert (
        feature(["x", None, {"variations": 3}, {"parentConditions": 1, "force": 1}, {"force": "last"}]).value == "last"
    )


@pytest.mark.parametrize(("gate", "expected"), [(True, (None, "prerequisite")), (False, ("default", "defaultValue"))])
def test_feature__failed_prerequisite__shuts_the_flag_only_at_a_gate(gate, expected):
    result = feature([{"parentConditions": [{"id": "none", "condition": {"value": 1}, "gate": gate}], "force": 1}])
    assert (result.value, result.source) == expected


def test_feature__prerequisite_by_saved_group__is_given_the_groups():
    parent = {"id": "f2", "condition": {"value": {"$inGroup": "g"}}}
    features = {"f2": {"defaultValue": "a"}, "f": {"rules": [{"parentConditions": [parent], "force": "on"}]}}
    assert evaluate_feature(Context(features=features, saved_groups={"g": ["a"]}), "f").value == "on"


def test_feature__same_parent_twice__is_no_cycle():
    parent = {"id": "p", "condition": {"value": 1}}
    features = {"p": {"defaultValue": 1}, "f": {"rules": [{"parentConditions": [parent, parent], "force": "on"}]}}
    assert evaluate_feature(Context(features=features), "f").value == "on"


def test_feature__experiment_by_hand__reports_no_propensities():
    bandits = {"b": {"banditVersion": 1, "contexts": [{"leafId": 4, "condition": {}, "weights": [0, 1]}]}}
    rule = {**EXPERIMENT, "contextualBanditRef": "b"}
    drawn = feature([rule], contextual_bandits=bandits).as_json()
    assert (drawn["value"], drawn["experimentResult"]["leafId"]) == ("treatment", 4)
    by_hand = feature([rule], contextual_bandits=bandits, forced_variations={"exp": 0}).as_json()
    assert "contextualBandit" not in by_hand["experiment"]
    assert "leafId" not in by_hand["experimentResult"]


@pytest.mark.parametrize(
    ("bandit", "leaf"),
    [
        ({"contexts": []}, -1),
        ({}, -1),
        ({"contexts": [{"leafId": 1, "condition": {"id": "other"}, "weights": [0, 1]}]}, -1),
        ({"contexts": [{"leafId": 1, "condition": {}, "weights": [3, 4]}]}, -1),
        ({"contexts": [{"leafId": "x", "condition": {}, "weights": [0, 1]}]}, -1),
        ({"contexts": ["x", {"leafId": 2, "weights": [0, 1]}]}, -1),
        ({"contexts": [{"leafId": 2, "weights": [0, 1]}]}, 2),
        (None, None),
    ],
)
def test_bandit__first_context_that_passes__or_leaf_minus_one(bandit, leaf):
    written = feature([{**EXPERIMENT, "contextualBanditRef": "b"}], contextual_bandits={"b": bandit}).as_json()
    assert written["experimentResult"].get("leafId") == leaf
