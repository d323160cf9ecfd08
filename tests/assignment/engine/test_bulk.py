"""A column of units gets what each unit gets by itself, bit for bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.engine.bulk import NotInBulkError, assign_column, bucket_column
from assignment.engine.columns import AT_ONCE
from assignment.engine.hashing import bucket_of
from assignment.engine.program import compile_features
from assignment.engine.sdk.values import unit_text
from tests.assignment.sdk import documents

EXPERIMENT: dict[str, Any] = {"key": "e", "seed": "0123456789abcdef", "hashVersion": 2, "variations": ["a", "b", "c"]}
texts = st.text(max_size=12) | st.sampled_from(["a\0b", "\0", "\ud800", "😀x", "user-1", "x" * 70])
anything = st.lists(texts | st.integers() | st.floats() | st.none() | st.booleans(), max_size=30)


def one_by_one(seed, units):
    named = [unit_text(unit) for unit in units]
    return [bucket_of(seed, unit) if unit else -1 for unit in named]


@given(st.text(max_size=8), st.lists(texts, max_size=30))
def test_bucket_column__any_texts__are_the_scalar_buckets(seed, units):
    assert bucket_column(seed, units).tolist() == one_by_one(seed, units)


@given(anything)
def test_bucket_column__numbers_and_nulls_among_them__are_the_scalar_buckets(units):
    assert bucket_column("söd", units).tolist() == one_by_one("söd", units)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**6), max_size=30))
def test_bucket_column__array_of_integers__is_hashed_by_its_digits(units):
    assert bucket_column("s", np.array(units, dtype=np.int64)).tolist() == one_by_one("s", units)


@given(st.lists(texts.map(lambda text: text.rstrip("\0")), max_size=30))
def test_bucket_column__array_of_texts__is_the_list(units):
    assert bucket_column("s", np.array(units, dtype=np.str_)).tolist() == one_by_one("s", units)


@pytest.mark.parametrize("prefix", ["user-", "zoë-", "😀-"])
def test_bucket_column__more_than_are_hashed_at_once__are_the_scalar_buckets(prefix):
    units = [f"{prefix}{number}" for number in range(2 * AT_ONCE + 7)]
    assert bucket_column("s", units).tolist() == one_by_one("s", units)


def test_bucket_column__words_without_high_digits__have_no_leading_zeros():
    # 300,000 ids hold about seven whose first hash is below 100,000.
    assert bucket_column("s", np.arange(1, 300_001)).tolist() == one_by_one("s", range(1, 300_001))


def test_bucket_column__polars_series__is_read():
    polars = pytest.importorskip("polars")
    units = ["user-1", None, "zoë", ""]
    assert bucket_column("s", polars.Series(units)).tolist() == one_by_one("s", units)
    assert bucket_column("s", polars.Series([1, 2, None])).tolist() == one_by_one("s", [1, 2, None])


def test_bucket_column__ascii_bytes__are_texts_and_others_are_refused():
    assert bucket_column("s", np.array([b"user-1", b"u"])).tolist() == one_by_one("s", ["user-1", "u"])
    with pytest.raises(ValueError, match="decode them"):
        bucket_column("s", np.array(["zoë".encode()]))


def test_bucket_column__no_units__are_no_buckets():
    assert bucket_column("s", []).shape == (0,)
    assert bucket_column("s", np.array([], dtype=np.int64)).shape == (0,)
    with pytest.raises(ValueError, match="one column"):
        bucket_column("s", np.array([["a"]]))


bulk_rules = st.fixed_dictionaries(
    {"variations": st.lists(st.just(1), min_size=2, max_size=4), "key": st.sampled_from(["k", "other"])},
    optional={
        name: strategy
        for name, strategy in {
            **documents.common,
            "weights": st.lists(documents.any_share, min_size=1, max_size=4),
            "ranges": st.lists(documents.bounds, max_size=4),
            "namespace": st.tuples(st.sampled_from(["n", "m"]), documents.any_share, documents.any_share).map(list),
            "filters": documents.filters | st.just("malformed"),
        }.items()
        if name not in ("condition", "parentConditions")
    },
)
people = st.lists(st.fixed_dictionaries({"id": documents.units, "device": documents.units}), max_size=20)


@settings(max_examples=150, deadline=None)
@given(bulk_rules, people)
def test_assign_column__any_rule__is_what_the_compiled_flag_chooses(rule, units):
    flag = compile_features({"f": {"rules": [rule]}}).flag("f")
    alone = [flag.terminals[flag.choose(unit)].variation for unit in units]
    columns = {name: [unit.get(name) for unit in units] for name in ("id", "device", "missing")}
    attribute = rule.get("hashAttribute") or "id"
    own = columns.get(attribute if isinstance(attribute, str) else "id", [])
    assert assign_column(rule, own, columns).tolist() == alone


def test_assign_column__coverage_and_layer__leave_the_others_outside():
    units = [f"user-{number}" for number in range(1_000)]
    layer = [{"attribute": "id", "seed": "layer", "hashVersion": 2, "ranges": [[0, 0.5]]}]
    variants = assign_column({**EXPERIMENT, "coverage": 0.5, "filters": layer}, units)
    assert set(variants.tolist()) == {-1, 0, 1, 2}
    assert (variants[bucket_column("layer", units) >= 5000] == -1).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"condition": {"country": "SE"}}, "targeting looks at other attributes"),
        ({"parentConditions": []}, "a prerequisite is another flag"),
        ({"force": "a"}, "forces one value"),
        ({"contextualBanditRef": "b"}, "contextual bandit"),
        ({"variations": ["a"]}, "no variations"),
        ({"key": "", "seed": ""}, "neither key nor seed"),
        ({"meta": [{"passthrough": True}]}, "passthrough"),
        ({"filters": [{"attribute": "device", "seed": "l", "ranges": [[0, 1]]}]}, r"columns\['device'\]"),
    ],
)
def test_assign_column__what_ids_alone_cannot_decide__is_refused(change, says):
    with pytest.raises(NotInBulkError, match=says):
        assign_column({**EXPERIMENT, **change}, ["user-1"])


def test_assign_column__columns_of_two_lengths__are_refused():
    layer = [{"attribute": "device", "seed": "l", "ranges": [[0, 1]]}]
    with pytest.raises(NotInBulkError, match="different lengths"):
        assign_column({**EXPERIMENT, "filters": layer}, ["user-1", "user-2"], {"device": ["d"]})
