"""Health: each check passes, fails or cannot say, and tells what to do."""

from datetime import date, timedelta

import pytest

from analysis.results.schema import Check
from tests.analysis.decisions.scenes import T0, N, Scene, purchases


def check(scene: Scene, key: str) -> Check:
    return next(one for one in scene.read().health.checks if one.key == key)


def test_health__all_well__passes_every_check():
    health = Scene().read().health
    assert health.trustworthy
    assert [(one.name, one.ok, one.summary) for one in health.checks] == [
        ("Traffic split", True, "as designed (p = 1.00)"),
        ("Enough data", True, "at least 20,000 users in each variant"),
        ("Units in two variants", True, "none"),
        ("Planned duration", True, "reached (14 days)"),
        ("Exposure data", True, "complete up to 16 Mar, 09:00 UTC"),
    ]
    assert health.srm.counts == {"control": N, "treatment": N}
    assert health.srm.expected == {"control": N, "treatment": N}


def test_traffic_split__broken__says_where_and_what_to_do():
    found = check(Scene(units=(9_540, 10_460)), "traffic-split")
    assert (found.ok, found.summary) == (False, "broken: 52.3% in Treatment instead of 50% (p < 0.001)")
    assert "start a new experiment" in found.what_to_do


def test_traffic_split__off_by_less_than_a_tenth_of_a_percent__still_shows_the_distance():
    found = check(Scene(units=(9_990_000, 10_010_000)), "traffic-split")
    assert found.summary.startswith("broken: 50.05% in Treatment instead of 50%")


def test_traffic_split__an_empty_variant__is_broken_and_not_dropped():
    scene = Scene(units=(500, 0), metrics=[purchases(n=500)])
    assert check(scene, "traffic-split").ok is False
    assert not scene.read().health.trustworthy


def test_traffic_split__a_handful_of_units__cannot_be_said():
    scene = Scene(units=(4, 2), day=1, stopped=False)
    found = check(scene, "traffic-split")
    assert (found.ok, found.summary) == (None, "not known yet: too few units yet: 6 in all")
    srm = scene.read().health.srm
    assert (srm.p_value, srm.expected) == (None, {})
    assert scene.read().health.trustworthy


@pytest.mark.parametrize(("stopped", "ok"), [(False, None), (True, False)])
def test_enough_data__below_the_floor__waits_while_running_and_fails_when_stopped(stopped, ok):
    found = check(Scene(units=(60, 70), metrics=[purchases(n=60)], stopped=stopped), "enough-data")
    assert (found.ok, found.summary) == (ok, "not yet: 60 users in Control, 100 needed")


@pytest.mark.parametrize(
    ("quarantined", "ok", "summary"),
    [(12, True, "12 left out (0.03%)"), (1_200, False, "1,200 left out (2.9%), more than 1%")],
)
def test_units_in_two_variants__are_counted_and_too_many_fail(quarantined, ok, summary):
    found = check(Scene(quarantined=quarantined), "two-variants")
    assert (found.ok, found.summary) == (ok, summary)


@pytest.mark.parametrize(
    ("scene", "ok", "summary"),
    [
        (Scene(day=3, stopped=False), None, "day 3 of 14"),
        (Scene(day=13.5, stopped=False), None, "day 14 of 14"),
        (Scene(day=5), False, "stopped on day 5 of 14"),
        (Scene(day=13.97), True, "reached (14 days)"),
        (Scene(day=1, planned_days=1), True, "reached (1 day)"),
        (Scene(started=False, stopped=False), None, "not started"),
    ],
)
def test_planned_duration__is_reached_when_the_whole_days_have_passed(scene, ok, summary):
    found = check(scene, "planned-duration")
    assert (found.ok, found.summary) == (ok, summary)


def test_exposure_data__that_stopped_flowing__is_said_with_its_last_moment():
    found = check(Scene(stopped=False, stale=timedelta(hours=5)), "exposure-data")
    assert (found.ok, found.summary) == (False, "stops at 16 Mar, 04:00 UTC")
    assert "worker" in found.what_to_do


def test_exposure_data__last_event_shortly_before_the_stop__is_complete():
    assert check(Scene(stale=timedelta(minutes=50)), "exposure-data").ok is True


def days(*units: int) -> dict[date, int]:
    return {T0.date() + timedelta(days=i): count for i, count in enumerate(units)}


def test_exposure_data__a_day_without_units_between_busy_days__is_a_gap():
    found = check(Scene(exposures_per_day=days(50, 60, 0, 55)), "exposure-data")
    assert (found.ok, found.summary) == (False, "nothing on 4 Mar")


def test_exposure_data__many_gaps__are_counted():
    found = check(Scene(exposures_per_day=days(50, 0, 0, 0, 0, 0, 60)), "exposure-data")
    assert found.summary == "nothing on 3 Mar, 4 Mar and 5 Mar and 2 more days"


def test_exposure_data__quiet_days_of_a_quiet_experiment__are_no_gap():
    assert check(Scene(exposures_per_day=days(3, 0, 4, 2)), "exposure-data").ok is True


def test_event_values__no_number__are_counted_beside_the_metric():
    found = check(Scene(unreadable={"Revenue per user": 1_204, "Latency": 0}), "event-values")
    assert (found.ok, found.summary) == (False, "left out for not being a number: 1,204 of revenue per user")
    assert Scene(unreadable={"Revenue per user": 1}).read().health.trustworthy


def test_variants__without_units__have_no_share():
    assert [one.share for one in Scene(units=(0, 0), day=1, stopped=False).read().variants] == [None, None]


def test_variants__expected_share__is_of_the_exposed_units():
    scene = Scene(weights=(1000, 1000))
    assert [one.expected_share for one in scene.read().variants] == [0.5, 0.5]
