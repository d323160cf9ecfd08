"""What a fold remembers beside units: strays, how new the data are, which experiments changed, and late days."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis.models import FoldedExperiment, FoldedProject, LateDay, StrayExposure, Watermark
from analysis.rollup import days
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from experiments.domain.lifecycle import Status
from tests import builders
from tests.analysis.pipeline.test_fold import DAY, HOUR, buy, running, totals
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")


def test_fold__an_event_at_the_very_moment_of_the_newest_one_folded__counts_for_a_unit_exposed_then():
    experiment = running()
    fold()
    buy(experiment, at=T0 + HOUR)
    fold()
    builders.expose(experiment, "u1", "control", at=T0 + HOUR)
    fold()
    assert totals(experiment) == [("u1", 0, 1, 0, 0)]


def test_fold__exposures_of_which_none_is_a_stray__ask_for_no_strays_and_one_without_a_unit_is_counted_beside_them():
    experiment = running()
    fold()
    builders.expose(experiment, "u1", "control")
    fold()
    assert not StrayExposure.objects.exists()
    builders.expose(experiment, "u2", "control")
    builders.expose(experiment, None, "control", anonymous_id="d1")
    fold()
    assert [(one.reason, one.exposures) for one in StrayExposure.objects.all()] == [("no unit", 1)]


def test_fold__exposures_it_cannot_use__are_counted_by_what_they_name():
    experiment = running()
    builders.expose(experiment, "u1", "contrl")
    builders.expose(experiment, "u2", "contrl")
    builders.expose(experiment, None, "control", anonymous_id="d1")
    builders.log(experiment.project, "Experiment Viewed", "u1", variant=("nothing", "a"))
    fold()
    strays = StrayExposure.objects.order_by("reason").values_list("experiment", "variant", "reason", "exposures")
    assert list(strays) == [
        ("nothing", "a", "no experiment", 1),
        ("new-ranker", "control", "no unit", 1),
        ("new-ranker", "contrl", "no variant", 2),
    ]


def test_fold__how_new_the_data_are__never_lies_in_the_future():
    experiment = running()
    tomorrow = timezone.now() + DAY
    builders.expose(experiment, "u1", "control", at=tomorrow, received_at=T0 + HOUR)
    fold()
    folded = FoldedProject.objects.get(project=experiment.project)
    assert (folded.data_up_to, folded.newest_at, folded.events) == (T0 + HOUR, tomorrow, 1)


def test_fold__events_that_concern_nobody__change_no_experiment():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    fold()
    before = FoldedExperiment.objects.get(experiment=experiment).changes
    buy(experiment, name="Page")
    fold()
    assert FoldedExperiment.objects.get(experiment=experiment).changes == before
    buy(experiment)
    fold()
    assert FoldedExperiment.objects.get(experiment=experiment).changes == before + 1


def test_fold__events_after_a_stop__change_a_stopped_experiment_no_more():
    experiment = running(status=Status.STOPPED, stopped_at=T0 + HOUR)
    builders.expose(experiment, "u1", "control")
    fold()
    before = FoldedExperiment.objects.get(experiment=experiment).changes
    buy(experiment, at=T0 + DAY)
    fold()
    assert FoldedExperiment.objects.get(experiment=experiment).changes == before


def test_fold__an_event_whose_clients_clock_was_days_behind__is_found_when_its_unit_is_exposed_later():
    experiment = running()
    for behind in (timedelta(0), 3 * DAY, 400 * DAY):
        buy(experiment, at=T0 + 30 * DAY, ts=T0 + 30 * DAY - behind)
    fold()
    assert list(LateDay.objects.order_by("day").values_list("day", flat=True)) == [
        (T0 - 370 * DAY).date(), (T0 + 27 * DAY).date(),
    ]  # fmt: skip
    builders.expose(experiment, "u1", "control", at=T0 + 30 * DAY)
    fold()
    assert totals(experiment) == [("u1", 30, 3, 0, 0)]
    assert check([experiment]).differences == []


def test_fold__a_log_from_before_late_days_were_known__is_read_for_them_once():
    experiment = running()
    buy(experiment, at=T0 + 30 * DAY, ts=T0)
    fold()
    LateDay.objects.all().delete()
    Watermark.objects.filter(name=days.NAME).delete()
    builders.expose(experiment, "u1", "control", at=T0 + 30 * DAY)
    fold()
    assert totals(experiment) == [("u1", 30, 1, 0, 0)]
