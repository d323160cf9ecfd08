"""What a split promises for years: fair, independent, exclusive where it must be, and nobody moves.

Counts of fixed ids are held to five standard deviations: they never flake, and a lean of a few per cent would fail.
"""

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.engine.bulk import assign_column, bucket_column
from assignment.engine.hashing import BUCKETS
from assignment.engine.program import compile_features

LARGEST_Z = 5.0
MANY = [f"shopper-{number}" for number in range(100_000)]
UNITS = MANY[:3_000]
SALTS = [f"salt-{number}" for number in range(24)]

whole = st.integers(0, BUCKETS).map(lambda share: share / BUCKETS)


@st.composite
def weights(draw: st.DrawFn) -> list[float]:
    """Draw two to five weights in ten-thousandths that sum to the whole."""
    cuts = sorted(draw(st.lists(st.integers(0, BUCKETS), min_size=1, max_size=4)))
    return [(end - start) / BUCKETS for start, end in itertools.pairwise([0, *cuts, BUCKETS])]


def experiment(salt: str = "0123456789abcdef", **fields: Any) -> dict[str, Any]:
    shares = fields.get("weights", [0.5, 0.5])
    names = [f"v{index}" for index in range(len(fields.get("ranges", shares)))]
    return {
        "id": "experiment", "key": "ranker", "seed": salt, "hashVersion": 2, "hashAttribute": "id",
        "variations": names, "meta": [{"key": name} for name in names], "weights": shares, "coverage": 1.0, **fields,
    }  # fmt: skip


def layer(start: float, end: float, salt: str = "layer") -> list[dict[str, Any]]:
    return [{"attribute": "id", "seed": salt, "hashVersion": 2, "ranges": [[start, end]]}]


def z(observed: int, expected_share: float, trials: int) -> float:
    return abs(observed - trials * expected_share) / math.sqrt(trials * expected_share * (1 - expected_share))


def test_split__of_every_salt__is_uniform():
    for salt in SALTS:
        counts = np.bincount(bucket_column(salt, MANY) * 20 // BUCKETS, minlength=20)
        assert max(z(count, 1 / 20, len(MANY)) for count in counts.tolist()) < LARGEST_Z


def test_split__of_any_two_salts__is_independent():
    halves = np.array([bucket_column(salt, MANY) < BUCKETS // 2 for salt in SALTS], dtype=np.float64)
    together = (halves @ halves.T).astype(int)
    for one, other in itertools.combinations(range(len(SALTS)), 2):
        assert z(int(together[one, other]), 1 / 4, len(MANY)) < LARGEST_Z


def test_split__of_salts_that_differ_in_one_character__is_independent():
    salts = [f"{digit}123456789abcdef" for digit in "0123456789abcdef"]
    treated = np.array([assign_column(experiment(salt), MANY) == 1 for salt in salts], dtype=np.float64)
    together = (treated @ treated.T).astype(int)
    for one, other in itertools.combinations(range(len(salts)), 2):
        assert z(int(together[one, other]), 1 / 4, len(MANY)) < LARGEST_Z


@settings(max_examples=60, deadline=None)
@given(weights(), whole, whole)
def test_traffic__however_it_changes__never_moves_an_enrolled_unit(shares, one, other):
    smaller, larger = sorted((one, other))
    before = assign_column(experiment(weights=shares, coverage=smaller), UNITS)
    after = assign_column(experiment(weights=shares, coverage=larger), UNITS)
    enrolled = before != -1
    assert (before[enrolled] == after[enrolled]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(whole, min_size=1, max_size=4), weights())
def test_layer__experiments_side_by_side__share_no_unit(cuts, shares):
    edges = [0.0, *sorted(cuts), 1.0]
    members = [
        assign_column(experiment(f"salt-{index}", weights=shares, filters=layer(start, end)), UNITS) != -1
        for index, (start, end) in enumerate(itertools.pairwise(edges))
    ]
    assert (np.sum(members, axis=0) == 1).all()


def test_layers__two_of_them__are_independent():
    one = assign_column(experiment("a", filters=layer(0, 0.5, "layer-1")), MANY) != -1
    other = assign_column(experiment("b", filters=layer(0, 0.5, "layer-2")), MANY) != -1
    for cell in (one & other, one & ~other, ~one & other, ~one & ~other):
        assert z(int(cell.sum()), 1 / 4, len(MANY)) < LARGEST_Z


def test_layer__inside_its_part__the_split_is_fair():
    variants = assign_column(experiment("a", filters=layer(0.2, 0.5)), MANY)
    inside = int((variants != -1).sum())
    assert z(inside, 0.3, len(MANY)) < LARGEST_Z
    assert z(int((variants == 0).sum()), 0.5, inside) < LARGEST_Z


@settings(max_examples=60, deadline=None)
@given(whole, whole, whole, weights())
def test_layer__growing_part__moves_nobody(one, other, third, shares):
    start, middle, end = sorted((one, other, third))
    before = assign_column(experiment(weights=shares, filters=layer(start, middle)), UNITS)
    for grown in (layer(start, end), [{**layer(0, 0)[0], "ranges": [[start, middle], [middle, end]]}]):
        after = assign_column(experiment(weights=shares, filters=grown), UNITS)
        assert (before[before != -1] == after[before != -1]).all()


@settings(max_examples=60, deadline=None)
@given(weights(), whole, st.data())
def test_holdback__shipped_variant__keeps_its_units_and_holds_back_only_former_controls(shares, size, data):
    shipped = data.draw(st.integers(1, len(shares) - 1))
    held = min(size, shares[0])
    before = assign_column(experiment(weights=shares), UNITS)
    after = assign_column(experiment(key="ranker-holdback", ranges=[[0, held], [held, 1]]), UNITS)
    assert (after[before == shipped] == 1).all()
    assert (before[after == 0] == 0).all()
    assert (after != -1).all()


def test_holdout__unit_held_out__gets_the_control_everywhere_and_no_experiment():
    group = experiment(
        "holdout salt", key="holdout", variations=["holdoutcontrol", "holdouttreatment"], coverage=0.1,
        meta=[{"key": "holdoutcontrol"}, {"key": "holdouttreatment"}],
    )  # fmt: skip
    asked = [{"id": "$holdout:2026", "condition": {"value": "holdoutcontrol"}}]
    rules = [{"id": "holdout", "parentConditions": asked, "force": "v0"}, experiment()]
    program = compile_features(
        {
            "$holdout:2026": {"defaultValue": "genpop", "rules": [group]},
            "ranker": {"defaultValue": "v0", "rules": rules},
        }
    )
    places = assign_column(group, MANY)
    assert z(int((places == 0).sum()), 0.05, len(MANY)) < LARGEST_Z
    assert z(int((places == 1).sum()), 0.05, len(MANY)) < LARGEST_Z
    flag = program.flag("ranker")
    for unit, place in zip(UNITS, places.tolist(), strict=False):
        end = flag.terminals[flag.choose({"id": unit})]
        assert (end.outcome == "held_out") == (place == 0)
        exposed = [exposure.experiment_key for exposure in program.exposures("ranker", {"id": unit})]
        assert exposed == ["holdout"] * (place != -1) + ["ranker"] * (place != 0)


def test_rename__of_an_experiment__moves_nobody():
    assert (assign_column(experiment(), UNITS) == assign_column(experiment(key="renamed"), UNITS)).all()
