"""Does a gain pay: the smallest that does, the yearly impact with its interval, and what is not said."""

from dataclasses import replace

import pytest

from analysis.decisions.evidence import Judged
from analysis.decisions.worth import Terms, money, smallest_lift, worth
from analysis.results.chain import WorthSaid
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from tests.analysis.decisions.scenes import Scene, purchases, revenue

TERMS = Terms(monthly_cost=20_000, monthly_units=100_000, estimated=False)


def judged(metric=None, **scene) -> Judged:
    return Scene(metrics=[metric or revenue()], **scene).read().evidence[0].judged[0]


def test_worth__whole_interval_above_the_cost__pays():
    found = worth(judged(), TERMS, "EUR", "user")
    assert found.said is WorthSaid.WORTH
    # 0.60 a user, 100,000 users a month, twelve months, less 240,000 a year.
    assert found.yearly == pytest.approx(0.6 * 100_000 * 12 - 240_000)
    low, high = found.yearly_interval
    assert 0 < low < found.yearly < high
    assert found.sentence.startswith("Even the lower end pays: €")
    assert found.smallest_lift == pytest.approx(20_000 / (100_000 * 10))


@pytest.mark.parametrize(
    ("cost", "said"), [(60_000, WorthSaid.CANNOT_TELL), (100_000, WorthSaid.NOT_WORTH), (-5_000, WorthSaid.WORTH)]
)
def test_worth__by_its_cost(cost: float, said: WorthSaid):
    assert worth(judged(), replace(TERMS, monthly_cost=cost), "EUR", "user").said is said


def test_worth__unknown_cost__says_the_impact_and_claims_nothing():
    found = worth(judged(), replace(TERMS, monthly_cost=None), "EUR", "user")
    assert (found.said, found.smallest_lift) == (WorthSaid.CANNOT_TELL, None)
    assert found.sentence.endswith("before what it costs to run, which nobody has stated.")


def test_worth__a_metric_that_is_no_money__needs_the_value_of_one():
    rate = judged(purchases())
    assert worth(rate, TERMS, "EUR", "user") is None
    found = worth(rate, replace(TERMS, value_of_one=50.0), "EUR", "user")
    assert found.yearly == pytest.approx(0.006 * 50 * 1_200_000 - 240_000)


def test_worth__lower_is_better__a_fall_is_income():
    plan = replace(
        revenue(role=MetricRole.PRIMARY).plan, direction=Direction.DECREASE, name="Refunds", kind=MetricKind.SUM,
        display_unit=DisplayUnit.CURRENCY,
    )  # fmt: skip
    falling = revenue(treatment=9.4)
    found = worth(judged(replace(falling, plan=plan)), TERMS, "EUR", "user")
    low, high = found.yearly_interval
    assert found.said is WorthSaid.WORTH
    assert low < found.yearly < high


@pytest.mark.parametrize("scene", [{"day": 5, "stopped": False}, {"units": (9_540, 10_460)}])
def test_worth__what_may_not_be_read__is_not_counted_in_money(scene):
    assert worth(judged(**scene), TERMS, "EUR", "user") is None


def test_smallest_lift__free_traffic_or_no_cost__is_not_known():
    assert smallest_lift(judged(), replace(TERMS, monthly_units=0), 1.0) is None
    assert smallest_lift(judged(), replace(TERMS, monthly_cost=None), 1.0) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [(1_234_567, "€1.2M"), (-340_000, "−€340k"), (950, "€950"), (999.6, "€1.0k"), (0, "€0"), (12_600_000_000, "€13bn")],
)
def test_money__is_written_shortly(amount: float, text: str):
    assert money(amount, "EUR") == text
    assert money(1_500, "SEK") == "SEK 1.5k"
