import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.layers import LayerFullError, free, grow, joined, read_ranges, size, take
from experiments.domain.shares import WHOLE


def places(ranges) -> set[int]:
    return {place for start, end in ranges for place in range(start, end)}


@given(
    st.lists(
        st.tuples(st.sampled_from(["join", "grow", "leave"]), st.integers(0, 7), st.integers(1, 4000)), max_size=40
    )
)
def test_layer__any_history__is_exclusive_and_never_moves_anyone(history):
    held: dict[int, tuple[tuple[int, int], ...]] = {}
    for action, who, share in history:
        others = [one for name, ranges in held.items() if name != who for one in ranges]
        before = held.get(who, ())
        try:
            if action == "join" and who not in held:
                held[who] = take(share, others)
                assert size(held[who]) == share
            elif action == "grow" and before:
                held[who] = grow(before, max(share, size(before)), others)
                assert places(before) <= places(held[who])
                assert size(held[who]) == max(share, size(before))
            elif action == "leave":
                held.pop(who, None)
        except LayerFullError:
            assert size(free([*others, *before])) < max(share - size(before), 1)
        taken = [place for ranges in held.values() for place in places(ranges)]
        assert len(taken) == len(set(taken))
        assert all(0 <= place < WHOLE for place in taken)


@given(
    st.lists(st.tuples(st.integers(0, 9999), st.integers(1, 10_000)).map(lambda r: (min(r), max(r) + (r[0] == r[1]))))
)
def test_free__any_ranges__is_exactly_what_nobody_holds(ranges):
    assert places(free(ranges)) == set(range(WHOLE)) - places(ranges)
    assert places(joined(ranges)) == places(ranges)


def test_take__two_gaps__uses_the_smaller_that_suffices():
    assert take(1000, [(0, 1000), (2500, 4000)]) == ((1000, 2000),)


def test_take__no_single_gap_suffices__uses_several():
    assert take(6000, [(3000, 6000)]) == ((0, 3000), (6000, 9000))


def test_take__more_than_is_free__says_how_much_there_is():
    with pytest.raises(LayerFullError, match=r"10 % free and 20 % was asked for"):
        take(2000, [(0, 9000)])


def test_grow__room_right_behind__stays_in_one_piece():
    assert grow([(1000, 2000)], 3000, [(5000, 6000)]) == ((1000, 4000),)


def test_grow__to_less__is_refused():
    with pytest.raises(ValueError, match="a place can only grow"):
        grow([(0, 1000)], 500, [])


@pytest.mark.parametrize("stored", [[[5, 5]], [[-1, 5]], [[0, 10_001]], [[9, 3]]])
def test_read_ranges__an_impossible_range__is_refused(stored):
    with pytest.raises(ValueError, match="is no range of a layer"):
        read_ranges(stored)
