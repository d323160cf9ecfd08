from datetime import timedelta

import pytest
from msgspec import structs

from analysis.notices.avoided import Loss, avoided_loss
from analysis.results.schema import Comparison, Reading, Results
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

WORSE = builders.comparison(
    value=18.0, control_value=18.5, difference=-0.5, difference_interval=(-0.8, -0.2), lift=-0.027,
    lift_interval=(-0.043, -0.011), reading=Reading.WORSE,
)  # fmt: skip


def loser(of: Experiment | None = None, one: Comparison = WORSE, **fields) -> Results:
    metric = {"name": "Revenue per user", "kind": "sum", "display_unit": "currency", **fields}
    made = builders.results(of, metrics=[builders.metric_result("revenue", one, **metric)])
    facts = structs.replace(made.experiment, started_at=T0, stopped_at=T0 + timedelta(days=14), status="stopped")
    return structs.replace(made, experiment=facts)


def loss(results: Results, traffic: int = 10_000) -> Loss:
    found = avoided_loss(results, traffic)
    assert found is not None
    return found


def test_loss__is_the_difference_for_everyone_at_this_pace_for_a_year():
    # €0.50 a user × 184,206 users / 14 days × 365 days = €2.40 million.
    found = loss(loser())
    assert found.sentence == "Stopping New ranker avoided a loss of about €2,400,000 a year."
    assert found.explanation.startswith("95% interval €960,000 to €3,800,000.")
    assert "overstated" in found.explanation


def test_loss__of_a_tenth_of_the_traffic__counts_tenfold():
    assert "about €24,000,000 a year" in loss(loser(), traffic=1_000).sentence


@pytest.mark.parametrize(
    ("fields", "one", "said"),
    [
        (
            {"kind": "count", "name": "Orders", "display_unit": "number"},
            {},
            "kept Orders from losing about 2,400,000 a",
        ),
        (
            {"kind": "proportion", "name": "Buyers", "display_unit": "percent"},
            {"difference": -0.005, "difference_interval": (-0.008, -0.002)},
            "kept Buyers from losing about 24,000 users a year",
        ),
        (
            {"kind": "count", "name": "Errors", "display_unit": "number", "direction": "decrease"},
            {"difference": 0.5, "difference_interval": (0.2, 0.8), "lift": 0.3, "lift_interval": (0.1, 0.5)},
            "kept Errors from growing by about 2,400,000 a year",
        ),
    ],
)
def test_loss__of_what_is_no_money__is_in_its_own_unit(fields, one, said: str):
    assert said in loss(loser(one=structs.replace(WORSE, **one), **fields)).sentence


@pytest.mark.parametrize(
    "results",
    [
        loser(kind="average"),
        loser(kind="ratio"),
        loser(one=structs.replace(WORSE, difference_interval=(None, -0.2))),
        loser(one=structs.replace(WORSE, difference_interval=(-1.1, 0.1))),
        loser(one=structs.replace(WORSE, difference_interval=None)),
    ],
)
def test_loss__that_cannot_be_put_into_a_year__says_so(results: Results):
    found = loss(results)
    assert "cannot be said" in found.explanation
    assert "€" not in found.sentence


@pytest.mark.parametrize(
    "results",
    [
        loser(one=structs.replace(WORSE, reading=Reading.NO_CLEAR_CHANGE)),
        loser(role="secondary"),
        structs.replace(loser(), health=builders.broken_health()),
        builders.results(),
    ],
)
def test_loss__where_nothing_was_clearly_worse_or_nothing_can_be_believed__is_none(results: Results):
    assert avoided_loss(results, 10_000) is None


def test_loss__money_is_named_before_the_metric_that_decides():
    clicks = builders.metric_result("ctr", structs.replace(WORSE, lift=-0.2), name="Clicks")
    money = loser(role="secondary").metrics
    assert "€" in loss(structs.replace(loser(), metrics=[clicks, *money])).sentence


def test_loss__of_an_hour__is_not_blown_up_to_less_than_a_day():
    short = loser()
    facts = structs.replace(short.experiment, stopped_at=T0 + timedelta(hours=1))
    assert "about €34,000,000 a year" in loss(structs.replace(short, experiment=facts)).sentence
