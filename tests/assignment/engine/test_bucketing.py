import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assignment.engine.bucketing import OUTSIDE, bucket_ranges, choose
from assignment.engine.hashing import BUCKETS
from assignment.engine.sdk.shares import choose_variation, share_ranges

allocations = st.integers(0, BUCKETS)
buckets = st.integers(0, BUCKETS - 1)


@st.composite
def weights(draw: st.DrawFn) -> list[int]:
    """Draw two to six weights that sum to the whole, zeros among them."""
    cuts = sorted(draw(st.lists(st.integers(0, BUCKETS), min_size=1, max_size=5)))
    return [end - start for start, end in zip([0, *cuts], [*cuts, BUCKETS], strict=True)]


@given(weights())
def test_bucket_ranges__everyone_takes_part__partition_the_buckets(shares):
    ranges = bucket_ranges(shares, BUCKETS)
    assert [end - start for start, end in ranges] == shares
    assert [start for start, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == BUCKETS


@given(weights(), allocations)
def test_bucket_ranges__any_allocation__never_overlap(shares, allocation):
    ranges = bucket_ranges(shares, allocation)
    for (_, end), (following, _) in itertools.pairwise(ranges):
        assert end <= following
    for (start, end), share in zip(ranges, shares, strict=True):
        assert allocation * share <= (end - start) * BUCKETS < allocation * share + BUCKETS


@given(weights(), allocations, allocations, buckets)
def test_choose__a_growing_allocation__never_moves_an_enrolled_unit(shares, one, other, bucket):
    smaller, larger = sorted((one, other))
    before, after = choose(bucket, bucket_ranges(shares, smaller)), choose(bucket, bucket_ranges(shares, larger))
    assert before in (OUTSIDE, after)


@given(weights(), allocations, allocations)
def test_bucket_ranges__a_growing_allocation__only_extends_each_range(shares, one, other):
    smaller, larger = sorted((one, other))
    for (start, end), (later_start, later_end) in zip(
        bucket_ranges(shares, smaller), bucket_ranges(shares, larger), strict=True
    ):
        assert start == later_start
        assert end <= later_end


@given(weights(), allocations, buckets)
def test_choose__any_split__agrees_with_the_sdks_to_the_bucket(shares, allocation, bucket):
    # Hundredths and whole shares: where the SDKs' own float sums are exact enough to be compared.
    shares = [share // 100 * 100 for share in shares[:-1]]
    shares.append(BUCKETS - sum(shares))
    allocation = allocation // 1000 * 1000
    local = share_ranges(len(shares), allocation / BUCKETS, [share / BUCKETS for share in shares])
    on_a_border = any(abs(bucket / BUCKETS - border) < 1e-9 for bounds in local for border in bounds)
    assume(not on_a_border)
    assert choose(bucket, bucket_ranges(shares, allocation)) == choose_variation(bucket / BUCKETS, local)


@given(weights(), buckets)
def test_choose__an_empty_experiment__enrols_nobody(shares, bucket):
    assert choose(bucket, bucket_ranges(shares, 0)) == OUTSIDE


def test_bucket_ranges__a_tenth_of_the_traffic__uses_the_start_of_each_stretch():
    assert bucket_ranges([5000, 3000, 2000], 1000) == ((0, 500), (5000, 5300), (8000, 8200))


def test_bucket_ranges__a_share_that_is_not_whole__is_rounded_up():
    assert bucket_ranges([3333, 6667], 500) == ((0, 167), (3333, 3667))


@pytest.mark.parametrize("shares", [[5000, 4999], [5000, 5001], [], [-1, 10001]])
def test_bucket_ranges__weights_that_are_no_split__are_refused(shares):
    with pytest.raises(ValueError, match="sum to 10000"):
        bucket_ranges(shares, BUCKETS)


@pytest.mark.parametrize("allocation", [-1, 10_001])
def test_bucket_ranges__an_allocation_that_is_no_share__is_refused(allocation):
    with pytest.raises(ValueError, match="between 0 and 10000"):
        bucket_ranges([5000, 5000], allocation)
