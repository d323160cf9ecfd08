"""Shares, ranges, namespaces, filters and rollouts, sentence by sentence of the SDK contract."""

import pytest

from assignment.engine.hashing import hash_share
from assignment.engine.program import compile_features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.shares import choose_variation, equal_weights, share_ranges
from assignment.engine.sdk.sticky import MemoryStickyDocuments
from assignment.engine.sdk.units import in_namespace, is_filtered_out

HALVES = [(0, 0.5), (0.5, 1)]


def rounded(ranges):
    return [tuple(round(end, 8) for end in bounds) for bounds in ranges]


@pytest.mark.parametrize(
    ("variants", "weights"), [(-1, []), (0, []), (1, [1]), (2, [0.5, 0.5]), (4, [0.25] * 4), (8, [0.125] * 8)]
)
def test_equal_weights__any_number__is_one_share_each_or_nothing(variants, weights):
    assert equal_weights(variants) == weights


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((2, 1, None), HALVES),
        ((2, 0.5, None), [(0, 0.25), (0.5, 0.75)]),
        ((2, 0, None), [(0, 0), (0.5, 0.5)]),
        ((2, -0.2, None), [(0, 0), (0.5, 0.5)]),
        ((2, 1.5, None), HALVES),
        ((4, 0.5, None), [(0, 0.125), (0.25, 0.375), (0.5, 0.625), (0.75, 0.875)]),
        ((2, 1, [0.4, 0.6]), [(0, 0.4), (0.4, 1)]),
        ((2, 1, [0, 1]), [(0, 0), (0, 1)]),
        ((3, 0.2, [0.2, 0.3, 0.5]), [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
        ((2, 1, [0.4, 0.1]), HALVES),
        ((2, 1, [0.7, 0.6]), HALVES),
        ((2, 1, [0.4, 0.5999]), [(0, 0.4), (0.4, 0.9999)]),
        ((2, 1, [0.4, 0.585]), HALVES),
        ((2, 1, [0.4, 0.615]), HALVES),
        ((2, 1, [0.4]), HALVES),
        ((2, 1, [0.3, 0.3, 0.4]), HALVES),
        ((0, 1, None), []),
    ],
)
def test_share_ranges__coverage_and_weights__cut_the_whole(arguments, expected):
    assert rounded(share_ranges(*arguments)) == expected


@pytest.mark.parametrize(
    ("share", "ranges", "expected"),
    [
        (0.4999, HALVES, 0),
        (0.5, HALVES, 1),
        (0.9999, HALVES, 1),
        (0.4, [(0, 0.25), (0.5, 0.75)], -1),
        (0.75, [(0, 0.25), (0.5, 0.75)], -1),
        (0.5, [(0, 0.5), (0.5, 0.5), (0.5, 1)], 2),
        (0.3, [(0, 0.6), (0.2, 1)], 0),
        (0.3, [(0.9, 0.1), (0, 1)], 1),
        (0.3, [], -1),
    ],
)
def test_choose_variation__first_range_that_holds_the_share__wins(share, ranges, expected):
    assert choose_variation(share, ranges) == expected


def test_namespace__start_belongs_to_it_and_end_does_not():
    share = hash_share("__pricing", "u", 1)
    assert in_namespace("u", ["pricing", share, share + 0.001])
    assert not in_namespace("u", ["pricing", share - 0.001, share])
    assert in_namespace("u", ("pricing", 0, 1))
    assert not in_namespace("u", ["pricing", 1, 0])


@pytest.mark.parametrize("namespace", [[], ["pricing"], ["pricing", 0], [3, 0, 1], ["pricing", "0", "1"], None, "x"])
def test_namespace__malformed__holds_nobody(namespace):
    assert not in_namespace("u", namespace)


ALL = [[0, 1]]


@pytest.mark.parametrize(
    ("filters", "out"),
    [
        ([], False),
        ([{"seed": "s", "ranges": ALL}], False),
        ([{"seed": "s", "ranges": []}], True),
        ([{"seed": "s", "ranges": [[0, 0], *ALL]}], False),
        ([{"seed": "s", "ranges": ALL, "attribute": "missing"}], True),
        ([{"seed": "s", "ranges": ALL, "attribute": "empty"}], True),
        ([{"seed": "s", "ranges": ALL, "attribute": "other"}], False),
        ([{"seed": "s", "ranges": ALL, "hashVersion": 1}], False),
        ([{"seed": "s", "ranges": ALL, "hashVersion": 3}], True),
        ([{"seed": "s", "ranges": ALL}, {"seed": "t", "ranges": []}], True),
        ([{"ranges": ALL}], False),
        ([{"seed": "s"}], True),
        (["x"], True),
        ({}, True),
    ],
)
def test_filters__every_one__must_let_the_unit_in(filters, out):
    assert is_filtered_out(filters, {"id": "u", "other": 7, "empty": ""}) is out


def test_filters__each__reads_its_own_attribute_and_version():
    for version in (1, 2):
        share = hash_share("s", "7", version)
        mine = {"seed": "s", "attribute": "other", "hashVersion": version, "ranges": [[share, share + 0.0001]]}
        assert not is_filtered_out([mine], {"id": "u", "other": 7})


def value(rule, attributes, **fields):
    """Ask both engines for a flag with one rule."""
    features = {"f": {"defaultValue": "out", "rules": [{"force": "in", **rule}]}}
    program = compile_features(features).evaluate("f", attributes, **fields)
    assert program == evaluate_feature(Context(features=features, attributes=attributes, **fields), "f")
    return program.value


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "in"),
        ({"coverage": 1}, "in"),
        ({"coverage": 0}, "out"),
        ({"coverage": 1, "hashVersion": 2}, "in"),
        ({"coverage": 1, "hashVersion": 3}, "out"),
        ({"coverage": 1, "hashAttribute": "missing"}, "out"),
        ({"coverage": 1, "hashAttribute": "empty"}, "out"),
        ({"coverage": 1, "hashAttribute": "missing", "fallbackAttribute": "id"}, "out"),
        ({"hashAttribute": "missing"}, "in"),
        ({"range": [0, 1]}, "in"),
        ({"range": [0, 1], "coverage": 0}, "in"),
        ({"range": [0, 0], "coverage": 1}, "out"),
        ({"range": [0, 1], "hashAttribute": "missing"}, "out"),
        ({"coverage": "1"}, "out"),
        ({"range": "x"}, "out"),
    ],
)
def test_rollout__range_or_coverage__says_whom_a_forced_value_reaches(rule, expected):
    assert value(rule, {"id": "u", "empty": ""}) == expected


def test_rollout__without_a_seed__hashes_the_flags_own_key():
    share = hash_share("f", "u", 1)
    assert value({"range": [share, share + 0.001], "key": "other"}, {"id": "u"}) == "in"
    seeded = hash_share("s", "u", 2)
    assert value({"range": [seeded, seeded + 0.0001], "seed": "s", "hashVersion": 2}, {"id": "u"}) == "in"


def test_rollout__fallback_attribute__counts_only_where_assignments_are_kept():
    rule = {"coverage": 1, "hashAttribute": "missing", "fallbackAttribute": "id"}
    assert value(rule, {"id": "u"}, sticky=MemoryStickyDocuments()) == "in"
    assert value({**rule, "disableStickyBucketing": True}, {"id": "u"}, sticky=MemoryStickyDocuments()) == "out"
