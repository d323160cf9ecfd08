from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.bucketing import OUTSIDE
from assignment.engine.evaluation import Evaluator, Reason, ServedExperiment, ServedVariant
from assignment.engine.hashing import bucket_of


def served(**fields: Any) -> ServedExperiment:
    variants = (
        ServedVariant(key="control", value="old", weight=5000),
        ServedVariant(key="treatment", value="new", weight=5000, model_version="ranker 2"),
    )
    defaults: dict[str, Any] = {
        "key": "ranker",
        "unit_type": "user",
        "salt": "0123456789abcdef",
        "allocation": 10_000,
        "running": True,
        "variants": variants,
    }
    return ServedExperiment(**{**defaults, **fields})


@given(st.text(min_size=1))
def test_evaluate__a_running_experiment__splits_by_the_bucket(unit):
    answer = Evaluator(served()).evaluate(unit)
    assert answer.bucket == bucket_of("0123456789abcdef", unit)
    assert (answer.variant, answer.value) == (("control", "old") if answer.bucket < 5000 else ("treatment", "new"))
    assert answer.reason is Reason.SPLIT
    assert answer.metadata["outcome"] == "assigned"


def test_evaluate__the_variant_of_a_model__names_its_version():
    evaluator = Evaluator(served())
    assert evaluator.answer(1, bucket=9999).metadata == {
        "experiment": "ranker",
        "unitType": "user",
        "outcome": "assigned",
        "modelVersion": "ranker 2",
    }
    assert "modelVersion" not in evaluator.answer(0, bucket=0).metadata


def test_evaluate__a_unit_outside_the_traffic__gets_the_control_value_and_is_not_assigned():
    answer = Evaluator(served(allocation=1)).evaluate("shopper-1")
    assert (answer.value, answer.reason) == ("old", Reason.DEFAULT)
    assert answer.metadata["outcome"] == "not_in_traffic"
    assert answer.bucket == bucket_of("0123456789abcdef", "shopper-1")


@pytest.mark.parametrize("unit", ["shopper-1", None])
def test_evaluate__a_stopped_experiment__gives_everyone_the_control_without_a_unit(unit):
    answer = Evaluator(served(running=False)).evaluate(unit)
    assert (answer.value, answer.variant, answer.reason) == ("old", "control", Reason.DISABLED)
    assert answer.metadata["outcome"] == "stopped"
    assert answer.bucket is None


def test_evaluate__nobody_takes_part__needs_no_unit():
    evaluator = Evaluator(served(allocation=0))
    assert not evaluator.needs_unit
    assert evaluator.evaluate(None).reason is Reason.DEFAULT


def test_evaluate__no_unit_where_one_is_needed__says_which():
    with pytest.raises(ValueError, match="'ranker' needs the id of a user"):
        Evaluator(served()).evaluate(None)


@given(st.text(min_size=1), st.integers(0, 10_000), st.integers(0, 10_000))
def test_evaluate__a_growing_allocation__keeps_every_assignment(unit, one, other):
    smaller, larger = sorted((one, other))
    before = Evaluator(served(allocation=smaller)).place(unit)
    if before != OUTSIDE:
        assert Evaluator(served(allocation=larger)).place(unit) == before


def test_evaluate__another_key_or_name__does_not_move_a_unit():
    units = [f"shopper-{number}" for number in range(500)]
    one, renamed = Evaluator(served()), Evaluator(served(key="renamed"))
    assert [one.place(unit) for unit in units] == [renamed.place(unit) for unit in units]
