from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.mail.schedule import STANDS_IN_FOR, Rhythm, find_zone, following, next_due, zone_names

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
MOMENTS = st.integers(0, 30 * 365 * 24 * 60).map(
    lambda minutes: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
RHYTHMS = st.builds(
    Rhythm,
    cadence=st.sampled_from(["daily", "weekly", "monthly"]),
    hour=st.integers(0, 23),
    time_zone=st.sampled_from(ZONES),
    weekday=st.integers(0, 6),
    day_of_month=st.integers(1, 31),
)


def daily(hour: int, time_zone: str = "Europe/Berlin") -> Rhythm:
    return Rhythm(cadence="daily", hour=hour, time_zone=time_zone)


def test_next_due__later_today__is_today():
    assert next_due(daily(8), datetime(2026, 3, 2, 6, 59, tzinfo=UTC)) == datetime(2026, 3, 2, 7, tzinfo=UTC)


def test_next_due__exactly_now__is_tomorrow():
    assert next_due(daily(8), datetime(2026, 3, 2, 7, tzinfo=UTC)) == datetime(2026, 3, 3, 7, tzinfo=UTC)


def test_next_due__weekly__waits_for_the_weekday():
    friday = Rhythm(cadence="weekly", hour=9, time_zone="America/New_York", weekday=4)
    assert next_due(friday, datetime(2026, 3, 2, tzinfo=UTC)) == datetime(2026, 3, 6, 14, tzinfo=UTC)


def test_next_due__over_the_spring_change__keeps_the_hour_on_the_clock():
    assert next_due(daily(8), datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 6, tzinfo=UTC)


def test_next_due__an_hour_that_does_not_exist__is_the_moment_after_the_gap():
    # Berlin jumps from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC.
    assert next_due(daily(2), datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_next_due__an_hour_that_comes_twice__counts_the_first_time_only():
    # Berlin shows 02:00 at 00:00 UTC and again at 01:00 UTC on 25 October 2026.
    first = next_due(daily(2), datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert next_due(daily(2), first) == datetime(2026, 10, 26, 1, tzinfo=UTC)


def test_next_due__a_day_that_does_not_exist__is_skipped():
    # Samoa crossed the date line and had no 30 December 2011.
    apia = daily(8, "Pacific/Apia")
    first = next_due(apia, datetime(2011, 12, 29, 19, tzinfo=UTC))
    assert first.astimezone(ZoneInfo("Pacific/Apia")).isoformat() == "2011-12-31T08:00:00+14:00"
    assert next_due(apia, first) == first + timedelta(days=1)


@given(RHYTHMS, MOMENTS)
def test_next_due__is_later_and_never_far(rhythm: Rhythm, after: datetime):
    longest = timedelta(days={"daily": 2, "weekly": 8, "monthly": 32}[rhythm.cadence], hours=1)
    assert timedelta(0) < next_due(rhythm, after) - after <= longest


@given(RHYTHMS, MOMENTS)
def test_next_due__shows_the_hour_unless_the_clocks_skip_it(rhythm: Rhythm, after: datetime):
    local = next_due(rhythm, after).astimezone(find_zone(rhythm.time_zone))
    before_the_gap = (local.astimezone(UTC) - timedelta(hours=1)).astimezone(local.tzinfo)
    skipped = local.utcoffset() != before_the_gap.utcoffset()
    assert (local.hour, local.minute) == (rhythm.hour, 0) or skipped


@given(RHYTHMS, MOMENTS)
def test_next_due__step_by_step__visits_each_date_once(rhythm: Rhythm, after: datetime):
    seen = [after]
    for _ in range(12):
        seen.append(next_due(rhythm, seen[-1]))
    dates = [moment.astimezone(find_zone(rhythm.time_zone)).date() for moment in seen[1:]]
    skipped = date(2011, 12, 30)
    assert all(
        step_fits(rhythm, earlier, later) or (rhythm.time_zone == "Pacific/Apia" and earlier <= skipped <= later)
        for earlier, later in pairwise(dates)
    )


def step_fits(rhythm: Rhythm, earlier: date, later: date) -> bool:
    if rhythm.cadence == "monthly":
        months = (later.year - earlier.year) * 12 + later.month - earlier.month
        last = (later + timedelta(days=1)).month != later.month
        return months == 1 and (later.day == rhythm.day_of_month or (last and later.day < rhythm.day_of_month))
    return later - earlier == timedelta(days=1 if rhythm.cadence == "daily" else 7)


def test_next_due__monthly_on_the_31st__is_the_last_day_of_a_short_month():
    month = Rhythm(cadence="monthly", hour=8, time_zone="UTC", day_of_month=31)
    assert next_due(month, datetime(2026, 2, 1, tzinfo=UTC)) == datetime(2026, 2, 28, 8, tzinfo=UTC)
    assert next_due(month, datetime(2028, 2, 1, tzinfo=UTC)) == datetime(2028, 2, 29, 8, tzinfo=UTC)


def test_next_due__at_milestones__no_clock_decides():
    assert next_due(Rhythm(cadence="milestones", hour=8, time_zone="UTC"), datetime(2026, 2, 1, tzinfo=UTC)) is None


@given(RHYTHMS, MOMENTS)
def test_next_due__asked_at_any_time_before__is_the_same(rhythm: Rhythm, after: datetime):
    due = next_due(rhythm, after)
    assert next_due(rhythm, after + (due - after) / 2) == due


@given(RHYTHMS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=90)))
def test_following__after_any_outage__leaves_one_message_and_a_pause(rhythm: Rhythm, due: datetime, outage: timedelta):
    now = next_due(rhythm, due) + outage
    assert following(rhythm, now) - now > STANDS_IN_FOR[rhythm.cadence]


def test_following__on_time__skips_nothing():
    now = datetime(2026, 3, 2, 7, 1, tzinfo=UTC)
    assert following(daily(8), now) == datetime(2026, 3, 3, 7, tzinfo=UTC)


def test_rhythm__an_unknown_zone__says_what_a_name_looks_like():
    with pytest.raises(ValueError, match=r"'Berlin'.*Europe/Berlin"):
        daily(8, "Berlin")


@pytest.mark.parametrize("name", ["../etc/passwd", "", "/usr/share/zoneinfo/UTC", "posixrules"])
def test_find_zone__a_path_or_nothing__is_refused(name: str):
    with pytest.raises(ValueError, match="IANA name"):
        find_zone(name)


@pytest.mark.parametrize("wrong", [{"hour": 24}, {"hour": -1}, {"weekday": 7}, {"cadence": "hourly"}])
def test_rhythm__outside_the_clock__is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="must be"):
        Rhythm(**{"cadence": "weekly", "hour": 8, "time_zone": "UTC", "weekday": 0, **wrong})  # type: ignore[arg-type]


def test_zone_names__hold_what_people_choose():
    assert {"UTC", "Europe/Berlin", "Asia/Tokyo"} <= set(zone_names())
