"""What the fold leaves out: other environments and overridden units; and the two populations that it keeps."""

from datetime import timedelta

import pytest

from analysis.data_quality import overridden_units
from analysis.models import Enrolment, FoldedProject, UnitDay
from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from experiments.models import Override
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
STAGING, DEVELOPMENT = 1, 2


@pytest.fixture
def experiment():
    home = builders.project()
    return builders.experiment(home, primary=builders.metric(home))


def override(experiment, unit, variant="treatment"):
    Override.objects.create(experiment=experiment, unit_id=unit, variant=experiment.variants.get(key=variant))


def units(experiment):
    return list(Enrolment.objects.filter(experiment=experiment).order_by("unit").values_list("unit", flat=True))


def triggers(experiment):
    rows = Enrolment.objects.filter(experiment=experiment).order_by("unit")
    return [(row.unit, row.triggered_at and (row.triggered_at - T0) / HOUR, row.reports_difference) for row in rows]


def buy(experiment, unit, **fields):
    builders.log(experiment.project, "Order Completed", unit, at=T0 + HOUR, **fields)


@pytest.mark.parametrize("environment", [STAGING, DEVELOPMENT])
def test_fold__events_of_another_environment__count_nowhere(experiment, environment):
    builders.expose(experiment, "u1", "control", environment=environment)
    buy(experiment, "u1", environment=environment)
    builders.expose(experiment, "u2", "control")
    buy(experiment, "u2", environment=environment)
    assert fold().events == 1
    assert units(experiment) == ["u2"]
    assert UnitDay.objects.count() == 0
    assert FoldedProject.objects.get(project=experiment.project).events == 1
    assert check([experiment]).differences == []


def test_fold__production_exposure_after_staging_ones__starts_at_the_production_one(experiment):
    fold()
    builders.expose(experiment, "u1", "treatment", environment=STAGING)
    buy(experiment, "u1", environment=STAGING)
    builders.expose(experiment, "u1", "control", at=T0 + 2 * HOUR)
    fold()
    (row,) = Enrolment.objects.all()
    assert (row.variant.key, row.first_at, row.quarantined) == ("control", T0 + 2 * HOUR, False)
    assert UnitDay.objects.count() == 0
    assert check([experiment]).differences == []


def test_fold__overridden_unit__is_never_enrolled(experiment):
    override(experiment, "qa")
    builders.expose(experiment, "qa", "treatment")
    builders.expose(experiment, "u1", "treatment")
    fold()
    buy(experiment, "qa")
    builders.expose(experiment, "qa", "control", at=T0 + HOUR)
    fold()
    assert units(experiment) == ["u1"]
    assert UnitDay.objects.count() == 0
    assert check([experiment]).differences == []


def test_fold__override_added_later__takes_the_unit_out_and_its_removal_brings_it_back(experiment):
    for unit in ("qa", "u1"):
        builders.expose(experiment, unit, "treatment")
        buy(experiment, unit)
    fold()
    assert units(experiment) == ["qa", "u1"]
    override(experiment, "qa")
    assert fold().rebuilt == 1
    assert units(experiment) == ["u1"]
    assert check([experiment]).differences == []
    Override.objects.all().delete()
    assert fold().rebuilt == 1
    assert units(experiment) == ["qa", "u1"]
    assert UnitDay.objects.count() == 2


def test_fold__override_of_another_experiment__changes_nothing_here(experiment):
    other = builders.experiment(experiment.project, "other")
    override(other, "u1")
    builders.expose(experiment, "u1", "treatment")
    fold()
    assert units(experiment) == ["u1"]
    assert fold().rebuilt == 0


def test_overridden_units__counts_those_that_were_exposed(experiment):
    for unit in ("qa-1", "qa-2", "qa-3"):
        override(experiment, unit)
    builders.expose(experiment, "qa-1", "treatment")
    builders.expose(experiment, "qa-1", "treatment", at=T0 + HOUR)
    builders.expose(experiment, "qa-2", "treatment", environment=STAGING)
    buy(experiment, "qa-3")
    assert overridden_units(experiment) == 1


def test_triggered__first_exposure_whose_outputs_differ__is_kept_beside_the_first_of_all(experiment):
    builders.expose(experiment, "u1", "control", outputs_differ=False)
    builders.expose(experiment, "u1", "control", at=T0 + 3 * HOUR, outputs_differ=True)
    builders.expose(experiment, "u2", "control", outputs_differ=False)
    builders.expose(experiment, "u3", "control")
    fold()
    assert triggers(experiment) == [("u1", 3, True), ("u2", None, True), ("u3", None, False)]
    builders.expose(experiment, "u1", "control", at=T0 + 2 * HOUR, outputs_differ=True)
    builders.expose(experiment, "u2", "control", at=T0 + 5 * HOUR, outputs_differ=True)
    builders.expose(experiment, "u3", "control", at=T0 + 6 * HOUR, outputs_differ=False)
    fold()
    assert triggers(experiment) == [("u1", 2, True), ("u2", 5, True), ("u3", None, True)]
    assert check([experiment]).differences == []
    rebuild([experiment])
    assert triggers(experiment) == [("u1", 2, True), ("u2", 5, True), ("u3", None, True)]


def test_triggered__a_word_instead_of_yes__is_no_trigger(experiment):
    builders.expose(experiment, "u1", "control", outputs_differ="true")
    fold()
    assert triggers(experiment) == [("u1", None, True)]
