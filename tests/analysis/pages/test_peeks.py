"""The box of raw sums beside a number of the metric table."""

from dataclasses import replace

from analysis.pages.depth.ways import Raw
from analysis.pages.peeks import raw_sums
from analysis.pages.table import table
from tests import builders


def a_row():
    row = table(builders.results(), lambda key: f"/metrics/{key}/").groups[0].rows[0]
    return replace(row, raw=tuple(Raw(variant=name, facts=[("users", "9,000")]) for name in ("Control", "Treatment")))


def test_raw_sums__opens_both_variants_sums_and_leads_deeper():
    row = a_row()
    box = raw_sums(row, 1, 2)
    assert box.startswith('<button type="button" class="term num" popovertarget="raw-1-2"')
    assert 'id="raw-1-2" popover' in box
    assert box.count('<dl class="defs sums">') == 2
    assert "<b>Control</b>" in box
    assert '<dt>Users</dt><dd class="num">9,000</dd>' in box
    assert f'<a href="{row.href}">{row.metric.name} in depth</a>' in box


def test_raw_sums__what_was_typed_is_escaped_and_a_shared_page_leads_nowhere():
    box = raw_sums(replace(a_row(), value="<i>1", href=""), 1, 1)
    assert "&lt;i&gt;1</button>" in box
    assert "<a href" not in box
