"""The alarm of a guardrail: where it rings, and that it agrees with the sequence it is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.decisions.alarm import ALARM_RISK, TUNED_FOR, alarm_p_value, alarm_share
from analysis.decisions.inputs import MetricPlan
from analysis.stats.compare import ComparisonNumbers, compare
from analysis.stats.confidence_sequence import boundary
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.noninferiority import margin_test
from experiments.domain.metrics import Direction, MetricKind, MetricRole


def plan(margin: float | None = 0.02, direction: Direction = Direction.DECREASE) -> MetricPlan:
    return MetricPlan(
        key="latency", name="Latency", kind=MetricKind.SUM, role=MetricRole.GUARDRAIL, margin=margin,
        direction=direction,
    )  # fmt: skip


def arm(n: int, mean: float, variance: float = 100.0) -> Moments:
    return Moments(n=n, mean=np.array([mean]), comoment=np.array([[variance * (n - 1)]]))


def numbers(n: int, control: float, treatment: float) -> ComparisonNumbers:
    return compare(Form.MEAN, arm(n, control), arm(n, treatment), 0.05)


def test_alarm__far_beyond_the_limit__rings():
    assert alarm_p_value(plan(), numbers(5_000, 100.0, 110.0), ALARM_RISK) < 1e-6


@pytest.mark.parametrize("treatment", [90.0, 100.0, 102.0, 102.5])
def test_alarm__within_the_limit_or_hardly_beyond__does_not(treatment: float):
    assert alarm_p_value(plan(), numbers(5_000, 100.0, treatment), ALARM_RISK) > ALARM_RISK


def test_alarm__of_what_should_rise__rings_for_a_fall():
    falls = numbers(5_000, 100.0, 90.0)
    assert alarm_p_value(plan(direction=Direction.INCREASE), falls, ALARM_RISK) < 1e-6
    assert alarm_p_value(plan(direction=Direction.DECREASE), falls, ALARM_RISK) == 1.0


def test_alarm__without_a_limit_or_before_500_units__says_nothing():
    assert alarm_p_value(plan(margin=None), numbers(5_000, 100.0, 110.0), ALARM_RISK) is None
    assert alarm_p_value(plan(), numbers(499, 100.0, 150.0), ALARM_RISK) is None


def proportion(control: int, treatment: int, n: int = 20_000) -> ComparisonNumbers:
    def share(successes: int) -> Moments:
        p = successes / n
        return Moments(n=n, mean=np.array([p]), comoment=np.array([[n * p * (1 - p)]]))

    return compare(Form.PROPORTION, share(control), share(treatment), 0.05)


def test_alarm__of_errors_that_the_control_has_not__rings():
    assert alarm_p_value(plan(), proportion(0, 400), ALARM_RISK) < 1e-6


def test_alarm__of_a_handful_of_errors__says_nothing_yet():
    assert alarm_p_value(plan(), proportion(2, 30), ALARM_RISK) is None


@given(st.integers(600, 400_000), st.floats(95.0, 115.0), st.floats(0.0005, 0.05))
def test_alarm__rings_exactly_where_the_distance_passes_the_sequences_boundary(n: int, treatment: float, risk: float):
    made = numbers(n, 100.0, treatment)
    test = margin_test(made.control, made.treatment, 0.02, higher_is_better=False)
    beyond = -test.statistic > boundary(2 * n, risk, TUNED_FOR, one_sided=True)
    assert (alarm_p_value(plan(), made, risk) < risk) == beyond


@given(st.floats(95.0, 115.0), st.floats(0.001, 1000.0))
def test_alarm__does_not_depend_on_the_unit(treatment: float, scale: float):
    plain = alarm_p_value(plan(), numbers(5_000, 100.0, treatment), 0.01)
    scaled = compare(
        Form.MEAN, arm(5_000, 100.0 * scale, 100 * scale**2), arm(5_000, treatment * scale, 100 * scale**2), 0.05
    )
    assert alarm_p_value(plan(), scaled, 0.01) == pytest.approx(plain, rel=1e-6, abs=1e-12)


def test_share__is_split_over_guardrails_and_treatments():
    assert alarm_share([plan(), plan(), plan(margin=None)], treatments=3) == pytest.approx(0.01 / 6)
    assert alarm_share([plan(margin=None)], treatments=2) == 0.01
