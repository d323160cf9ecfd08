from dataclasses import replace
from decimal import Decimal

import pytest

from experiments.domain import filters
from experiments.domain.definition_words import differences, percentile, sentence, time
from experiments.domain.definitions import Definition, FunnelStep, flaws, trimmed
from experiments.domain.filters import Filter, Operator
from experiments.domain.metrics import MetricKind

K = MetricKind
ABOVE_10 = (Filter(property="revenue", operator=Operator.ABOVE, value=10),)
STEPS = (FunnelStep(event="Viewed"), FunnelStep(event="Bought", filters=ABOVE_10))


def of(kind, **parts):
    return Definition(kind=kind, event=parts.pop("event", "Order Completed"), **parts)


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (
            of(K.PROPORTION, filters=ABOVE_10, window_hours=168),
            "Share of users with an Order Completed where revenue is above 10 within 7 days of first exposure.",
        ),
        (of(K.COUNT, event="Click", delay_hours=24), "Number of Click per user from 1 day after first exposure on."),
        (
            of(
                K.SUM,
                property="revenue",
                refund_event="Order Refunded",
                refund_property="total",
                cap_value=Decimal("200.50"),
            ),
            "Total revenue of Order Completed, less total of Order Refunded, per user, at most 200.5 for each user.",
        ),
        (
            of(K.COUNT, cap_share=9900),
            "Number of Order Completed per user, no user above the 99th percentile of all users.",
        ),
        (of(K.MEAN, event="Search", property="ms"), "Average ms of Search."),
        (
            of(K.RATIO, event="Click", denominator_event="View", denominator_filters=ABOVE_10),
            "Number of Click divided by number of View where revenue is above 10.",
        ),
        (
            of(K.RETENTION, event="Session", delay_hours=168, window_hours=168),
            "Share of users with a Session between 7 days and 14 days after first exposure.",
        ),
        (of(K.QUANTILE, property="ms", level=9500), "95th percentile of ms over all Order Completed."),
        (of(K.QUANTILE, property="ms", level=5000), "Median of ms over all Order Completed."),
        (of(K.DISTINCT, property="brand"), "Number of different brand values of Order Completed per user."),
        (
            of(K.FUNNEL, steps=STEPS, minimum_hours=48),
            "Share of users with Viewed, then Bought where revenue is above 10, in this order; "
            "only users that have been in for at least 2 days.",
        ),
    ],
)
def test_sentence__each_kind__says_what_it_counts(definition, said):
    assert sentence(definition, "user") == said


@pytest.mark.parametrize(("level", "said"), [(9100, "91st"), (9200, "92nd"), (1300, "13th"), (9950, "99.5th")])
def test_percentile__any_level__has_the_ending_that_one_says(level, said):
    assert percentile(level) == f"{said} percentile"


@pytest.mark.parametrize(("hours", "said"), [(1, "1 hour"), (24, "1 day"), (36, "36 hours"), (336, "14 days")])
def test_time__whole_days__are_said_as_days(hours, said):
    assert time(hours) == said


@pytest.mark.parametrize(
    "definition",
    [
        of(K.PROPORTION), of(K.COUNT, cap_share=9900), of(K.SUM, property="x", refund_event="R", refund_property="y"),
        of(K.MEAN, property="x"), of(K.RATIO, denominator_event="B"), of(K.RETENTION, delay_hours=1, window_hours=1),
        of(K.QUANTILE, property="x", level=9900), of(K.DISTINCT, property="x"),
        trimmed(of(K.FUNNEL, steps=STEPS)),
    ],
)  # fmt: skip
def test_flaws__what_can_be_counted__has_none(definition):
    assert flaws(definition) == []


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        (of(K.PROPORTION, event=" "), "event"),
        (of(K.SUM), "property"),
        (of(K.COUNT, property="x"), "property"),
        (of(K.RATIO), "denominator_event"),
        (of(K.COUNT, denominator_event="B"), "denominator_event"),
        (of(K.SUM, property="x", refund_event="R"), "refund_property"),
        (of(K.SUM, property="x", refund_event="Order Completed", refund_property="y"), "refund_event"),
        (of(K.COUNT, refund_event="R", refund_property="y"), "refund_event"),
        (of(K.RETENTION), "window_hours"),
        (of(K.PROPORTION, window_hours=0), "window_hours"),
        (of(K.PROPORTION, delay_hours=-1), "delay_hours"),
        (of(K.PROPORTION, minimum_hours=24 * 366), "minimum_hours"),
        (of(K.QUANTILE, property="x"), "level"),
        (of(K.COUNT, level=9900), "level"),
        (of(K.PROPORTION, cap_value=Decimal(1)), "cap_value"),
        (of(K.COUNT, cap_value=Decimal(1), cap_share=9900), "cap_value"),
        (of(K.COUNT, cap_value=Decimal(0)), "cap_value"),
        (of(K.COUNT, cap_share=4000), "cap_share"),
        (of(K.FUNNEL, steps=STEPS[:1]), "steps"),
        (of(K.FUNNEL, steps=STEPS * 4), "steps"),
        (of(K.FUNNEL, steps=(FunnelStep(event=""), STEPS[1])), "steps"),
        (of(K.COUNT, steps=STEPS), "steps"),
        (of(K.COUNT, covariate_days=91), "covariate_days"),
        (of(K.COUNT, filters=(Filter(property="", operator=Operator.EXISTS),)), "filters"),
        (of(K.COUNT, filters=ABOVE_10 * 11), "filters"),
    ],
)
def test_flaws__what_cannot_be_counted__names_the_field(definition, field):
    assert field in [flaw.field for flaw in flaws(definition)]


def test_trimmed__what_the_kind_does_not_use__goes():
    given = of(
        K.COUNT, property="x", denominator_event="B", refund_event="R", refund_property="y", level=5000, steps=STEPS
    )
    assert trimmed(given) == of(K.COUNT)


def test_trimmed__a_funnel__has_the_event_of_its_last_step():
    given = trimmed(of(K.FUNNEL, event="", steps=STEPS))
    assert (given.event, given.filters) == ("Bought", ABOVE_10)


@pytest.mark.parametrize(("parts", "hours"), [({}, 0), ({"window_hours": 168, "delay_hours": 24}, 192),
                                              ({"minimum_hours": 200, "window_hours": 168}, 200)])  # fmt: skip
def test_matures__window_and_minimum__are_both_over(parts, hours):
    assert of(K.COUNT, **parts).matures_hours == hours


def test_differences__of_two_definitions__name_what_changed_alone():
    before = of(K.SUM, property="revenue")
    after = replace(before, filters=ABOVE_10, window_hours=24)
    assert differences(before, after) == [
        ("Filters", "–", "revenue is above 10"), ("Window", "–", "within 1 day of first exposure"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        (Operator.ABOVE, "ten"), (Operator.ABOVE, True), (Operator.ABOVE, float("nan")), (Operator.IS, None),
        (Operator.IN, "a"), (Operator.IN, ()), (Operator.EXISTS, 1), (Operator.CONTAINS, ""), (Operator.IS, "\x00"),
        (Operator.IS, "\ud800"), (Operator.IS, "x" * 201), (Operator.IS, 1e19),
    ],
)  # fmt: skip
def test_filter__a_value_that_cannot_be_compared__is_refused(operator, value):
    assert filters.problem(Filter(property="p", operator=operator, value=value))


@pytest.mark.parametrize(
    "one",
    [
        Filter(property="p", operator=Operator.IN, value=("a", 1, True)),
        Filter(property="p", operator=Operator.EXISTS),
        Filter(property="p", operator=Operator.IS_NOT, value=0.5),
    ],
)
def test_filters__stored__read_back_as_they_were(one):
    assert filters.problem(one) is None
    assert filters.read(filters.stored([one])) == (one,)


def test_kind__by_its_old_name__is_a_mean():
    assert MetricKind("average") is MetricKind.MEAN
