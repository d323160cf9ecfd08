"""What outlives an evaluation: sticky documents and reported exposures."""

import pytest

from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment
from assignment.engine.sdk.exposures import Exposures
from assignment.engine.sdk.sticky import MemoryStickyDocuments

META = [{"key": "c"}, {"key": "t"}]
EXPERIMENT = {"key": "exp", "variations": [0, 1], "weights": [0, 1], "meta": META}


def document(attribute, value, assignments):
    return {"attributeName": attribute, "attributeValue": value, "assignments": assignments}


def store(*documents):
    return MemoryStickyDocuments.of(documents)


def run(documents, experiment=EXPERIMENT, **attributes):
    return run_experiment(Context(attributes=attributes or {"id": "1"}, sticky=documents), experiment)


def test_sticky__new_weights_and_a_condition_that_fails__move_nobody():
    documents = store()
    assert run(documents).variation_id == 1
    changed = {**EXPERIMENT, "weights": [1, 0], "condition": {"id": "nobody"}, "namespace": ["n", 0, 0]}
    result = run(documents, changed)
    assert (result.variation_id, result.sticky_bucket_used) == (1, True)


def test_sticky__signing_in__keeps_the_variant_of_the_device():
    documents = store(document("device", "d", {"exp__0": "c"}))
    experiment = {**EXPERIMENT, "fallbackAttribute": "device"}
    assert run(documents, experiment, id="u", device="d").variation_id == 0
    assert documents.document("id", "u") == document("id", "u", {"exp__0": "c"})


def test_sticky__document_of_the_hash_attribute__wins_over_the_fallback():
    documents = store(document("device", "d", {"exp__0": "c"}), document("id", "u", {"exp__0": "t"}))
    assert run(documents, {**EXPERIMENT, "fallbackAttribute": "device"}, id="u", device="d").variation_id == 1


@pytest.mark.parametrize(("smallest", "blocked"), [(0, False), (1, False), (2, True), (10**12, True)])
def test_sticky__version_below_the_smallest__is_shut_out(smallest, blocked):
    documents = store(document("id", "1", {"exp__1": "t"}))
    result = run(documents, {**EXPERIMENT, "bucketVersion": 3, "minBucketVersion": smallest})
    assert (result.in_experiment, result.sticky_bucket_used) == (not blocked, blocked)


def test_sticky__variation_that_no_longer_exists__is_drawn_again():
    documents = store(document("id", "1", {"exp__0": "gone"}))
    result = run(documents)
    assert (result.variation_id, result.sticky_bucket_used) == (1, False)


def test_sticky__disabled__neither_reads_nor_writes_nor_falls_back():
    documents = store(document("id", "1", {"exp__0": "c"}))
    experiment = {**EXPERIMENT, "disableStickyBucketing": True, "fallbackAttribute": "device"}
    assert run(documents, experiment).variation_id == 1
    assert documents.document("id", "1") == document("id", "1", {"exp__0": "c"})
    assert not run(documents, experiment, device="d").in_experiment


def test_sticky__nothing_changed__is_not_saved_again():
    documents = store()
    run(documents)
    before = documents.document("id", "1")
    run(documents)
    assert documents.document("id", "1") is before


def test_sticky__variation_by_hand__is_not_kept():
    documents = store()
    run(documents, {**EXPERIMENT, "force": 0})
    assert documents.by_unit == {}


def test_exposures__same_unit_and_variant__are_reported_once():
    seen = []
    context = Context(attributes={"id": "1"}, exposures=Exposures(lambda experiment, result: seen.append(result)))
    for _ in range(3):
        run_experiment(context, EXPERIMENT)
    assert [(result["key"], result["hashValue"]) for result in seen] == [("t", "1")]
    run_experiment(context, {**EXPERIMENT, "weights": [1, 0]})
    assert [result["key"] for result in seen] == ["t", "c"]


def test_exposures__callback_that_raises__changes_no_answer():
    def broken(experiment, result):
        raise RuntimeError("tracking is down")

    assert run_experiment(Context(attributes={"id": "1"}, exposures=Exposures(broken)), EXPERIMENT).variation_id == 1


@pytest.mark.parametrize(
    "fields", [{"url": "http://x/?exp=1"}, {"forced_variations": {"exp": 1}}, {"qa_mode": True}, {"attributes": {}}]
)
def test_exposures__by_hand_or_outside__are_none(fields):
    seen = []
    exposures = Exposures(lambda experiment, result: seen.append(result))
    run_experiment(Context(**{"attributes": {"id": "1"}, "exposures": exposures, **fields}), EXPERIMENT)
    assert seen == []


def test_exposures__experiment_of_a_parent_flag__is_reported():
    seen = []
    features = {
        "parent": {"rules": [EXPERIMENT]},
        "child": {"rules": [{"parentConditions": [{"id": "parent", "condition": {"value": 1}}], "force": "on"}]},
    }
    exposures = Exposures(lambda experiment, result: seen.append(experiment["key"]))
    assert evaluate_feature(Context(attributes={"id": "1"}, features=features, exposures=exposures), "child").on
    assert seen == ["exp"]


def test_exposures__tracks_of_a_remote_evaluation__are_reported_once():
    seen = []
    track = {"experiment": {"key": "e"}, "result": {"hashAttribute": "id", "hashValue": "1", "variationId": 0}}
    features = {"f": {"rules": [{"force": 1, "tracks": [track, track, "x", {"experiment": 3}]}]}}
    exposures = Exposures(lambda experiment, result: seen.append(experiment["key"]))
    evaluate_feature(Context(features=features, exposures=exposures), "f")
    assert seen == ["e"]


def test_exposures__memory__is_bounded():
    seen = []
    exposures = Exposures(lambda experiment, result: seen.append(result["hashValue"]), remembered=2)
    for unit in ["a", "b", "c", "a"]:
        exposures.report({"key": "e"}, {"hashValue": unit})
    assert seen == ["a", "b", "c", "a"]
