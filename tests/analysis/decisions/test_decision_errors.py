"""How often the rule errs: shipping without an effect, and shipping past a guardrail's limit."""

import math

import numpy as np
import pytest

from analysis.decisions.inputs import MetricInput
from experiments.domain.metrics import MetricRole
from tests.analysis.decisions.scenes import N, Scene, latency, means, revenue
from tests.analysis.stats.cases import tolerance

RUNS = [300, pytest.param(3000, marks=pytest.mark.slow)]


def primary(random: np.random.Generator, key: str, truth: float) -> MetricInput:
    base, spread = revenue(), 10 / math.sqrt(N)
    drawn = {
        name: means(N, random.normal(mean, spread), 10) for name, mean in (("control", 10.0), ("treatment", truth))
    }
    plan = base.plan
    return MetricInput(plan=type(plan)(key=key, name=key, kind=plan.kind, role=MetricRole.PRIMARY), moments=drawn)


@pytest.mark.parametrize("runs", RUNS)
def test_rule__no_effect_on_two_primaries__ships_at_most_one_time_in_twenty(runs):
    random = np.random.default_rng(20260310)
    shipped = sum(
        Scene(metrics=[primary(random, "a", 10.0), primary(random, "b", 10.0)]).read().verdict.decision == "ship"
        for _ in range(runs)
    )
    assert shipped / runs <= 0.05 + tolerance(0.05, runs)
    assert shipped > 0  # a rule that never ships would pass too


@pytest.mark.parametrize("runs", RUNS)
def test_rule__guardrail_truly_at_its_limit__ships_at_most_one_time_in_twenty(runs):
    random, spread = np.random.default_rng(20260311), 50 / math.sqrt(N)
    shipped = 0
    for _ in range(runs):
        guardrail = latency(random.normal(200, spread), random.normal(204, spread))
        shipped += Scene(metrics=[primary(random, "a", 11.0), guardrail]).read().verdict.decision == "ship"
    assert shipped / runs <= 0.05 + tolerance(0.05, runs)


def test_rule__a_real_gain_with_a_safe_guardrail__ships_nearly_always():
    random, spread = np.random.default_rng(20260312), 50 / math.sqrt(N)
    shipped = 0
    for _ in range(200):
        guardrail = latency(random.normal(200, spread), random.normal(200, spread))
        shipped += Scene(metrics=[primary(random, "a", 10.5), guardrail]).read().verdict.decision == "ship"
    assert shipped / 200 > 0.9
