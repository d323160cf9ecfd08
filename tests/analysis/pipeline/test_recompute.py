from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from analysis.models import Enrolment, FoldedProject, UnitDay, Watermark
from analysis.rollup.fold import fold
from analysis.rollup.watermark import RestoredError
from experiments.domain.metrics import MetricKind
from experiments.domain.units import UnitType
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)


@pytest.fixture
def experiment():
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, kind=MetricKind.SUM, property="revenue"))
    for index in range(5):
        builders.expose(made, f"u{index}", "control")
        builders.log(home, "Order Completed", f"u{index}", at=T0 + HOUR, revenue=index)
        fold()
    return made


def recompute(*arguments):
    out = StringIO()
    call_command("recompute", *arguments, stdout=out)
    return out.getvalue().strip()


def test_check__an_untouched_state__has_no_difference(experiment):
    assert recompute("--check") == "1 experiments, 10 rows, 0 differences."


def test_check__a_changed_total__is_named_and_the_command_fails(experiment, capsys):
    UnitDay.objects.filter(experiment=experiment, unit="u3").update(numerator=99)
    out = StringIO()
    with pytest.raises(CommandError, match="1 differences") as failure:
        call_command("recompute", "--check", stdout=out)
    assert failure.value.returncode == 1
    assert "new-ranker, unit u3, metric" in out.getvalue()
    assert "99" in out.getvalue()


@pytest.mark.parametrize("table", [Enrolment, UnitDay])
def test_check__a_missing_row__is_a_difference(experiment, table):
    table.objects.filter(experiment=experiment, unit="u3").delete()
    with pytest.raises(CommandError, match="1 differences"):
        recompute("--check")


def test_check__a_row_too_many__is_a_difference(experiment):
    extra = UnitDay.objects.filter(experiment=experiment, unit="u3").get()
    UnitDay.objects.create(
        experiment=experiment, metric=extra.metric, unit="ghost", day=extra.day, numerator=1, denominator=0
    )
    with pytest.raises(CommandError, match="1 differences"):
        recompute("--check")


def test_check__rows_above_the_watermark__are_left_to_the_next_fold(experiment):
    builders.log(experiment.project, "Order Completed", "u1", at=T0 + HOUR, revenue=5)
    assert recompute("--check").endswith("0 differences.")


def test_check__an_experiment_not_folded_yet__is_left_out_and_said(experiment):
    builders.experiment(experiment.project, "second")
    assert recompute("--check").endswith("1 not folded yet under their present plan were left out.")


def test_recompute__repairs_what_the_check_found(experiment):
    UnitDay.objects.filter(experiment=experiment, unit="u3").delete()
    Enrolment.objects.filter(experiment=experiment, unit="u4").update(quarantined=True)
    assert recompute("--experiment", "new-ranker") == "1 experiments rebuilt from the log."
    assert recompute("--check").endswith("0 differences.")


def test_recompute__an_unknown_experiment__names_those_there_are(experiment):
    with pytest.raises(CommandError, match=r"the key typo\. Started: new-ranker"):
        recompute("--experiment", "typo")


def test_check__units_named_in_properties__are_recomputed_too():
    home = builders.project()
    made = builders.experiment(home, unit_type=UnitType.SESSION, primary=builders.metric(home))
    builders.expose(made, "someone", "control", session_id="s1")
    builders.log(home, "Order Completed", "someone", at=T0 + HOUR, session_id="s1")
    fold()
    assert recompute("--check") == "1 experiments, 2 rows, 0 differences."


def test_fold__in_a_database_restored_elsewhere__stops_and_says_what_to_run(experiment):
    Watermark.objects.update(xid=2**40)
    with pytest.raises(RestoredError, match="recompute --restored"):
        fold()


def test_recompute__after_a_restore__folds_everything_anew_and_counts_it_once(experiment):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_log SET xid = '1099511627000'")
    Watermark.objects.update(xid=2**40)
    assert recompute("--restored") == "10 events folded anew."
    assert FoldedProject.objects.get().events == 10
    assert recompute("--check") == "1 experiments, 10 rows, 0 differences."
    builders.log(experiment.project, "Order Completed", "u1", at=T0 + HOUR, revenue=5)
    assert fold().events == 1
