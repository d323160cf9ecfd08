"""How precise a result is, and when it will be as planned: by the square root of the units that come."""

from datetime import timedelta

import msgspec
import pytest

from analysis.pages.precision import precision_bar
from analysis.results.precision import precision
from analysis.results.schema import ExposurePoint, Looks, Results
from tests import builders
from tests.builders import T0


def made(days: int, half: float = 0.02, **fields) -> Results:
    """A result after some days with 1,000 new units on each; the primary's interval is ±half."""
    one = builders.comparison(lift=0.01, lift_interval=(0.01 - half, 0.01 + half))
    exposures = [
        ExposurePoint(day=(T0 + timedelta(days=day)).date(), variant=key, units=500)
        for day in range(days)
        for key in ("control", "treatment")
    ]
    base = builders.results(metrics=[builders.metric_result("clicks", one)], exposures_per_day=exposures)
    variants = [msgspec.structs.replace(variant, units=500 * days) for variant in base.variants]
    return msgspec.structs.replace(base, variants=variants, **fields)


def test_precision__without_a_change_that_matters__is_planned_by_the_planned_days():
    found = precision(made(7), None)  # of 14
    assert found.planned == pytest.approx(0.02 / 2**0.5)
    assert (found.now, found.done, found.days_left) == (pytest.approx(0.02), pytest.approx(0.5), 7)


def test_precision__of_a_change_that_matters__is_what_shows_it_four_times_of_five():
    found = precision(made(7), 0.02)
    assert found.planned == pytest.approx(0.02 * 1.959964 / (1.959964 + 0.841621), rel=1e-5)
    assert found.days_left == 8  # 7 days * (0.02 / 0.01399)² = 14.3, and a day counts whole
    assert found.by_what_matters


def test_precision__that_traffic_never_brings__says_so():
    found = precision(made(7), 0.001)
    assert (found.days_left, found.never) == (None, True)


def test_precision__of_a_plan_of_looks__is_reached_with_its_units():
    looks = Looks(plan="group_sequential", sentence="", units=7000, planned_units=10_000, look=7)
    found = precision(made(7, looks=looks), None)
    assert found.done == pytest.approx(0.7)
    assert found.days_left == 3


def test_precision__that_cannot_be_believed_or_has_no_bounds__is_not_said():
    assert precision(builders.broken_results(), None) is None
    open_end = builders.metric_result("clicks", builders.comparison(lift_interval=(None, 0.2)))
    assert precision(builders.results(metrics=[open_end]), None) is None
    assert precision(builders.results(exposures_per_day=[]), None) is None


@pytest.mark.parametrize(
    ("days", "matters", "stopped", "said"),
    [
        (7, None, False, "Clicks is known to ±2.0%; ±1.4% is planned, in about 7 days."),
        (13, None, False, "Clicks is known to ±2.0%; ±1.9% is planned, in about 1 day."),
        (14, None, False, "Clicks is known to ±2.0%; the planned ±2.0% is reached."),
        (7, 10, False, "Clicks is known to ±2.0%; ±0.07% is planned, and today’s traffic does not bring it "
         "within half a year."),
        (7, 100, True, "Clicks is known to ±2.0%; ±0.70% was planned."),
        (7, 1000, True, "Clicks is known to ±2.0%; as precise as planned."),
    ],
)  # fmt: skip
def test_bar__says_now_planned_and_how_long(db, days: int, matters: int | None, stopped: bool, said: str):
    experiment = builders.experiment(builders.project(), matters=matters)
    results = made(days)
    if stopped:
        facts = msgspec.structs.replace(results.experiment, stopped_at=T0 + timedelta(days=days))
        results = msgspec.structs.replace(results, experiment=facts)
    assert precision_bar(experiment, results).sentence == said
