import hashlib
from datetime import timedelta
from decimal import Decimal

import pytest

from analysis.models import Enrolment, UnitDay
from analysis.rollup.check import check
from analysis.rollup.fold import Adding, fold
from experiments import lifecycle
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.domain.units import UnitType
from experiments.models import Experiment, ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def running(kind=MetricKind.PROPORTION, **fields):
    home = builders.project()
    named = {name: fields.pop(name) for name in ("property", "denominator_event") if name in fields}
    return builders.experiment(home, primary=builders.metric(home, kind=kind, **named), **fields)


def buy(experiment, unit="u1", *, at=T0 + HOUR, name="Order Completed", **props):
    builders.log(experiment.project, name, unit, at=at, **props)


def enrolled(experiment):
    rows = Enrolment.objects.filter(experiment=experiment).order_by("unit").select_related("variant")
    return [(row.unit, row.variant.key, row.first_at, row.quarantined) for row in rows]


def totals(experiment):
    """Unit, day counted from T0's, numerator, denominator, missing."""
    rows = UnitDay.objects.filter(experiment=experiment).order_by("metric_id", "unit", "day")
    return [
        (row.unit, (row.day - T0.date()).days, float(row.numerator), float(row.denominator), row.missing)
        for row in rows
    ]


def test_fold__an_exposure_and_a_later_event__enrol_and_count():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    buy(experiment)
    done = fold()
    assert enrolled(experiment) == [("u1", "control", T0, False)]
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]
    assert (done.events, done.chunks, done.rebuilt) == (2, 1, 1)


def test_fold__run_twice__adds_nothing():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    buy(experiment)
    fold()
    again = fold()
    assert (again.events, again.rebuilt) == (0, 0)
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__an_event_that_arrives_before_its_exposure__counts():
    experiment = running()
    fold()
    buy(experiment)
    fold()
    assert totals(experiment) == []
    builders.expose(experiment, "u1", "control")
    fold()
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__a_unit_newer_than_all_that_was_folded__is_not_looked_up_in_the_log(monkeypatch):
    experiment = running()
    builders.expose(experiment, "u0", "control", at=T0)
    fold()
    builders.expose(experiment, "u1", "control", at=T0 + HOUR)
    buy(experiment, at=T0 + 2 * HOUR)
    with monkeypatch.context() as patched:
        patched.setattr(Adding, "moved_units", lambda self: pytest.fail("the log was read"))
        fold()
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]
    assert not check([experiment]).differences


def test_fold__an_event_from_before_the_exposure__does_not_count():
    experiment = running()
    fold()
    builders.expose(experiment, "u1", "control", at=T0 + HOUR)
    buy(experiment, at=T0 + HOUR - timedelta(seconds=1))
    buy(experiment, at=T0 + HOUR)
    fold()
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__a_late_earlier_exposure__moves_the_start_and_counts_what_it_then_covers():
    experiment = running(MetricKind.COUNT)
    fold()
    builders.expose(experiment, "u1", "control", at=T0 + 2 * DAY)
    buy(experiment, at=T0 + DAY)
    buy(experiment, at=T0 + 3 * DAY)
    fold()
    assert totals(experiment) == [("u1", 3, 1, 0, 0)]
    builders.expose(experiment, "u1", "control", at=T0)
    buy(experiment, at=T0 + 3 * DAY + HOUR)
    fold()
    assert enrolled(experiment) == [("u1", "control", T0, False)]
    assert totals(experiment) == [("u1", 1, 1, 0, 0), ("u1", 3, 2, 0, 0)]


def test_fold__two_variants_in_two_chunks__quarantine_the_unit_under_the_first():
    experiment = running()
    fold()
    builders.expose(experiment, "u1", "treatment", at=T0 + HOUR)
    fold()
    builders.expose(experiment, "u1", "control", at=T0)
    fold()
    assert enrolled(experiment) == [("u1", "control", T0, True)]


def test_fold__two_variants_in_one_chunk__quarantine_the_unit():
    experiment = running()
    builders.expose(experiment, "u1", "treatment", at=T0 + HOUR)
    builders.expose(experiment, "u1", "control", at=T0)
    fold()
    assert enrolled(experiment) == [("u1", "control", T0, True)]


@pytest.mark.parametrize("order", [("control", "treatment"), ("treatment", "control")])
def test_fold__two_variants_at_the_same_moment__give_the_same_row_in_either_order(order):
    experiment = running()
    fold()
    for variant in order:
        builders.expose(experiment, "u1", variant)
        fold()
    assert enrolled(experiment) == [("u1", "control", T0, True)]


def test_fold__after_the_stop__neither_exposures_nor_events_count():
    experiment = running(status=Status.STOPPED, stopped_at=T0 + DAY)
    builders.expose(experiment, "u1", "control")
    builders.expose(experiment, "u2", "control", at=T0 + DAY + HOUR)
    buy(experiment, at=T0 + DAY)
    buy(experiment, at=T0 + DAY + HOUR)
    fold()
    assert [row[0] for row in enrolled(experiment)] == ["u1"]
    assert totals(experiment) == [("u1", 1, 1, 0, 0)]


def test_fold__a_stop_behind_what_is_folded__takes_it_back():
    experiment = running(MetricKind.COUNT)
    builders.expose(experiment, "u1", "control")
    buy(experiment, at=T0 + HOUR)
    buy(experiment, at=T0 + 2 * HOUR)
    fold()
    Experiment.objects.filter(pk=experiment.pk).update(status=Status.STOPPED, stopped_at=T0 + HOUR)
    assert fold().rebuilt == 1
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__a_stop_after_everything_folded__rebuilds_nothing_and_still_takes_late_events():
    experiment = running(MetricKind.COUNT)
    builders.expose(experiment, "u1", "control")
    fold()
    Experiment.objects.filter(pk=experiment.pk).update(status=Status.STOPPED, stopped_at=T0 + DAY)
    assert fold().rebuilt == 0
    buy(experiment, at=T0 + HOUR)
    buy(experiment, at=T0 + DAY + HOUR)
    assert fold().rebuilt == 0
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__an_experiment_started_in_the_past__counts_what_lies_below_the_watermark():
    experiment = running(status=Status.DRAFT)
    builders.expose(experiment, "u1", "control")
    buy(experiment)
    fold()
    assert enrolled(experiment) == []
    Experiment.objects.filter(pk=experiment.pk).update(status=Status.RUNNING, started_at=T0)
    assert fold().rebuilt == 1
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__exposures_before_the_start__do_not_enrol():
    experiment = running()
    builders.expose(experiment, "u1", "control", at=T0 - HOUR)
    fold()
    assert enrolled(experiment) == []


def test_fold__a_new_phase__counts_what_comes_after_it_alone():
    experiment = running()
    for unit in ("u1", "u2"):
        builders.expose(experiment, unit, "control")
        buy(experiment, unit)
    fold()
    lifecycle.new_phase(experiment, None, "The logger lost events.", at=T0 + DAY)
    builders.expose(experiment, "u1", "treatment", at=T0 + DAY + HOUR)
    buy(experiment, at=T0 + DAY + 2 * HOUR)
    assert fold().rebuilt == 1
    assert enrolled(experiment) == [("u1", "treatment", T0 + DAY + HOUR, False)]
    assert totals(experiment) == [("u1", 1, 1, 0, 0)]
    assert fold().rebuilt == 0


def test_fold__a_metric_added_later__is_folded_from_the_whole_log():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    buy(experiment, name="Click")
    fold()
    clicks = builders.metric(experiment.project, "clicks", kind=MetricKind.COUNT, event="Click")
    ExperimentMetric.objects.create(experiment=experiment, metric=clicks, role=MetricRole.SECONDARY, position=1)
    assert fold().rebuilt == 1
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__values_that_are_no_numbers__count_as_missing_and_crash_nothing():
    experiment = running(MetricKind.SUM, property="revenue")
    builders.expose(experiment, "u1", "control")
    for value in (10, 2.5, " 1.25 ", "1e2"):
        buy(experiment, revenue=value)
    for value in ("ten", True, None, [1], "NaN", "1e999999", 10**18, ""):
        buy(experiment, revenue=value)
    buy(experiment)
    fold()
    assert totals(experiment) == [("u1", 0, 113.75, 0, 9)]


def test_fold__money_in_many_parts__is_exact():
    experiment = running(MetricKind.SUM, property="revenue")
    builders.expose(experiment, "u1", "control")
    for _ in range(3):
        buy(experiment, revenue=0.1)
        fold()
    assert UnitDay.objects.get().numerator == Decimal("0.3")


def test_fold__a_ratio__counts_both_events():
    experiment = running(MetricKind.RATIO, denominator_event="Search")
    builders.expose(experiment, "u1", "control")
    buy(experiment)
    for _ in range(3):
        buy(experiment, name="Search")
    fold()
    assert totals(experiment) == [("u1", 0, 1, 3, 0)]


def test_fold__an_average__divides_by_the_events_that_carry_a_number():
    experiment = running(MetricKind.AVERAGE, property="ms")
    builders.expose(experiment, "u1", "control")
    buy(experiment, ms=100)
    buy(experiment, ms=50)
    buy(experiment, ms="slow")
    fold()
    assert totals(experiment) == [("u1", 0, 150, 2, 1)]


@pytest.mark.parametrize("unit_type", list(UnitType))
def test_fold__each_unit_type__is_read_from_its_own_place(unit_type):
    experiment = running(unit_type=unit_type)
    fold()
    where = {
        UnitType.USER: {"unit": "me"},
        UnitType.DEVICE: {"unit": None, "anonymous_id": "me"},
    }.get(unit_type, {"unit": "someone", f"{unit_type}_id": "me"})
    builders.log(experiment.project, "Order Completed", at=T0 + HOUR, **where)
    fold()
    builders.expose(experiment, variant="control", **where)
    builders.log(experiment.project, "Order Completed", at=T0 + 2 * HOUR, **where)
    fold()
    assert [row[0] for row in enrolled(experiment)] == ["me"]
    assert totals(experiment) == [("me", 0, 2, 0, 0)]


def test_fold__another_projects_events__do_not_count():
    experiment, other = running(), running()
    builders.expose(experiment, "u1", "control")
    buy(other)
    fold()
    assert totals(experiment) == []


def test_fold__a_unit_id_too_long_for_an_index__is_left_out_and_stops_nothing():
    experiment = running()
    builders.expose(experiment, "u" * 256, "control")
    builders.expose(experiment, "u1", "control")
    fold()
    assert [row[0] for row in enrolled(experiment)] == ["u1"]


def test_fold__a_backlog__goes_in_chunks_of_bounded_size():
    experiment = running(MetricKind.COUNT)
    for index in range(10):
        builders.expose(experiment, f"u{index}", "control")
        buy(experiment, f"u{index}")
    seen = []
    done = fold(chunk_events=3, on_progress=lambda events, waiting: seen.append((events, waiting)))
    assert (done.events, done.chunks) == (20, 7)
    assert seen[0] == (3, 20)
    assert seen[-1] == (20, 20)
    assert [row[2] for row in totals(experiment)] == [1] * 10


def test_fold__buckets__are_the_same_for_the_same_unit_everywhere():
    first, second = running(), running()
    for experiment in (first, second):
        for index in range(200):
            builders.expose(experiment, f"u{index}", "control")
    fold()
    buckets = [
        dict(Enrolment.objects.filter(experiment=experiment).values_list("unit", "bucket"))
        for experiment in (first, second)
    ]
    assert buckets[0] == buckets[1]
    assert buckets[0]["u0"] == int(hashlib.md5(b"u0").hexdigest()[:8], 16) % 50  # noqa: S324  (not for security)
    assert len(set(buckets[0].values())) > 40
