import pytest
from msgspec import structs

from analysis.models import Glance
from analysis.results.glance import lift_error, shown
from analysis.results.schema import Reading
from experiments import standing
from tests import builders
from tests.experiments.conftest import alice, purchase, shop  # noqa: F401  (fixtures are found by their names here)


def test_shown__one_treatment__gives_the_primary_change_and_its_error():
    seen = shown(builders.results())
    assert (seen.metric_name, seen.change, seen.reading) == ("Click-through rate", "+5.6%", "Better")
    assert (seen.lift_low, seen.lift_high) == (0.021, 0.092)
    assert seen.lift_error == pytest.approx((0.092 - 0.021) / 2 / 1.959964, rel=1e-5)
    assert seen.crossed == ["Page latency"]
    assert seen.units == 184_206
    assert seen.shown_variant == ""


def test_shown__several_treatments__names_the_one_that_speaks_most_for_a_change():
    worse = builders.comparison(variant="b", lift=0.2, reading=Reading.NO_CLEAR_CHANGE)
    better = builders.comparison(variant="treatment", lift=0.03)
    seen = shown(builders.results(metrics=[builders.metric_result("rate", worse, better)]))
    assert (seen.shown_variant, seen.lift) == ("Treatment", 0.03)
    lower = builders.metric_result(
        "latency",
        builders.comparison(variant="b", lift=-0.1, reading=Reading.NO_CLEAR_CHANGE),
        builders.comparison(variant="treatment", lift=0.1, reading=Reading.NO_CLEAR_CHANGE),
        direction="decrease",
    )
    assert shown(builders.results(metrics=[lower])).lift == -0.1


def test_shown__a_broken_split__shows_no_change_and_names_the_check():
    seen = shown(builders.broken_results())
    assert (seen.change, seen.lift, seen.lift_error, seen.crossed) == ("", None, None, [])
    assert seen.failed == ["srm"]


def test_shown__without_a_relative_change__is_in_the_metrics_own_unit():
    absolute = builders.comparison(lift=None, lift_interval=None, difference=2.05)
    seen = shown(builders.results(metrics=[builders.metric_result("revenue", absolute, display_unit="currency")]))
    assert (seen.change, seen.lift) == ("+€2.05", None)


def test_shown__without_a_primary_metric__still_counts_units():
    assert shown(builders.results(metrics=[])).metric == ""


def test_lift_error__takes_out_what_an_interval_adds_for_looking_early():
    plain = builders.comparison()
    wide = structs.replace(plain, boundary=2.9, lift_interval=(0.056 - 2.9 * 0.018, 0.056 + 2.9 * 0.018))
    assert lift_error(wide) == pytest.approx(0.018)
    beside = structs.replace(wide, fixed_lift_interval=(0.0, 0.112))
    assert lift_error(beside) == pytest.approx(0.056 / 1.959964, rel=1e-5)
    assert lift_error(structs.replace(plain, lift_interval=(None, 0.1))) is None


def test_keep__a_newer_result__replaces_what_was_noted(shop):  # noqa: F811
    ranker = builders.experiment(shop)
    builders.snapshot(ranker)
    newer = builders.snapshot(ranker, builders.broken_results(ranker))
    noted = Glance.objects.select_related("standing").get()
    assert noted.standing.snapshot == newer.pk
    assert (noted.failed, noted.change) == (["srm"], "")


def test_forget__takes_the_numbers_along(shop):  # noqa: F811
    ranker = builders.experiment(shop)
    builders.snapshot(ranker)
    standing.forget(ranker)
    assert not Glance.objects.exists()
