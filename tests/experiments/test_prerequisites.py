import pytest
from django.db import IntegrityError, transaction

from experiments.domain.kinds import ValueType
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Prerequisite
from experiments.prerequisites import PrerequisiteError, set_prerequisites
from tests import builders


def test_set__of_a_flag_and_an_experiment__replaces_what_was(shop, alice):
    draft = builders.experiment(shop, status=Status.DRAFT)
    builders.experiment(shop, "old-ranker")
    builders.a_flag(shop)
    set_prerequisites(draft, alice, {"old-ranker": "treatment"})
    assert set_prerequisites(draft, alice, {"free-shipping": True})
    assert list(draft.prerequisites.values_list("parent_key", "value")) == [("free-shipping", True)]
    row = AuditEntry.objects.latest("pk")
    assert (row.before, row.after) == ({"old-ranker": "treatment"}, {"free-shipping": True})


def test_set__the_same_again__changes_nothing(shop, alice):
    flag, _ = builders.a_flag(shop), builders.a_flag(shop, "parent")
    assert set_prerequisites(flag, alice, {"parent": True})
    assert not set_prerequisites(flag, alice, {"parent": True})
    assert AuditEntry.objects.count() == 1


def test_set__a_way_back__is_refused_and_named(shop, alice):
    a, b, c = (builders.a_flag(shop, key) for key in "abc")
    set_prerequisites(a, alice, {"b": True})
    set_prerequisites(b, alice, {"c": True})
    with pytest.raises(PrerequisiteError, match="c → a → b → c: C would be its own prerequisite"):
        set_prerequisites(c, alice, {"a": True})
    with pytest.raises(PrerequisiteError, match="a → a"):
        set_prerequisites(a, alice, {"a": True})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"gone": True}, "There is no flag or experiment 'gone'"),
        ({"size": "large"}, 'Size never serves this. "large" is no number'),
        ({"old-ranker": "v9"}, "Old ranker serves 'control', 'treatment'; 'v9' is none of these"),
        ({"holdout-user": "holdoutcontrol"}, "is a holdout, on which nothing can depend"),
    ],
)
def test_set__what_is_never_served__is_refused(shop, alice, wanted, message):
    builders.a_flag(shop, "size", value_type=ValueType.NUMBER, default_value=1.0)
    builders.experiment(shop, "old-ranker")
    builders.a_holdout(shop)
    with pytest.raises(PrerequisiteError, match=message):
        set_prerequisites(builders.a_flag(shop), alice, wanted)


def test_set__the_flag_of_another_project__does_not_exist(shop, alice):
    builders.a_flag(builders.project(), "theirs")
    with pytest.raises(PrerequisiteError, match="no flag or experiment 'theirs'"):
        set_prerequisites(builders.a_flag(shop), alice, {"theirs": True})


def test_set__on_a_running_experiment__may_only_let_units_in(shop, alice):
    running = builders.experiment(shop)
    builders.a_flag(shop)
    Prerequisite.objects.create(experiment=running, parent_key="free-shipping", value=True)
    with pytest.raises(PrerequisiteError, match="has started, and with 'free-shipping' as a prerequisite"):
        set_prerequisites(running, alice, {"free-shipping": False})
    assert set_prerequisites(running, alice, {})


def test_database__a_prerequisite_of_two_owners_or_none__is_refused(shop):
    flag, experiment = builders.a_flag(shop), builders.experiment(shop)
    for owners in ({}, {"flag": flag, "experiment": experiment}):
        with pytest.raises(IntegrityError, match="prerequisite_has_one_owner"), transaction.atomic():
            Prerequisite.objects.create(parent_key="x", value=True, **owners)
