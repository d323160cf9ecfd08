from datetime import UTC, datetime, timedelta

import pytest

from experiments.domain import ramps
from experiments.domain.ramps import Ramp, RampError, RampStep

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEPS = (
    RampStep(share=100, after_hours=24),
    RampStep(share=500, after_hours=48),
    RampStep(share=5000),
)


def at_step(step: int) -> Ramp:
    return Ramp(steps=STEPS, step=step, stepped_at=T0)


def test_ramp__stored_and_read__is_the_same():
    held = ramps.held(at_step(1), "Latency crossed its limit.")
    assert ramps.read(ramps.stored(held)) == held
    assert ramps.read({}) is None
    assert ramps.stored(None) == {}


def test_due__a_second_before_its_time__is_not():
    assert not ramps.is_due(at_step(0), T0 + timedelta(hours=24, seconds=-1))
    assert ramps.is_due(at_step(0), T0 + timedelta(hours=24))


def test_due__before_it_began_or_at_the_last_step__never():
    assert not ramps.is_due(Ramp(steps=STEPS), T0 + timedelta(days=900))
    assert not ramps.is_due(at_step(2), T0 + timedelta(days=900))


def test_advanced__long_overdue__makes_one_step_from_now():
    late = T0 + timedelta(days=30)
    moved = ramps.advanced(at_step(0), late)
    assert (moved.share, moved.stepped_at) == (500, late)
    assert not ramps.is_due(moved, late)


def test_advanced__at_the_last_step__is_refused():
    with pytest.raises(RampError, match="last step"):
        ramps.advanced(at_step(2), T0)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "1 to 20 steps"),
        ([{"share": 0}], "more than 0 %"),
        ([{"share": 500, "after_hours": 1}, {"share": 10_001}], "at most 100 %"),
        ([{"share": 500, "after_hours": 1}, {"share": 500}], "5 %, 5 %; each must be more"),
        ([{"share": 500}, {"share": 900}], "1 to 2160 hours"),
        ([{"part": 500}], "This is no ramp"),
    ],
)
def test_read__steps_that_cannot_be_followed__are_refused(steps, message):
    with pytest.raises(RampError, match=message):
        ramps.read({"steps": steps})


def test_in_words__three_steps__reads_aloud():
    assert ramps.in_words(at_step(0)) == "1 % for 24 h, then 5 % for 48 h, then 50 %"
