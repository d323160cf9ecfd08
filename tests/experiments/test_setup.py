import dataclasses
from typing import Any

import pytest

from experiments import layers
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.domain.units import UnitType
from experiments.models import AuditEntry, Experiment
from experiments.prerequisites import set_prerequisites
from experiments.setup import (
    ExperimentPlan,
    MetricPlan,
    PlanError,
    VariantPlan,
    create_experiment,
    missing_for_start,
    plan_of,
    revise_experiment,
)
from tests import builders


def plan(purchase, **changes: Any) -> ExperimentPlan:
    whole = ExperimentPlan(
        key="new-ranker",
        name="New ranker",
        variants=(
            VariantPlan(key="control", name="Control", weight=5000),
            VariantPlan(key="v2", name="V2", weight=5000, value={"model": "v2"}),
        ),
        metrics=(MetricPlan(metric=purchase, role=MetricRole.PRIMARY),),
    )
    return dataclasses.replace(whole, **changes)


def test_create__a_whole_plan__is_stored_as_it_was_given(shop, alice, purchase):
    wanted = plan(purchase, hypothesis="People find more.", allocation=2500)
    made = create_experiment(shop, alice, wanted)
    assert plan_of(made) == wanted
    assert made.status == Status.DRAFT
    assert AuditEntry.objects.get().action == "experiment.create"


def test_create__the_same_plan_twice__makes_one_experiment(shop, alice, purchase):
    first = create_experiment(shop, alice, plan(purchase))
    assert create_experiment(shop, alice, plan(purchase)) == first
    assert Experiment.objects.count() == AuditEntry.objects.count() == 1


def test_create__another_plan_with_the_same_key__is_refused(shop, alice, purchase):
    create_experiment(shop, alice, plan(purchase))
    with pytest.raises(PlanError, match="'new-ranker' is already used"):
        create_experiment(shop, alice, plan(purchase, name="Something else"))


def test_create__the_same_plan_from_somebody_else__is_refused(shop, alice, purchase):
    create_experiment(shop, alice, plan(purchase))
    with pytest.raises(PlanError, match="already used"):
        create_experiment(shop, builders.user(), plan(purchase))


def variants(*weights: int) -> tuple[VariantPlan, ...]:
    return tuple(VariantPlan(key=f"v{i}", name=f"V{i}", weight=weight) for i, weight in enumerate(weights))


TWO_ALIKE = (VariantPlan(key="a", name="A", weight=5000), VariantPlan(key="a", name="B", weight=5000))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": variants(3333, 3333, 3333)}, "add up to 99.99 %; they must add up to exactly 100 %"),
        ({"variants": variants(5000, 5001)}, "add up to 100.01 %"),
        ({"variants": variants(10_000)}, "There are 1 variants; compare at least 2"),
        ({"variants": variants(10_000, 0)}, "Every variant needs a weight above 0 %"),
        ({"variants": TWO_ALIKE}, "'a' is used 2 times"),
        ({"key": "no spaces"}, "The key is 'no spaces'; use letters, digits, dots, dashes and underscores only"),
        ({"key": "new"}, "address of the product itself"),
        ({"name": "  "}, "Give the experiment a name"),
        ({"planned_days": 0}, "at least one day"),
        ({"allocation": 0}, "more than 0 %"),
        ({"metrics": ()}, "Choose a primary metric"),
    ],
)
def test_create__a_plan_that_cannot_be__is_refused_in_words(shop, alice, purchase, changes, message: str):
    with pytest.raises(PlanError, match=message):
        create_experiment(shop, alice, plan(purchase, **changes))
    assert not Experiment.objects.exists()


def test_create__a_guardrail_without_a_margin__is_refused(shop, alice, purchase):
    slow = builders.metric(shop, "latency")
    uses = (MetricPlan(metric=purchase, role=MetricRole.PRIMARY), MetricPlan(metric=slow, role=MetricRole.GUARDRAIL))
    with pytest.raises(PlanError, match="guardrail Latency needs a margin"):
        create_experiment(shop, alice, plan(purchase, metrics=uses))


def test_create__one_metric_in_two_roles__is_refused(shop, alice, purchase):
    uses = tuple(MetricPlan(metric=purchase, role=role) for role in (MetricRole.PRIMARY, MetricRole.SECONDARY))
    with pytest.raises(PlanError, match="chosen 2 times"):
        create_experiment(shop, alice, plan(purchase, metrics=uses))


def test_revise__a_draft__gets_the_new_plan_and_an_audit_row_with_both(shop, alice, purchase):
    made = create_experiment(shop, alice, plan(purchase))
    wanted = plan(purchase, name="Newer ranker", planned_days=28)
    revised = revise_experiment(made, alice, wanted)
    assert (plan_of(revised), revised.revision) == (wanted, 2)
    row = AuditEntry.objects.get(action="experiment.revise")
    assert (row.before["planned_days"], row.after["planned_days"]) == (14, 28)


def test_revise__a_running_experiment__keeps_its_plan(shop, alice, purchase):
    running = builders.experiment(shop, primary=purchase)
    with pytest.raises(PlanError, match="has started: its plan is frozen"):
        revise_experiment(running, alice, plan(purchase, planned_days=99))
    running.refresh_from_db()
    assert running.planned_days == 14


def test_missing__a_draft_without_a_metric__says_so(shop):
    assert missing_for_start(builders.experiment(shop, status=Status.DRAFT)) == [
        "Choose a primary metric: the one that decides."
    ]


def test_revise__a_draft_with_overrides__keeps_those_of_variants_that_stay(shop, alice, purchase):
    made = create_experiment(shop, alice, plan(purchase))
    for unit, variant in (("qa-1", "control"), ("qa-2", "v2")):
        builders.an_override(made, unit, variant, note="phone", created_by=alice)
    other = (
        VariantPlan(key="control", name="Control", weight=5000),
        VariantPlan(key="v3", name="V3", weight=5000),
    )
    revised = revise_experiment(made, alice, plan(purchase, variants=other))
    assert list(revised.overrides.values_list("unit_id", "variant__key", "note", "created_by")) == [
        ("qa-1", "control", "phone", alice.pk)
    ]


def test_revise__what_others_need__stays(shop, alice, purchase):
    made = create_experiment(shop, alice, plan(purchase))
    flag = builders.a_flag(shop)
    set_prerequisites(flag, alice, {"new-ranker": "control"})
    with pytest.raises(PlanError, match="The key 'new-ranker' stays: it is a prerequisite of Free shipping"):
        revise_experiment(made, alice, plan(purchase, key="other"))
    other = (VariantPlan(key="old", name="Old", weight=5000), VariantPlan(key="v2", name="V2", weight=5000))
    with pytest.raises(PlanError, match="A variant must serve 'control': Free shipping needs that value"):
        revise_experiment(made, alice, plan(purchase, variants=other))


def test_revise__another_unit_in_a_layer__is_refused(shop, alice, purchase):
    made = create_experiment(shop, alice, plan(purchase))
    layers.join(made, builders.a_layer(shop), 5000, alice)
    with pytest.raises(PlanError, match="It is in a layer of users; leave that first"):
        revise_experiment(made, alice, plan(purchase, unit_type=UnitType.DEVICE))
    assert revise_experiment(made, alice, plan(purchase, name="Renamed")).layer_ranges == [[0, 5000]]
