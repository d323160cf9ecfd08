import dataclasses
from typing import Any

import pytest

from experiments.domain.kinds import RuleKind, SegmentKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, FlagRule, Segment
from experiments.refusals import ChangedMeanwhileError
from experiments.segments import SegmentError, SegmentPlan, archive_segment, create_segment, edit_segment, uses
from tests import builders

STAFF = SegmentPlan(key="staff", name="Staff", kind=SegmentKind.LIST, unit_attribute="id", values=("u1", "u2", "u1"))
PRO = SegmentPlan(key="pro", name="Pro", kind=SegmentKind.CONDITION, targeting={"plan": {"$in": ["pro", "team"]}})


def changed(plan: SegmentPlan, **changes: Any) -> SegmentPlan:
    return dataclasses.replace(plan, **changes)


def test_create__a_list__keeps_each_value_once(shop, alice):
    assert create_segment(shop, alice, STAFF).values == ["u1", "u2"]


def test_create__twice__makes_one(shop, alice):
    assert create_segment(shop, alice, PRO) == create_segment(shop, alice, PRO)
    assert AuditEntry.objects.count() == 1


def test_create__a_key_in_use__is_refused(shop, alice):
    create_segment(shop, alice, PRO)
    with pytest.raises(SegmentError, match="already used by a segment"):
        create_segment(shop, alice, changed(PRO, name="Other"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (changed(STAFF, unit_attribute=""), "Name the attribute"),
        (changed(STAFF, values=("",)), "1 to 256 characters"),
        (changed(STAFF, values=tuple(map(str, range(50_001)))), "50,000 are allowed"),
        (changed(STAFF, key="a b"), "use letters"),
        (changed(STAFF, name=""), "Give the segment a name"),
        (changed(PRO, targeting={}), "an empty condition would hold for everyone"),
        (changed(PRO, targeting={"plan": {"$is": 1}}), "is no operator on plan"),
    ],
)
def test_create__what_holds_nobody_or_everybody_by_mistake__is_refused(shop, alice, plan, message):
    with pytest.raises(SegmentError, match=message):
        create_segment(shop, alice, plan)
    assert not Segment.objects.exists()


def test_edit__to_refer_to_itself__is_refused_and_named(shop, alice):
    pro = create_segment(shop, alice, PRO)
    create_segment(shop, alice, changed(PRO, key="rich", name="Rich", targeting={"$segment": "pro"}))
    with pytest.raises(SegmentError, match="pro → rich → pro"):
        edit_segment(pro, alice, changed(PRO, targeting={"$not": {"$segment": "rich"}}))


def test_edit__nobody_uses_it__is_free(shop, alice):
    staff = create_segment(shop, alice, STAFF)
    assert edit_segment(staff, alice, changed(STAFF, values=("u9",)), revision=1)
    assert not edit_segment(staff, alice, changed(STAFF, values=("u9",)), revision=1)
    assert (staff.values, staff.revision) == (["u9"], 2)


def test_edit__after_somebody_else__is_refused(shop, alice):
    staff = create_segment(shop, alice, STAFF)
    edit_segment(staff, alice, changed(STAFF, name="People"), revision=1)
    with pytest.raises(ChangedMeanwhileError):
        edit_segment(staff, alice, changed(STAFF, name="Others"), revision=1)


def test_edit__of_a_running_experiment__only_adds(shop, alice):
    staff = create_segment(shop, alice, STAFF)
    builders.experiment(shop, targeting={"$segment": "staff"})
    with pytest.raises(SegmentError, match="New ranker has started and targets this segment"):
        edit_segment(staff, alice, changed(STAFF, values=("u1",)))
    assert edit_segment(staff, alice, changed(STAFF, values=("u1", "u2", "u3")))
    assert edit_segment(staff, alice, changed(STAFF, name="Our staff", values=("u1", "u2", "u3")))


@pytest.mark.parametrize("condition", [{"$not": {"$segment": "staff"}}, {"id": {"$notInGroup": "staff"}}])
def test_edit__of_a_running_experiment_that_excludes_it__does_not_even_add(shop, alice, condition):
    staff = create_segment(shop, alice, STAFF)
    builders.experiment(shop, targeting=condition)
    with pytest.raises(SegmentError, match="units could leave it"):
        edit_segment(staff, alice, changed(STAFF, values=("u1", "u2", "u3")))


def test_edit__used_through_another_segment__is_locked_too(shop, alice):
    pro = create_segment(shop, alice, PRO)
    create_segment(shop, alice, changed(PRO, key="rich", name="Rich", targeting={"$segment": "pro"}))
    builders.experiment(shop, targeting={"$segment": "rich"})
    with pytest.raises(SegmentError, match="has started"):
        edit_segment(pro, alice, changed(PRO, targeting={"plan": "pro"}))


def test_archive__what_is_used__is_refused_and_says_where(shop, alice):
    staff = builders.a_segment(shop)
    FlagRule.objects.create(
        flag=builders.a_flag(shop), position=0, kind=RuleKind.FORCE, value=True, targeting={"$segment": "staff"}
    )
    builders.experiment(shop, status=Status.STOPPED, targeting={"$segment": "staff"})
    assert list(uses(staff)) == ["Free shipping (rule 1 of Free shipping)"]
    with pytest.raises(SegmentError, match="is used by Free shipping"):
        archive_segment(staff, alice)


def test_archive__twice__is_recorded_once_and_frees_nothing(shop, alice):
    staff = create_segment(shop, alice, STAFF)
    assert archive_segment(staff, alice)
    assert not archive_segment(staff, alice)
    with pytest.raises(SegmentError, match="already used"):
        create_segment(shop, alice, STAFF)
