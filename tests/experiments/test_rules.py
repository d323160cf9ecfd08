import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from experiments import lifecycle, prerequisites
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind, RuleKind, ValueType
from experiments.domain.lifecycle import Status
from experiments.flags import FlagError
from experiments.models import AuditEntry, Flag, FlagRule
from experiments.refusals import ChangedMeanwhileError
from experiments.rules import RulePlan, add_rule, edit_rule, remove_rule, reorder_rules
from tests import builders
from tests.builders import T0

SOME = RulePlan(kind=RuleKind.ROLLOUT, value=True, share=1000, targeting={"plan": "pro", "country": "SE"})


@pytest.fixture
def flag(shop) -> Flag:
    return builders.a_flag(shop)


def changed(**changes: Any) -> RulePlan:
    return dataclasses.replace(SOME, **changes)


def test_add__three_rules__stand_in_the_order_they_came(flag, alice):
    for name in ("a", "b", "c"):
        add_rule(flag, alice, changed(name=name))
    assert list(flag.rules.values_list("name", "position")) == [("a", 0), ("b", 1), ("c", 2)]
    assert flag.revision == 4


def test_add__the_same_form_twice__adds_one_rule(flag, alice):
    first = add_rule(flag, alice, SOME, revision=1)
    assert add_rule(Flag.objects.get(pk=flag.pk), alice, SOME, revision=1) == first
    assert FlagRule.objects.count() == AuditEntry.objects.count() == 1


def test_add__after_somebody_else__is_refused(flag, alice):
    add_rule(flag, builders.user(), SOME, revision=1)
    with pytest.raises(ChangedMeanwhileError):
        add_rule(flag, alice, changed(name="Another"), revision=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": "yes"}, 'cannot be served. "yes" is no boolean'),
        ({"share": 10_001}, "at most 100 %"),
        ({"targeting": {"$segment": "vips"}}, "There is no segment 'vips'"),
        ({"starts_at": T0, "ends_at": T0}, "must lie after its beginning"),
        ({"kind": RuleKind.EXPERIMENT}, "Choose an experiment"),
    ],
)
def test_add__a_rule_that_cannot_work__is_refused(flag, alice, changes, message):
    with pytest.raises(FlagError, match=message):
        add_rule(flag, alice, changed(**changes))
    assert not FlagRule.objects.exists()


def test_edit__a_larger_share__keeps_the_salt(flag, alice):
    rule = add_rule(flag, alice, SOME)
    salt = rule.salt
    assert edit_rule(rule, alice, changed(share=5000, environments=(Environment.STAGING,)))
    rule.refresh_from_db()
    assert (rule.share, rule.salt, rule.environments) == (5000, salt, ["staging"])


def test_edit__to_what_it_is__changes_nothing(flag, alice):
    rule = add_rule(flag, alice, changed(starts_at=T0, ends_at=T0 + timedelta(days=1)))
    rule.refresh_from_db()
    assert not edit_rule(rule, alice, changed(starts_at=T0, ends_at=T0 + timedelta(days=1)), revision=1)
    assert AuditEntry.objects.count() == 1


def test_remove__the_middle_one_twice__closes_the_gap_once(flag, alice):
    rules = [add_rule(flag, alice, changed(name=name)) for name in ("a", "b", "c")]
    assert remove_rule(rules[1], alice)
    assert not remove_rule(rules[1], alice)
    assert list(flag.rules.values_list("name", "position")) == [("a", 0), ("c", 1)]


def test_reorder__last_first__trades_places(flag, alice):
    first, second = (add_rule(flag, alice, changed(name=name)).pk for name in ("a", "b"))
    assert reorder_rules(flag, alice, [second, first])
    assert not reorder_rules(flag, alice, [second, first])
    assert list(flag.rules.values_list("name", flat=True)) == ["b", "a"]


def test_reorder__with_a_rule_unknown_or_missing__is_refused(flag, alice):
    rule = add_rule(flag, alice, SOME)
    for order in ([], [rule.pk, rule.pk], [rule.pk + 1]):
        with pytest.raises(ChangedMeanwhileError):
            reorder_rules(flag, alice, order)


def test_experiment_rule__variants_of_another_type__is_refused(flag, shop, alice):
    experiment = builders.experiment(shop, status=Status.DRAFT)
    with pytest.raises(FlagError, match="The variant 'control' does not fit the flag 'free-shipping'"):
        add_rule(flag, alice, RulePlan(kind=RuleKind.EXPERIMENT, experiment=experiment))


def test_start__variants_that_no_longer_fit_their_flag__waits(shop, alice, purchase):
    flag = builders.a_flag(shop, value_type=ValueType.STRING, default_value="control")
    experiment = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    add_rule(flag, alice, RulePlan(kind=RuleKind.EXPERIMENT, experiment=experiment))
    experiment.variants.filter(position=1).update(value=3)
    with pytest.raises(lifecycle.NotReadyError, match="does not fit the flag 'free-shipping': 3 is no string"):
        lifecycle.start(experiment, alice)


def test_experiment_rule__of_a_holdout_or_another_project__is_refused(flag, shop, alice):
    holdout = builders.a_holdout(shop)
    with pytest.raises(FlagError, match="is a holdout"):
        add_rule(flag, alice, RulePlan(kind=RuleKind.EXPERIMENT, experiment=holdout))
    foreign = builders.experiment(builders.project())
    with pytest.raises(FlagError, match="of this project"):
        add_rule(flag, alice, RulePlan(kind=RuleKind.EXPERIMENT, experiment=foreign))


def test_experiment_rule__whose_experiment_needs_the_flag__names_the_way(shop, alice):
    flag = builders.a_flag(shop, value_type=ValueType.STRING, default_value="a")
    experiment = builders.experiment(shop, status=Status.DRAFT)
    prerequisites.set_prerequisites(experiment, alice, {flag.key: "b"})
    with pytest.raises(FlagError, match="free-shipping → new-ranker → free-shipping"):
        add_rule(flag, alice, RulePlan(kind=RuleKind.EXPERIMENT, experiment=experiment))


def test_database__a_rule_of_two_minds__is_refused(flag, shop):
    experiment = builders.experiment(shop, kind=ExperimentKind.STANDARD)
    with pytest.raises(IntegrityError, match="experiment_rule_alone_names_an_experiment"), transaction.atomic():
        FlagRule.objects.create(flag=flag, position=0, kind=RuleKind.FORCE, experiment=experiment)
