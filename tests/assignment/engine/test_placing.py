"""Whole buckets say exactly what the protocol's comparison of floats says, also at the edges."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.engine.hashing import BUCKETS
from assignment.engine.placing import OLD_BUCKETS, cells_of
from assignment.engine.rules import covered_cells
from assignment.engine.sdk.shares import NONE, choose_variation

places = st.integers(0, BUCKETS)
edges = places.map(lambda place: place / BUCKETS)
shares = st.one_of(
    edges,
    edges.map(lambda share: math.nextafter(share, 2)),
    edges.map(lambda share: math.nextafter(share, -1)),
    st.floats(),
    st.integers(-1, 2),
    st.just(10**400),
)


def near(bounds, buckets):
    """Return the buckets around every edge."""
    finite = [share for pair in bounds for share in pair if -1 <= share <= 2]
    around = {round(share * buckets) + step for share in finite for step in (-1, 0, 1)}
    return sorted({0, buckets - 1} | {bucket for bucket in around if 0 <= bucket < buckets})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(shares, shares), max_size=5), st.sampled_from([BUCKETS, OLD_BUCKETS]))
def test_cells__any_ranges__own_what_the_first_range_of_floats_holds(bounds, buckets):
    cells = cells_of(bounds, buckets)
    for bucket in near(bounds, buckets):
        assert cells.owner(bucket) == choose_variation(bucket / buckets, bounds)


@settings(max_examples=300, deadline=None)
@given(shares.filter(lambda share: share == share), st.sampled_from([BUCKETS, OLD_BUCKETS]))
def test_covered_cells__any_coverage__includes_its_own_end(coverage, buckets):
    cells = covered_cells(coverage, buckets)
    for bucket in near([(coverage, coverage)], buckets):
        assert (cells.owner(bucket) != NONE) == (bucket / buckets <= coverage)


def test_cells__ranges_without_a_variation__hide_what_lies_behind_them():
    cells = cells_of([(0.0, 0.2), (0.2, 0.6), (0.0, 1.0)], BUCKETS, 2)
    assert [cells.owner(bucket) for bucket in (0, 1999, 2000, 5999, 6000)] == [0, 0, 1, 1, NONE]
