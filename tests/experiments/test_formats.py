from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from experiments.pages import formats


@pytest.mark.parametrize(
    ("value", "words"), [(0.056, "+5.6%"), (-0.056, "−5.6%"), (0.0, "0.0%"), (-0.0004, "0.0%"), (None, "–")]
)
def test_lift__has_a_sign_and_a_true_minus(value, words):
    assert formats.lift(value) == words


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.021, 0.092), "+2.1% to +9.2%"),
        ((-0.006, 0.028), "−0.6% to +2.8%"),
        ((None, 0.092), "up to +9.2%"),
        ((0.021, None), "+2.1% or more"),
        ((None, None), "any size"),
        (None, ""),
    ],
)
def test_bounds__an_open_end__is_said_in_words(interval, words):
    assert formats.bounds(interval) == words


@pytest.mark.parametrize(
    ("p", "words"),
    [(2.3e-19, "<0.001"), (0.0, "<0.001"), (0.0021, "0.002"), (0.034, "0.034"), (0.441, "0.44"), (None, "–")],
)
def test_p_value__is_never_written_as_zero(p, words):
    assert formats.p_value(p) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.1204, "percent", "12.04%"),
        (18.4249, "currency", "€18.42"),
        (-3.5, "currency", "−€3.50"),
        (184.2, "milliseconds", "184\u00a0ms"),
        (18.42, "milliseconds", "18.4\u00a0ms"),
        (1840.0, "milliseconds", "1.84\u00a0s"),
        (3.1204, "number", "3.120"),
        (1312.04, "number", "1,312.0"),
        (None, "currency", "–"),
    ],
)
def test_quantity__is_written_in_the_metrics_unit(value, unit, words):
    assert formats.quantity(value, unit, "EUR") == words


def test_money__a_currency_without_a_symbol__is_named():
    assert formats.money(1234.5, "CHF") == "1,234.50 CHF"


@pytest.mark.parametrize(
    ("difference", "unit", "words"),
    [
        (0.0067, "percent", "+0.67\u00a0pt"),
        (-0.27, "currency", "−€0.27"),
        (0.001, "currency", "€0.00"),
        (9.3, "milliseconds", "+9.3\u00a0ms"),
        (0.06, "number", "+0.060"),
        (None, "number", "–"),
    ],
)
def test_change__has_a_sign_and_shares_differ_by_points(difference, unit, words):
    assert formats.change(difference, unit, "EUR") == words


def test_moment__from_another_zone__is_written_in_utc():
    at = datetime(2026, 3, 3, 7, 0, tzinfo=timezone(timedelta(hours=1)))
    assert formats.moment(at) == "3 Mar 2026, 06:00 UTC"
    assert formats.moment(datetime(2026, 3, 3, 6, 0, tzinfo=UTC)) == "3 Mar 2026, 06:00 UTC"


def test_day__is_written_without_a_leading_zero():
    assert formats.day(date(2026, 3, 3)) == "3 Mar 2026"


@pytest.mark.parametrize(("value", "words"), [(0.05, "+5%"), (-0.1, "−10%"), (0.025, "+2.5%"), (0.0025, "+0.25%")])
def test_tick__has_no_more_decimals_than_it_needs(value, words):
    assert formats.tick(value) == words


@pytest.mark.parametrize("text", ["It stops", "It stops."])
def test_sentence__ends_with_one_full_stop(text):
    assert formats.sentence(text) == "It stops."
    assert formats.sentence("") == ""
