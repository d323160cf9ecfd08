"""Experiments whose plan lets them be read while they run: one look a day, and no risk spent twice."""

from datetime import datetime, timedelta
from unittest.mock import patch

import pytest

from analysis import pipeline
from analysis.looking import growing
from analysis.models import Look
from analysis.results.latest import results_of
from analysis.results.schema import Reading, Results
from experiments.domain.looking import ReadingPlan
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def shop(reading=ReadingPlan.GROUP_SEQUENTIAL, planned_units=2000, **fields):
    home = builders.project()
    return builders.experiment(
        home, primary=builders.metric(home), reading=reading, planned_units=planned_units, planned_days=10, **fields
    )


def enrol(experiment, at: datetime, units=200, buyers=(40, 90)) -> None:
    """Expose ``units`` a variant, of which some buy."""
    for variant, bought in zip(("control", "treatment"), buyers, strict=True):
        for index in range(units):
            unit = f"{variant}-{at:%m%d}-{index}"
            builders.expose(experiment, unit, variant, at=at)
            if index < bought:
                builders.log(experiment.project, "Order Completed", unit, at=at + HOUR)


def read(experiment, at: datetime) -> Results:
    with patch("django.utils.timezone.now", return_value=at):
        return results_of(pipeline.refresh(experiment))


def one(results: Results):
    return results.metrics[0].comparisons[0]


def test_looks__twice_on_a_day__are_one_and_spend_once():
    experiment = shop()
    enrol(experiment, T0)
    first, second = read(experiment, T0 + 3 * HOUR), read(experiment, T0 + 6 * HOUR)
    assert (Look.objects.count(), first.looks.look, second.looks.look) == (1, 1, 1)
    assert one(first).boundary == one(second).boundary


def test_looks__of_two_days__are_two_and_the_second_stops_earlier():
    experiment = shop()
    enrol(experiment, T0)
    first = read(experiment, T0 + 3 * HOUR)
    enrol(experiment, T0 + DAY)
    second = read(experiment, T0 + DAY + 3 * HOUR)
    assert [(look.day.day, look.units, look.is_last) for look in Look.objects.all()] == [
        (2, 400, False),
        (3, 800, False),
    ]
    assert second.looks.look == 2
    assert one(second).boundary < one(first).boundary


def test_looks__without_new_units__are_the_look_before():
    experiment = shop()
    enrol(experiment, T0)
    first = read(experiment, T0 + 3 * HOUR)
    second = read(experiment, T0 + DAY)
    assert (second.looks.look, one(second).boundary) == (1, one(first).boundary)


@pytest.mark.parametrize(("buyers", "clear"), [((40, 100), True), ((40, 62), False)])
def test_planned_looks__interval_and_p_value__say_the_same_and_differ_from_one_look(buyers, clear):
    experiment = shop(planned_units=800)
    enrol(experiment, T0, buyers=buyers)
    found = one(read(experiment, T0 + 3 * HOUR))
    low, high = found.lift_interval
    assert (found.p_value < found.alpha) is clear is (not low <= 0 <= high)
    assert found.fixed_p_value < found.alpha
    assert low < found.fixed_lift_interval[0] < found.fixed_lift_interval[1] < high


def test_planned_looks__a_clear_gain_on_the_first_days__may_stop_early():
    experiment = shop(planned_units=800)
    enrol(experiment, T0, buyers=(40, 100))
    results = read(experiment, T0 + 3 * HOUR)
    assert (results.verdict.decision, one(results).reading) == ("ship", Reading.BETTER)
    assert "allow for every look" in results.looks.sentence
    assert next(c for c in results.health.checks if c.key == "planned-duration").summary == "day 1 of 10, read daily"


def test_fixed__the_same_gain_on_the_first_day__is_not_read():
    experiment = shop(ReadingPlan.FIXED, None)
    enrol(experiment, T0, buyers=(40, 100))
    results = read(experiment, T0 + 3 * HOUR)
    assert (results.verdict.decision, one(results).fixed_p_value) == ("keep running", None)
    assert results.looks.plan == "fixed"
    assert not Look.objects.exists()


def test_planned_looks__after_the_planned_units__stay_at_the_last_look():
    experiment = shop(planned_units=400)
    enrol(experiment, T0)
    last = read(experiment, T0 + 3 * HOUR)
    assert (last.looks.is_last, last.looks.until) == (True, None)
    enrol(experiment, T0 + DAY, buyers=(90, 10))
    later = read(experiment, T0 + DAY + 3 * HOUR)
    assert (one(later).n, one(later).p_value, one(later).boundary) == (200, one(last).p_value, one(last).boundary)
    assert "last time on 2 Mar" in later.looks.sentence
    assert Look.objects.count() == 1
    assert later.verdict.decision == last.verdict.decision == "ship"


def test_planned_looks__the_planned_end_with_fewer_units__spends_what_is_left():
    experiment = shop(planned_units=100_000)
    enrol(experiment, T0)
    early, end = read(experiment, T0 + 3 * HOUR), read(experiment, T0 + 10 * DAY)
    assert one(early).lift_interval is None or one(early).boundary > 3
    assert (end.looks.is_last, one(end).boundary) == (True, pytest.approx(1.96, abs=0.01))


def test_planned_looks__stopped_short__spend_no_more_for_it():
    experiment = shop(planned_units=4000)
    enrol(experiment, T0)
    running = read(experiment, T0 + 3 * HOUR)
    experiment.status, experiment.stopped_at = "stopped", T0 + 4 * HOUR
    experiment.save()
    stopped = read(experiment, T0 + 5 * HOUR)
    assert (stopped.looks.is_last, one(stopped).boundary) == (False, one(running).boundary)


def test_always_valid__needs_no_looks_and_reads_at_any_time():
    experiment = shop(ReadingPlan.ALWAYS_VALID, 1200)
    enrol(experiment, T0, units=510, buyers=(100, 260))
    results = read(experiment, T0 + 3 * HOUR)
    found = one(results)
    assert (found.reading, results.verdict.decision) == (Reading.BETTER, "ship")
    assert found.lift_interval[0] < found.fixed_lift_interval[0]
    assert not Look.objects.exists()
    assert results.effect_over_time[0].points[-1].lift_interval == pytest.approx(found.lift_interval)


def test_effect_over_time__of_planned_looks__ends_in_the_table_and_is_wider_before():
    experiment = shop(planned_units=1600)
    for day in range(3):
        enrol(experiment, T0 + day * DAY)
        results = read(experiment, T0 + day * DAY + 3 * HOUR)
    points = results.effect_over_time[0].points
    assert points[-1].lift_interval == pytest.approx(one(results).lift_interval)
    widths = [p.difference_interval[1] - p.difference_interval[0] for p in points if p.difference_interval]
    assert widths == sorted(widths, reverse=True)


def test_what_matters__a_gain_smaller_than_it__is_called_so():
    experiment = shop(ReadingPlan.FIXED, None, matters=9000)
    enrol(experiment, T0, units=1000, buyers=(300, 380))
    experiment.status, experiment.stopped_at = "stopped", T0 + 10 * DAY
    experiment.save()
    results = read(experiment, T0 + 11 * DAY)
    assert one(results).size == "smaller than what matters"
    assert "smaller than the 90% that matters" in results.verdict.headline


def test_split__while_running__is_tested_over_the_days_and_by_chi_square_at_the_end():
    experiment = shop(ReadingPlan.FIXED, None)
    for day in range(2):
        at = T0 + day * DAY
        for variant, units in (("control", 300), ("treatment", 400)):
            for index in range(units):
                builders.expose(experiment, f"{variant}-{day}-{index}", variant, at=at)
    running = read(experiment, T0 + 2 * DAY).health
    assert running.srm.p_value < 0.001 < running.srm.sequential_p_value
    assert running.trustworthy
    experiment.status, experiment.stopped_at = "stopped", T0 + 2 * DAY
    experiment.save()
    assert not read(experiment, T0 + 2 * DAY).health.trustworthy


def test_growing__looks_that_added_next_to_nothing__are_left_out():
    assert growing([0, 100, 100, 200, 190], 300) == (100, 200, 300)
    assert growing([100, 300], 300) == (100, 300)
    assert growing([400], 300) == (300,)
    assert growing([], 0) == (1,)


def test_looks__of_an_earlier_phase__are_not_counted_in_the_next():
    experiment = shop()
    enrol(experiment, T0)
    read(experiment, T0 + 3 * HOUR)
    experiment.phase, experiment.phase_started_at = 2, T0 + DAY
    experiment.save()
    enrol(experiment, T0 + DAY)
    results = read(experiment, T0 + DAY + 3 * HOUR)
    assert (results.looks.look, results.looks.units) == (1, 400)
    assert [(look.phase, look.units) for look in Look.objects.order_by("phase")] == [(1, 400), (2, 400)]


def test_looks__of_late_events_of_a_day__take_its_place_and_keep_it_the_last():
    experiment = shop(planned_units=400)
    enrol(experiment, T0)
    assert read(experiment, T0 + 3 * HOUR).looks.is_last
    builders.expose(experiment, "control-0302-0", "treatment", at=T0 + HOUR)  # quarantined: one unit less
    again = read(experiment, T0 + 5 * HOUR)
    assert (again.looks.is_last, again.looks.units) == (True, 399)
    assert Look.objects.get().is_last


@pytest.mark.parametrize("planned_units", [1, 10**12])
@pytest.mark.parametrize("reading", [ReadingPlan.GROUP_SEQUENTIAL, ReadingPlan.ALWAYS_VALID])
def test_looks__of_a_plan_far_from_what_came__are_read_all_the_same(planned_units, reading):
    experiment = shop(reading, planned_units)
    for day in range(3):
        enrol(experiment, T0 + day * DAY, units=170, buyers=(40, 80))
    results = read(experiment, T0 + 2 * DAY + 3 * HOUR)
    later = read(experiment, T0 + 3 * DAY)
    assert (len(results.effect_over_time[0].points), one(later).n) == (3, 510)
    low, high = one(later).lift_interval or (-1, 1)
    assert (one(later).p_value < one(later).alpha) is not (low <= 0 <= high)
