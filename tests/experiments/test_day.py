from datetime import timedelta

import pytest

from experiments.domain.lifecycle import day_of
from tests.builders import T0

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ran_for", "day"),
    [(timedelta(0), 1), (timedelta(hours=1), 1), (DAY + timedelta(seconds=1), 2), (21 * DAY, 21), (20.5 * DAY, 21)],
)
def test_day__is_the_day_under_way_and_three_whole_weeks_end_on_day_21(ran_for, day):
    assert day_of(T0, None, T0 + ran_for) == day
    assert day_of(T0, T0 + ran_for, T0 + 90 * DAY) == day


def test_day__a_draft_has_none():
    assert day_of(None, None, T0) == 0
