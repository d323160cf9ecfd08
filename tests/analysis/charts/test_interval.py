import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.charts.interval import WIDTH, mark, scale_for

bound = st.floats(-5, 5, allow_nan=False)
pair = st.tuples(bound, bound).map(lambda ends: (min(ends), max(ends)))


@given(st.lists(pair, max_size=12), st.lists(bound, max_size=4))
def test_scale__any_intervals__keep_zero_and_every_mark_inside(intervals, points):
    scale = scale_for(intervals, points)
    assert scale.low < 0 < scale.high
    assert 1 <= len(scale.ticks) <= 8
    for interval in intervals:
        drawn = mark(scale, interval, sum(interval) / 2)
        assert 0 <= drawn.left <= drawn.right <= WIDTH


@given(st.lists(pair, min_size=1, max_size=12))
def test_mark__crosses_the_zero_line__exactly_when_the_interval_holds_zero(intervals):
    scale = scale_for(intervals)
    for low, high in intervals:
        drawn = mark(scale, (low, high), None)
        if low > 0.01 * (scale.high - scale.low):
            assert drawn.left > scale.zero
        if high < -0.01 * (scale.high - scale.low):
            assert drawn.right < scale.zero


def test_scale__one_vague_metric__does_not_squeeze_the_clear_ones():
    clear = [(0.02, 0.09), (-0.01, 0.03), (0.01, 0.05), (0.0, 0.06)]
    scale = scale_for([*clear, (-3.0, 4.0)])
    assert scale.high < 0.25
    vague = mark(scale, (-3.0, 4.0), 0.02)
    assert (vague.cut_left, vague.cut_right) == (True, True)
    assert not mark(scale, clear[0], 0.05).cut_right


def test_scale__a_large_clear_effect__stays_in_view():
    scale = scale_for([(-0.03, 0.03), (-0.05, 0.05), (0.13, 0.154)], [0.142])
    drawn = mark(scale, (0.13, 0.154), 0.142)
    assert drawn.dot is not None
    assert not drawn.cut_right


def test_mark__an_open_end__goes_on_beyond_the_drawing():
    scale = scale_for([(0.01, 0.05)])
    drawn = mark(scale, (0.01, None), 0.02)
    assert (drawn.cut_left, drawn.cut_right, drawn.right) == (False, True, WIDTH)


def test_scale__without_data__still_has_a_zero_line():
    assert scale_for([]).zero == pytest.approx(WIDTH / 2)
