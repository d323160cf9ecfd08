import dataclasses
from typing import Any

import pytest

from experiments import prerequisites
from experiments.domain.environments import Environment
from experiments.domain.kinds import ValueType
from experiments.domain.lifecycle import Status
from experiments.flags import FlagError, FlagPlan, archive_flag, create_flag, edit_flag, set_flag_environment
from experiments.models import AuditEntry, Flag
from experiments.refusals import ChangedMeanwhileError
from experiments.setup import PlanError, create_experiment
from tests import builders
from tests.experiments.test_setup import plan as experiment_plan

PLAN = FlagPlan(key="page-size", name="Page size", value_type=ValueType.NUMBER, default_value=20)


def flag_plan(**changes: Any) -> FlagPlan:
    return dataclasses.replace(PLAN, **changes)


def test_create__a_number__is_off_everywhere_and_stays_a_float(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    flag.refresh_from_db()
    assert type(flag.default_value) is float
    assert dict(flag.in_environments.values_list("environment", "enabled")) == dict.fromkeys(Environment, False)
    assert AuditEntry.objects.get().action == "flag.create"


def test_create__twice__makes_one_flag(shop, alice):
    assert create_flag(shop, alice, PLAN) == create_flag(shop, alice, PLAN)
    assert AuditEntry.objects.count() == 1


def test_create__a_key_of_another_flag__is_refused(shop, alice):
    create_flag(shop, alice, PLAN)
    with pytest.raises(FlagError, match="already used by a flag of this project"):
        create_flag(shop, alice, flag_plan(default_value=10))


def test_create__a_key_of_an_experiment__is_refused(shop, alice):
    builders.experiment(shop, "page-size")
    with pytest.raises(FlagError, match="already used by an experiment of this project"):
        create_flag(shop, alice, PLAN)


def test_create_experiment__a_key_of_a_flag__is_refused(shop, alice, purchase):
    create_flag(shop, alice, flag_plan(key="new-ranker"))
    with pytest.raises(PlanError, match="already used by a flag of this project"):
        create_experiment(shop, alice, experiment_plan(purchase))


def test_create__the_key_of_another_project__is_free(shop, alice):
    builders.a_flag(builders.project(), "page-size")
    assert create_flag(shop, alice, PLAN).project == shop


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "a/b"}, "use letters, digits"),
        ({"key": "new"}, "an address of the product itself"),
        ({"key": "k" * 81}, "81 characters"),
        ({"name": " "}, "Give the flag a name"),
        ({"default_value": "20"}, 'cannot be served. "20" is no number'),
    ],
)
def test_create__what_apps_could_not_ask_for__is_refused(shop, alice, changes, message):
    with pytest.raises(FlagError, match=message):
        create_flag(shop, alice, flag_plan(**changes))
    assert not Flag.objects.exists()


def test_edit__another_default__counts_a_revision_and_says_before_and_after(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    assert edit_flag(flag, alice, name="Page size", default_value=30.0, why="More is better.")
    assert (flag.default_value, flag.revision) == (30.0, 2)
    row = AuditEntry.objects.get(action="flag.edit")
    assert (row.before["default_value"], row.after["default_value"], row.why) == (20.0, 30.0, "More is better.")


def test_edit__the_same_again__changes_nothing(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    assert not edit_flag(flag, alice, name="Page size", default_value=20, revision=1)
    assert AuditEntry.objects.count() == 1


def test_edit__true_where_one_was__is_another_value(shop, alice):
    flag = create_flag(shop, alice, flag_plan(value_type=ValueType.OBJECT, default_value={"on": 1}))
    assert edit_flag(flag, alice, name="Page size", default_value={"on": True})
    flag.refresh_from_db()
    assert flag.default_value == {"on": True}


def test_edit__after_somebody_else__is_refused(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    edit_flag(flag, builders.user(), name="Page size", default_value=30, revision=1)
    with pytest.raises(ChangedMeanwhileError, match="changed by somebody else meanwhile"):
        edit_flag(flag, alice, name="Page size", default_value=40, revision=1)


def test_switch__twice__is_recorded_once(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    assert set_flag_environment(flag, Environment.STAGING, True, alice)
    assert not set_flag_environment(flag, Environment.STAGING, True, alice)
    assert flag.in_environments.get(enabled=True).environment == Environment.STAGING
    assert AuditEntry.objects.filter(action="flag.on").count() == 1


def test_archive__twice__is_recorded_once_and_then_nothing_changes_it(shop, alice):
    flag = create_flag(shop, alice, PLAN)
    assert archive_flag(flag, alice, "Nobody asks for it.")
    assert not archive_flag(flag, alice, "Nobody asks for it.")
    with pytest.raises(FlagError, match="is archived"):
        edit_flag(flag, alice, name="New", default_value=1)
    with pytest.raises(FlagError, match="already used"):
        create_flag(shop, alice, PLAN)


def test_archive__what_others_need__is_refused(shop, alice):
    flag = builders.a_flag(shop)
    needing = builders.experiment(shop, status=Status.DRAFT)
    prerequisites.set_prerequisites(needing, alice, {flag.key: True})
    with pytest.raises(FlagError, match="is a prerequisite of New ranker"):
        archive_flag(flag, alice)
