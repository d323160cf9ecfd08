from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.notices.quiet import QUARTER, QuietHours, is_quiet, next_allowed

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
MOMENTS = st.integers(0, 30 * 365 * 24 * 60).map(lambda m: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=m))
QUIET = st.builds(
    QuietHours,
    time_zone=st.sampled_from(ZONES),
    start=st.integers(0, 23),
    end=st.integers(0, 23),
    weekends=st.booleans(),
)
NIGHT = QuietHours(time_zone="Europe/Berlin", start=22, end=7)


def berlin(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin"))


def test_next_allowed__in_the_day__is_now():
    assert next_allowed(NIGHT, berlin(3, 12, 34)) == berlin(3, 12, 34)


@pytest.mark.parametrize(("at", "morning"), [(berlin(3, 23), berlin(4, 7)), (berlin(4, 3, 10), berlin(4, 7))])
def test_next_allowed__over_midnight__is_the_morning(at: datetime, morning: datetime):
    assert next_allowed(NIGHT, at) == morning


def test_next_allowed__the_night_the_clocks_go_forward__is_an_hour_shorter():
    # 29 March 2026: from 23:00 to 07:00 on the wall pass seven hours.
    assert next_allowed(NIGHT, berlin(28, 23)) - berlin(28, 23).astimezone(UTC) == timedelta(hours=7)


def test_next_allowed__the_night_the_clocks_go_back__is_an_hour_longer():
    at = berlin(24, 23, month=10)
    assert next_allowed(NIGHT, at) - at.astimezone(UTC) == timedelta(hours=9)


def test_next_allowed__an_end_that_the_clocks_skip__is_when_they_jump_past_it():
    until_two = QuietHours(time_zone="Europe/Berlin", start=22, end=2)
    assert next_allowed(until_two, berlin(29, 1)) == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 on the wall


def test_is_quiet__an_hour_that_comes_twice__is_quiet_twice():
    quiet = QuietHours(time_zone="Europe/Berlin", start=2, end=3)
    for utc_hour in (0, 1):
        assert is_quiet(quiet, datetime(2026, 10, 25, utc_hour, 30, tzinfo=UTC))
    assert not is_quiet(quiet, datetime(2026, 10, 25, 2, 0, tzinfo=UTC))


def test_next_allowed__friday_night_with_quiet_weekends__is_monday_morning():
    quiet = QuietHours(time_zone="Europe/Berlin", start=22, end=7, weekends=True)
    assert next_allowed(quiet, berlin(6, 23)) == berlin(9, 7)


def test_next_allowed__weekends_alone__is_the_first_minute_of_monday():
    assert next_allowed(QuietHours(weekends=True), datetime(2026, 3, 7, 12, tzinfo=UTC)) == datetime(
        2026, 3, 9, tzinfo=UTC
    )


@given(QUIET, MOMENTS)
def test_next_allowed__is_never_quiet_and_the_first_such_moment(quiet: QuietHours, at: datetime):
    allowed = next_allowed(quiet, at)
    assert allowed >= at
    assert not is_quiet(quiet, allowed)
    if allowed > at:
        assert is_quiet(quiet, at)
        assert is_quiet(quiet, max(at, allowed - QUARTER))
        assert next_allowed(quiet, at + (allowed - at) / 2) == allowed


@pytest.mark.parametrize("wrong", [{"start": 24}, {"end": -1}, {"time_zone": "Mars/Olympus"}])
def test_quiet_hours__that_no_clock_shows__are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        QuietHours(**wrong)
