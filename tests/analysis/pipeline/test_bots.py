"""Units with implausible rates: flagged from the log, left out in the fold by rule, and back without it."""

from datetime import timedelta

import pytest
from django.db import connection

from analysis.bots import excluding, flagging
from analysis.bots.excluding import Limits
from analysis.bots.results import bots_check
from analysis.models import BotDay, Enrolment, UnitDay
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from experiments.domain.units import UnitType
from experiments.models import AuditEntry, Experiment
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(most_a_day=1_000, most_a_minute=100)


@pytest.fixture
def experiment():
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home))
    for unit, variant in (("u1", "control"), ("u2", "treatment"), ("crawler", "treatment")):
        builders.expose(made, unit, variant)
        builders.log(home, "Order Completed", unit, at=T0 + HOUR)
    return made


def send(experiment, unit, events, *, at=T0 + HOUR, every="30 seconds", field="user_id", environment=0):
    """Log many events of a unit, one every so often."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_log (project_id, id, ts, at, received_at, name, " + field + ", props, environment)"
            " SELECT %s, gen_random_uuid(), m, m, m, 'Page Viewed', %s, '{}', %s"
            " FROM (SELECT %s::timestamptz + n * %s::interval AS m FROM generate_series(1, %s) n) t",
            [experiment.project_id, unit, environment, at, every, events],
        )


def enrolled(experiment):
    return set(Enrolment.objects.filter(experiment=experiment).values_list("unit", flat=True))


def leave_out(experiment, limits=LIMITS):
    return excluding.switch_on(experiment.project, None, limits, T0 + DAY)


def exact(experiment):
    fold()
    assert check([experiment]).differences == []
    return enrolled(experiment)


def test_flag__many_events_in_a_day_or_a_minute__are_kept_as_evidence_and_no_others(experiment):
    send(experiment, "crawler", 1_100)
    send(experiment, "hasty", 101, every="0.1 seconds")
    send(experiment, "busy", 900)
    send(experiment, "tester", 1_100, environment=1)
    send(experiment, "phone", 1_001, field="anonymous_id")
    flagging.flag(T0 + DAY)
    found = BotDay.objects.order_by("unit").values_list("unit", "unit_type", "events", "busiest")
    assert list(found) == [
        ("crawler", "user", 1_102, 2), ("hasty", "user", 101, 101), ("phone", "device", 1_001, 2)
    ]  # fmt: skip


def test_flag__a_day_under_way__waits_until_it_is_over_and_late_events_count_it_again(experiment):
    send(experiment, "crawler", 1_100, every="10 seconds")
    assert flagging.flag(T0 + 5 * HOUR) == 0
    assert flagging.flag(T0 + DAY) == 1
    assert flagging.flag(T0 + DAY) == 0
    send(experiment, "crawler", 7, at=T0 + 2 * HOUR)
    send(experiment, "late", 1_200, at=T0 + HOUR, every="20 seconds")
    assert flagging.flag(T0 + 3 * DAY) == 3
    assert dict(BotDay.objects.values_list("unit", "events")) == {"crawler": 1_109, "late": 1_200}


def test_rule__leaves_bots_out_in_every_variant_and_switched_off_brings_them_back(experiment):
    send(experiment, "crawler", 1_100)
    assert exact(experiment) == {"u1", "u2", "crawler"}
    flagging.flag(T0 + DAY)
    assert exact(experiment) == {"u1", "u2", "crawler"}
    leave_out(experiment)
    assert exact(experiment) == {"u1", "u2"}
    assert set(UnitDay.objects.values_list("unit", flat=True)) == {"u1", "u2"}
    builders.log(experiment.project, "Order Completed", "crawler", at=T0 + 2 * HOUR)
    builders.expose(experiment, "crawler", "control", at=T0 + 3 * HOUR)
    assert exact(experiment) == {"u1", "u2"}
    leave_out(experiment, Limits(most_a_day=5_000, most_a_minute=500))
    assert exact(experiment) == {"u1", "u2", "crawler"}
    leave_out(experiment)
    assert exact(experiment) == {"u1", "u2"}
    assert excluding.switch_off(experiment.project, None)
    assert exact(experiment) == {"u1", "u2", "crawler"}
    assert AuditEntry.objects.filter(action__startswith="bots.").count() == 4


def test_rule__a_bot_found_later__leaves_as_soon_as_its_day_is_counted(experiment):
    leave_out(experiment)
    assert exact(experiment) == {"u1", "u2", "crawler"}
    send(experiment, "u2", 150, at=T0 + DAY, every="0.2 seconds")
    flagging.flag(T0 + 2 * DAY)
    assert exact(experiment) == {"u1", "crawler"}
    flagging.flag(T0 + 2 * DAY)
    assert fold().rebuilt == 0


def test_rule__other_projects_unit_types_days_and_experiments_that_had_stopped__are_not_touched(experiment):
    elsewhere = builders.experiment(builders.project())
    devices = builders.experiment(experiment.project, "devices", unit_type=UnitType.DEVICE)
    later = builders.experiment(experiment.project, "later", started_at=T0 + 2 * DAY)
    ended = builders.experiment(experiment.project, "ended", stopped_at=T0 + 2 * HOUR)
    for one in (elsewhere, devices, later, ended):
        at = (one.started_at or T0) + HOUR
        builders.expose(one, "crawler", "control", at=at, anonymous_id="crawler")
    send(experiment, "crawler", 1_100)
    flagging.flag(T0 + DAY)
    leave_out(experiment)
    fold()
    assert all(enrolled(one) == {"crawler"} for one in (elsewhere, devices, later, ended))
    assert check(Experiment.objects.all()).differences == []


def test_preview__says_how_many_by_variant_and_changes_nothing(experiment):
    send(experiment, "crawler", 1_100)
    flagging.flag(T0 + DAY)
    fold()
    (found,) = excluding.preview(experiment.project, LIMITS)
    assert (found.left_out, found.variants) == (1, (("Control", 0, 1), ("Treatment", 1, 2)))
    assert fold().rebuilt == 0


def test_preview__of_many_experiments__asks_as_often_and_counts_days_since_each_began(
    experiment, django_assert_num_queries
):
    send(experiment, "crawler", 1_100)
    flagging.flag(T0 + DAY)
    for number, began in enumerate((T0, T0 + 2 * DAY)):
        one = builders.experiment(experiment.project, f"other-{number}", started_at=began)
        builders.expose(one, "crawler", "control", at=began + HOUR)
    fold()
    with django_assert_num_queries(4):
        found = excluding.preview(experiment.project, LIMITS)
    assert [(one.experiment.key, one.left_out) for one in found] == [
        ("new-ranker", 1), ("other-0", 1), ("other-1", 0),
    ]  # fmt: skip


def test_bots_check__counts_by_variant_and_warns_where_they_differ(experiment):
    assert bots_check(experiment, {"control": 1, "treatment": 2}) is None
    send(experiment, "crawler", 1_100)
    flagging.flag(T0 + DAY)
    leave_out(experiment)
    fold()
    said = bots_check(experiment, {"control": 1, "treatment": 1})
    assert (said.ok, said.summary) == (True, "1 unit left out by the rule for bots: Control 0, Treatment 1")
    bots = [f"bot-{number}" for number in range(16)]
    for unit in bots:
        builders.expose(experiment, unit, "treatment")
        send(experiment, unit, 120, every="0.1 seconds")
    flagging.flag(T0 + DAY)
    said = bots_check(experiment, {"control": 100, "treatment": 100})
    assert said.ok is False
    assert said.summary.endswith("Control 0, Treatment 17 (p < 0.001)")
