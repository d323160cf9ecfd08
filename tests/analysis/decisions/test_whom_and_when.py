"""For whom and for how long: said where the data say it, of the treatment in question, and of no other."""

from dataclasses import replace

import pytest
from msgspec import structs

from analysis.decisions.chain import follow
from analysis.decisions.look_at import look_at
from analysis.decisions.way import Way
from analysis.details.schema import AgePoint, Breakdown, Detail, Level, Wearing
from analysis.results.chain import LookAt
from analysis.stats.novelty import Trend
from experiments.domain.metrics import Direction, MetricRole
from tests.analysis.decisions.scenes import clicks, revenue
from tests.analysis.decisions.test_look_at import stopped, way_of

FADING = Wearing(
    variant="treatment", units=4_000, until=None, trend=Trend.NOVELTY.value, slope_p_value=0.004, p_value=0.01,
    points=[AgePoint(day=day, difference=0.06 / (day + 1), interval=(None, None)) for day in range(6)],
)  # fmt: skip
APART = Breakdown(
    variant="treatment", name="platform", tested=6, p_value=0.001, adjusted_p_value=0.003, differs=True,
    levels=[
        Level(level="web", units=9_000, lift=-0.04, interval=(-0.08, -0.001)),
        Level(level="tv", units=200, lift=None, interval=None),
        Level(level="tablet", units=900, lift=0.01, interval=(-0.05, 0.07)),
        Level(level="ios", units=7_000, lift=0.06, interval=(0.02, 0.1)),
    ],
)  # fmt: skip


def detail(*breakdowns: Breakdown, wearing: Wearing | None = None) -> Detail:
    return Detail(spread=None, wearing=[wearing] if wearing else [], breakdowns=list(breakdowns))


def found(at: Way, **details: Detail) -> list[LookAt]:
    return look_at(at, follow(at).verdict, None, None, details)


def test_segments__a_business_metric_that_differs_by_platform__names_whom_it_suits_and_whom_not():
    (one,) = found(stopped(), revenue=detail(APART))
    assert (one.key, one.title) == ("segment", "It suits some and not others")
    assert one.finding == (
        "The effect on revenue per user differs by platform (p = 0.003, allowing for 6 breakdowns): "
        "+6% for “ios” (+2% to +10%), −4% for “web” (−8% to −0.1%)."
    )
    assert "right for “ios” and wrong for “web”" in one.what_to_do


def test_segments__of_business_and_proxy__speak_of_the_business_and_the_clearest_property():
    clearer = structs.replace(APART, name="country", adjusted_p_value=0.0001)
    (one,) = found(stopped(), ctr=detail(APART), revenue=detail(APART, clearer))
    assert one.finding.startswith("The effect on revenue per user differs by country")
    assert found(stopped(), ctr=detail(APART))[0].finding.startswith("The effect on clicks differs by platform")


def test_segments__lower_is_better__suits_those_where_it_fell():
    at = stopped()
    assert at.business is not None
    lower = replace(at.business.plan, direction=Direction.DECREASE)
    (one,) = found(replace(at, business=replace(at.business, plan=lower)), revenue=detail(APART))
    assert "right for “web” and wrong for “ios”" in one.what_to_do


@pytest.mark.parametrize(
    "changed",
    [{"differs": False}, {"variant": "other"}, {"levels": APART.levels[:2]}],
    ids=["no difference", "another treatment", "one level"],
)
def test_segments__nothing_shown_of_this_treatment__say_nothing(changed):
    assert found(stopped(), revenue=detail(structs.replace(APART, **changed))) == []


def test_wearing_off__clicks_that_fade__are_said_with_their_first_and_last_day():
    (one,) = found(stopped(), ctr=detail(wearing=FADING))
    assert (one.key, one.title) == ("novelty", "The gain wears off")
    assert one.finding == (
        "The effect on clicks, on the same users: +6 percentage points on the day of their exposure "
        "and +1 percentage points on day 5 after it (p = 0.004)."
    )


def test_wearing_off__beside_a_gain_that_arrived__is_said_too():
    at = way_of(clicks(role=MetricRole.PRIMARY), revenue())
    assert [one.key for one in found(at, revenue=detail(wearing=FADING))] == ["novelty"]


@pytest.mark.parametrize(
    "changed",
    [
        {"trend": Trend.STEADY.value},
        {"trend": Trend.PRIMACY.value},
        {"variant": "other"},
        {"slope_p_value": None, "reason": "few", "points": [], "trend": ""},
    ],
    ids=["steady", "growing", "another treatment", "nothing to say"],
)
def test_wearing_off__nothing_shown_of_this_treatment__says_nothing(changed):
    assert found(stopped(), ctr=detail(wearing=structs.replace(FADING, **changed))) == []


def test_wearing_off__two_metrics_that_gained__share_the_risk():
    hint = detail(wearing=structs.replace(FADING, slope_p_value=0.03))
    at = way_of(clicks(role=MetricRole.PRIMARY), revenue())
    assert [one.key for one in found(at, ctr=hint)] == ["novelty"]
    assert found(at, ctr=hint, revenue=detail()) == []


def test_wearing_off__of_a_metric_that_did_not_gain__is_no_novelty():
    assert found(stopped(), revenue=detail(wearing=FADING)) == []


def test_details__of_a_broken_split__are_not_read():
    assert found(stopped(units=(9_540, 10_460)), revenue=detail(APART), ctr=detail(wearing=FADING)) == []
