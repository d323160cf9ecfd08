"""The drawing of an interval says what the row says, and nothing that is typed becomes markup."""

from analysis.charts.drawn import interval_mark
from analysis.charts.interval import mark, scale_for

SCALE = scale_for([(-0.02, 0.04)])


def test_a_mark__has_the_grid_the_zero_line_its_ends_and_its_estimate():
    drawn = interval_mark(mark(SCALE, (-0.01, 0.03), 0.01), SCALE, "Revenue: +1.0%")
    assert drawn.startswith('<svg viewBox="0 0 352 32" role="img" aria-label="Revenue: +1.0%">')
    assert drawn.count('class="grid"') == len(SCALE.ticks) - 1
    assert f'<line class="zero" x1="{SCALE.zero}" x2="{SCALE.zero}"' in drawn
    assert (drawn.count('class="cap"'), drawn.count('class="dot"'), drawn.count('class="more"')) == (2, 1, 0)
    assert 'class="limit"' not in drawn


def test_a_mark__that_goes_on__ends_in_arrows_and_a_limit_is_drawn():
    drawn = interval_mark(mark(SCALE, (None, None), None, -0.01), SCALE, "")
    assert (drawn.count('class="cap"'), drawn.count('class="dot"'), drawn.count('class="more"')) == (0, 0, 2)
    assert f'<line class="limit" x1="{SCALE.x(-0.01)}"' in drawn


def test_a_mark__its_label__is_escaped():
    assert 'aria-label="&lt;b&gt; &amp; &quot;c&quot;"' in interval_mark(mark(SCALE, (0, 0.01), 0), SCALE, '<b> & "c"')
