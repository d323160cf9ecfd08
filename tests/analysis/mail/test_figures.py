import struct
from datetime import timedelta

import pytest

from analysis.mail import contents, figures
from analysis.mail.figures import DARK, LIGHT, Mark
from analysis.pages.table import table
from analysis.results.schema import EffectPoint, Tone
from tests import builders
from tests.builders import T0


def mark(estimate: float, low: float | None, high: float | None) -> Mark:
    return Mark(label="Metric", estimate=estimate, low=low, high=high, tone=Tone.FLAT)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def test_marks__are_the_tables_rows_with_their_tones():
    marks = figures.marks_of(table(builders.results()))
    assert [(one.label, one.tone) for one in marks] == [
        ("Click-through rate", Tone.GOOD),
        ("Page latency", Tone.BAD),
        ("Revenue per user", Tone.FLAT),
    ]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_draw_intervals__is_twice_the_mails_width(theme):
    width, height = size(figures.draw_intervals([mark(0.05, 0.01, 0.09)] * 3, theme))
    assert (width, height) == (2 * figures.WIDTH, 2 * (3 * figures.ROW_HEIGHT + 34))


@pytest.mark.parametrize(
    "marks",
    [
        [mark(0.05, None, 0.09)],
        [mark(0.05, 0.01, None)],
        [mark(0.05, None, None)],
        [mark(0.0, 0.0, 0.0)],
        [mark(-0.9, -1.0, -0.8)],
    ],
)
def test_draw_intervals__open_ends_and_extremes__can_be_drawn(marks: list[Mark]):
    assert size(figures.draw_intervals(marks, LIGHT))


def test_limits__one_wide_interval__does_not_flatten_the_others():
    narrow = [mark(0.01, -0.01, 0.03)] * 4
    low, high = figures._limits([*narrow, mark(5.0, -9.0, 20.0)])
    assert -0.15 < low < 0 < high < 0.15


def test_limits__always_show_zero():
    low, high = figures._limits([mark(0.05, 0.04, 0.06)])
    assert low < 0 < high


def test_effect_lines__one_day__are_no_line():
    one_day = builders.results(effect_over_time=[builders.effect_series(days=1)])
    assert contents.effect_lines(one_day) == {}


def test_effect_lines__days_that_cannot_be_computed__are_left_out():
    hole = EffectPoint(
        day=(T0 + timedelta(days=1)).date(), n=1, control_n=0, lift=None, lift_interval=None,
        difference=None, difference_interval=None,
    )  # fmt: skip
    series = builders.effect_series(days=3)
    results = builders.results(effect_over_time=[type(series)(metric=series.metric, variant="treatment", points=[
        series.points[0], hole, series.points[2],
    ])])  # fmt: skip
    assert len(contents.effect_lines(results)["Treatment"]) == 2


def test_draw_effect__several_treatments__can_be_drawn():
    points = builders.effect_series().points
    assert size(figures.draw_effect({"A": points, "B": points[:5], "C": points}, DARK))[0] == 2 * figures.WIDTH


def test_tick__writes_true_minus_and_no_false_precision():
    assert [figures._tick(value) for value in (-0.025, 0.0, 0.1, -1e-18)] == ["−2.5%", "0", "+10%", "0"]
