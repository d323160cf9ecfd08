"""One unit in all flags at once gives what each flag gives by itself."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.hashing import bucket_of, fnv1a_32
from assignment.engine.lanes import Hashes
from assignment.engine.program import compile_features
from assignment.engine.together import Together

UNITS = [f"user-{number}" for number in range(300)]
text = st.text(max_size=12)


def experiment(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "experiment", "key": key, "variations": ["control", "treatment"], "weights": [0.4, 0.6],
        "coverage": 0.7, "seed": f"salt of {key}", "hashVersion": 2, "hashAttribute": "id",
        "meta": [{"key": "control"}, {"key": "treatment"}], **fields,
    }  # fmt: skip


def feature(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"defaultValue": "control", "rules": list(rules)}


def layer(start: float, end: float, **fields: Any) -> dict[str, Any]:
    return {"filters": [{"attribute": "id", "seed": "layer", "hashVersion": 2, "ranges": [[start, end]], **fields}]}


HOLDOUT = experiment("all", variations=["holdoutcontrol", "holdouttreatment"], weights=[0.5, 0.5], coverage=0.2)
HELD = {
    "id": "holdout",
    "parentConditions": [{"id": "$holdout:all", "condition": {"value": "holdoutcontrol"}}],
    "force": "control",
}
PLAIN_TREATMENT = {"id": "plain", "condition": {"value": "treatment"}}
OVERRIDE = {"id": "override:1", "condition": {"id": {"$in": ["user-1", "user-2"]}}, "force": "treatment"}
SECOND_OVERRIDE = {"id": "override:2", "condition": {"id": {"$in": ["user-2", "user-3"]}}, "force": "control"}
FEATURES = {
    "$holdout:all": {"defaultValue": "genpop", "rules": [HOLDOUT]},
    "plain": feature(experiment("plain")),
    "whole": feature(experiment("whole", coverage=1.0)),
    "nobody": feature(experiment("nobody", coverage=0)),
    "first": feature(experiment("first", **layer(0, 0.3))),
    "second": feature(experiment("second", **layer(0.3, 1))),
    "held": feature(HELD, experiment("held", **layer(0, 0.5))),
    "ordered": feature(OVERRIDE, SECOND_OVERRIDE, HELD, experiment("ordered")),
    "ranges": feature(experiment("ranges", ranges=[[0, 0.05], [0.05, 1]])),
    "device": feature(experiment("device", hashAttribute="device_id")),
    "other-layer": feature(experiment("other-layer", **layer(0, 0.5, attribute="device_id"))),
    "targeted": feature(experiment("targeted", condition={"country": "SE"})),
    "old-hash": feature(experiment("old-hash", hashVersion=1)),
    "behind-a-flag": feature(experiment("behind", parentConditions=[PLAIN_TREATMENT])),
    "stopped": feature(),
    "forced": feature({"id": "shipped", "force": "treatment"}),
    "two-rules": feature(experiment("a", coverage=0.1), experiment("b")),
    "broken": feature(experiment("broken", filters="all", weights="half")),
    "cyclic": feature({"parentConditions": [{"id": "cyclic", "condition": {"value": 1}}], "force": 1}),
}  # fmt: skip
PROGRAM = compile_features(FEATURES)
KEYS = list(FEATURES)
TOGETHER = Together(PROGRAM, KEYS)


def one_by_one(attributes: dict[str, Any]) -> list[int]:
    return [PROGRAM.flags[key].choose(attributes) for key in KEYS]


def test_together__every_kind_of_flag__equals_each_flag_alone():
    for unit in UNITS:
        for attributes in ({"id": unit}, {"id": unit, "device_id": unit[::-1], "country": "SE"}):
            assert TOGETHER.choose(attributes).tolist() == one_by_one(attributes)


def test_together__whoever_is_no_text__equals_each_flag_alone():
    for attributes in ({}, {"id": ""}, {"id": None}, {"id": 7}, {"id": 2.5, "device_id": "d"}, {"id": ["a"]}):
        assert TOGETHER.choose(attributes).tolist() == one_by_one(attributes)


def test_together__each_end__is_met():
    """The comparison would say little if everyone ended alike."""
    met = {key: set() for key in KEYS}
    for unit in UNITS:
        for key, index in zip(KEYS, TOGETHER.choose({"id": unit}).tolist(), strict=True):
            met[key].add(PROGRAM.flags[key].terminals[index].outcome)
    assert met["ordered"] == {"override", "held_out", "assigned", "not_in_traffic"}
    assert met["held"] == {"held_out", "assigned", "not_in_traffic", "other_experiment"}


@given(seeds=st.lists(text, min_size=1, max_size=5), unit=text)
def test_hashes__any_seed_and_unit__equal_the_scalar_hash(seeds, unit):
    assert Hashes(seeds).buckets(unit).tolist() == [bucket_of(seed, unit) for seed in seeds]


def test_hashes__a_word_of_five_digits_or_fewer__has_no_leading_zeros():
    unit = next(f"u{number}" for number in range(400_000) if _word(f"u{number}") < 100_000)
    assert Hashes(["s", "t"]).buckets(unit).tolist() == [bucket_of("s", unit), bucket_of("t", unit)]


def _word(unit: str) -> int:
    return fnv1a_32("s" + unit)


@given(
    cover=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    bounds=st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)),
    weights=st.lists(st.floats(0, 1), min_size=2, max_size=2),
    unit=text,
)
def test_together__any_traffic_weights_and_layer__equal_each_flag_alone(cover, bounds, weights, unit):
    document = {
        f"e{place}": feature(experiment(f"e{place}", coverage=share, weights=weights, **layer(*bounds)))
        for place, share in enumerate(cover)
    }
    program = compile_features(document)
    alone = [program.flags[key].choose({"id": unit}) for key in document]
    assert Together(program, list(document)).choose({"id": unit}).tolist() == alone
