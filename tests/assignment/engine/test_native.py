"""The compiled module answers as Python and numpy do, bit for bit, and refuses what it cannot read."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assignment import table
from assignment.engine import columns, flags, hashing, rules, together
from assignment.engine.columns import Units, buckets_of
from assignment.engine.native import NATIVE
from assignment.engine.placing import Hashing
from assignment.engine.program import Program, compile_features
from assignment.engine.together import Together
from tests.assignment.sdk import documents

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the compiled module was not built here, or is switched off")

texts = st.text(max_size=12) | st.sampled_from(
    ["", "\ud800", "\udfff😀", "😀x", "zoë", "日本", "user-1", "x" * 300, "\0"]
)


@contextmanager
def in_python() -> Iterator[None]:
    """Do without the compiled module, as where no compiler was at hand."""
    patches = [
        mock.patch.object(module, "NATIVE", None) for module in (columns, flags, hashing, rules, together, table)
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@given(texts, texts)
@example("s", "u105459")
def test_hash__any_seed_and_unit__is_that_of_python(seed, unit):
    with in_python():
        expected = hashing.fnv1a_32(unit), hashing.bucket_of(seed, unit)
    assert (hashing.fnv1a_32(unit), hashing.bucket_of(seed, unit)) == expected


def test_hash__words_of_every_length__have_no_leading_zeros():
    lengths = set()
    for number in range(60_000):
        unit = f"u{number}"
        lengths.add(len(str(hashing.fnv1a_32("s" + unit))))
        assert NATIVE.bucket("s", unit) == hashing.fnv1a_32_of_bytes(b"%d" % hashing.fnv1a_32("s" + unit)) % 10_000
    assert lengths >= {6, 7, 8, 9, 10}


def both(features) -> tuple[Program, Program]:
    with in_python():
        plain = compile_features(features, documents.GROUPS, documents.BANDITS)
    return compile_features(features, documents.GROUPS, documents.BANDITS), plain


@settings(max_examples=300, deadline=None)
@given(documents.documents | documents.ordinary_documents, documents.attributes | documents.people)
def test_flags__any_document__choose_and_evaluate_as_in_python(features, attributes):
    compiled, plain = both(features)
    for key, flag in compiled.flags.items():
        assert flag.choose(attributes) == plain.flags[key].choose(attributes)
        assert repr(flag.evaluate(attributes)) == repr(plain.flags[key].evaluate(attributes))


def test_flags__most_are_compiled__so_that_the_comparison_says_something():
    rule = {"key": "e", "hashVersion": 2, "variations": ["a", "b"]}
    layer = [{"attribute": "id", "seed": "l", "hashVersion": 2, "ranges": [[0, 0.5]]}]
    compiled, plain = both({"flat": {"rules": [rule]}, "layered": {"rules": [rule | {"filters": layer}]}})
    for key in ("flat", "layered"):
        assert isinstance(compiled.flags[key].decide, NATIVE.Placement)
        assert not isinstance(plain.flags[key].decide, NATIVE.Placement)


class Attributes(dict):
    """A mapping that is no plain dict."""


@pytest.mark.parametrize("unit", ["user-1", 7, 2.5, "", None, True, ["a"], float("nan"), 10**30])
def test_placement__whatever_names_the_unit__is_what_python_makes_of_it(unit):
    rule = {"key": "e", "hashVersion": 2, "variations": ["a", "b"], "coverage": 0.7}
    compiled, plain = both({"f": {"rules": [rule]}})
    for attributes in ({"id": unit}, Attributes(id=unit), {}):
        assert compiled.flags["f"].choose(attributes) == plain.flags["f"].choose(attributes)
        assert repr(compiled.evaluate("f", attributes)) == repr(plain.evaluate("f", attributes))


steps = st.lists(
    st.tuples(
        texts,
        st.lists(st.integers(1, 9_999), unique=True, max_size=20).map(lambda cuts: tuple(sorted(cuts))),
        st.lists(st.integers(0, 40), min_size=21, max_size=21),
    ).map(lambda drawn: together.Step(drawn[0], drawn[1], tuple(drawn[2][: len(drawn[1]) + 1]))),
    min_size=1,
    max_size=6,
)


@given(steps, st.sets(st.integers(0, 5)), texts.filter(bool))
def test_placements__any_steps__end_as_the_tables_of_numpy_do(deciding, gated, unit):
    gate = together.Step("layer", (3_000, 6_000), (9, together.GO_ON, 8))
    rows = [(gate, step) if place in gated else (step,) for place, step in enumerate(deciding)]
    chosen = together._Compiled("id", rows).choose(unit).tolist()
    assert chosen == together.Lanes(rows).choose(unit).tolist()


def test_together__more_seeds_than_fit_the_stack__are_all_hashed():
    document = {f"e{n}": {"rules": [{"key": f"e{n}", "hashVersion": 2, "variations": [1, 2, 3]}]} for n in range(1_100)}
    compiled, plain = both(document)
    with in_python():
        expected = Together(plain, list(document)).choose({"id": "😀"}).tolist()
    assert Together(compiled, list(document)).choose({"id": "😀"}).tolist() == expected


@given(texts, st.lists(texts | st.integers() | st.floats() | st.none(), max_size=30), st.sampled_from([list, tuple]))
def test_columns__lists_of_anything__are_the_buckets_of_numpy(seed, units, kind):
    with in_python():
        expected = buckets_of(Hashing("id", seed), Units(units)).tolist()
    assert buckets_of(Hashing("id", seed), Units(kind(units))).tolist() == expected


@given(texts, st.lists(texts.map(lambda text: text.rstrip("\0")), max_size=30))
def test_columns__arrays_of_texts_and_numbers__are_the_buckets_of_numpy(seed, units):
    for array in (np.array(units, dtype=np.str_), np.arange(len(units)) * 12_345_678_901):
        with in_python():
            expected = buckets_of(Hashing("id", seed), Units(array)).tolist()
        assert buckets_of(Hashing("id", seed), Units(array)).tolist() == expected


@given(st.binary(max_size=3), st.lists(st.binary(max_size=5) | st.none(), min_size=1, max_size=6), st.data())
def test_joined__any_pieces__are_those_of_python(before, pieces, data):
    places = np.array(data.draw(st.lists(st.integers(0, len(pieces) - 1), max_size=8)), dtype=np.int32)
    with in_python():
        expected = table.joined(before, pieces, places, b"after")
    assert table.joined(before, pieces, places, b"after") == expected


STEP = ("id", "seed", 0, (5_000,), (0, 1))


@pytest.mark.parametrize(
    "steps",
    [
        (), [STEP], (list(STEP),), (("id", "seed", 0, (5_000,), (0,)),), (("id", "seed", 0, (-1,), (0, 1)),),
        (("id", "seed", 0, (70_000,), (0, 1)),), (("id", "seed", 0, (1,), (0, 1 << 40)),),
        (("id", 5, 0, (1,), (0, 1)),),
        (("id", "seed", 0, ("1",), (0, 1)),), (("id", "seed", 0, (1,), (0, -(1 << 31))),), (("id",),),
    ],
)  # fmt: skip
def test_placement__steps_that_are_none__are_refused(steps):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        NATIVE.Placement(str, steps)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        NATIVE.Placements((steps,))


def test_placement__called_otherwise_than_agreed__is_refused():
    placement = NATIVE.Placement(lambda unit: unit, (STEP,))
    for given_ in ((), ({}, None, None)):
        with pytest.raises(TypeError):
            placement(*given_)
    with pytest.raises(TypeError):
        placement(attributes={})
    with pytest.raises(AttributeError):
        placement(5)
    with pytest.raises(TypeError, match="A unit's text is 7"):
        placement({"id": 7})
    with pytest.raises(AttributeError):
        placement({"id": "u"}, object())


def test_functions__called_otherwise_than_agreed__are_refused():
    numbers = np.zeros(2, dtype=np.int64)
    for call in (
        lambda: NATIVE.fnv1a_32(b"bytes"),
        lambda: NATIVE.bucket("s", 7),
        lambda: NATIVE.bucket("s"),
        lambda: NATIVE.bucket_texts("s", "ab", np.zeros(2, dtype=np.int32)),
        lambda: NATIVE.bucket_codes("s", numbers, numbers, numbers, numbers),
        lambda: NATIVE.bucket_codes("s", np.zeros(3, np.uint8), numbers + 2, numbers + 2, np.zeros(2, np.int32)),
        lambda: NATIVE.bucket_codes("s", np.zeros(3, np.uint8), numbers - 1, numbers, np.zeros(2, np.int32)),
        lambda: NATIVE.joined(b"", (b"a",), np.zeros(1, np.int32), b""),
        lambda: NATIVE.joined(b"", [b"a"], np.ones(1, np.int32), b""),
        lambda: NATIVE.joined(b"", [b"a"], "places", b""),
        lambda: NATIVE.Placements(((STEP,),)).choose("u", np.zeros(2, np.int32)),
        lambda: NATIVE.Placements(((STEP,),)).choose(7, np.zeros(1, np.int32)),
        lambda: NATIVE.Placements(((STEP,),)).choose("u", b"1234"),
    ):
        with pytest.raises((TypeError, ValueError, IndexError, BufferError)):
            call()
    assert NATIVE.bucket_texts("s", ["a"], np.zeros(2, dtype=np.int32)) is False
