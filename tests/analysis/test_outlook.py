"""What a plan can promise: the planning statistics' own numbers, in sentences that do not contradict each other."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as BrokenCacheError

from analysis import outlook as outlook_module
from analysis.history import Source
from analysis.outlook import Asked, Past, outlook, past
from analysis.stats.duration import Traffic, forecast
from analysis.stats.planning import Design, detectable, proportion_baseline
from experiments.domain.looking import ReadingPlan
from experiments.models import Experiment, Metric

RATE = Metric(pk=1, key="purchase-rate", name="Purchase rate", kind="proportion", direction="increase")
SLOW = Metric(pk=2, key="latency", name="Latency", kind="average", direction="decrease")
DAYS = tuple(1000.0 * day for day in range(1, 15))
PAST = Past(
    metric=RATE,
    source=Source(experiment=Experiment(pk=1, name="Earlier"), units=14_000),
    value=0.12,
    baseline=proportion_baseline(0.12),
    cumulative=DAYS,
)


def asked(**fields) -> Asked:
    return Asked(**{"days": 14, "control_share": 0.5, "treatment_share": 0.5, **fields})


def test_outlook__agrees_with_the_forecast_of_the_command():
    found = outlook(PAST, asked(matters=0.1), {})
    same = forecast(PAST.baseline, 0.1, Traffic(cumulative=DAYS))
    assert found.needed_days == same.length.total_days
    assert found.weeks == same.by_week
    assert found.least == detectable(PAST.baseline, 14_000, Design())
    assert found.units == 14_000


def test_outlook__too_short__says_what_it_takes_and_the_chance():
    found = outlook(PAST, asked(matters=0.08), {})
    assert found.headline.startswith("14 days are too short for a change of 8%: that takes ")
    assert not found.is_enough
    assert any("The chance to see the change that matters is" in line for line in found.lines)


def test_outlook__long_enough__says_so():
    assert outlook(PAST, asked(matters=0.2), {}).headline == "14 days are enough to see a change of 20%."


def test_outlook__without_a_change_that_matters__names_the_smallest_it_can_see():
    found = outlook(PAST, asked(), {})
    assert found.headline.startswith("14 days can see a change of 13% or more")
    assert any("In 56 days, today's traffic cannot see less than" in line for line in found.lines)


def test_outlook__never_to_be_seen__says_so():
    assert "cannot be seen with today's traffic" in outlook(PAST, asked(matters=0.001), {}).headline


@settings(max_examples=60, deadline=None)  # boundaries of many looks take their time
@given(
    st.floats(0.005, 0.8), st.integers(1, 120), st.floats(0.05, 1), st.sampled_from(list(ReadingPlan)),
    st.integers(1, 3), st.integers(0, 3),
)  # fmt: skip
def test_outlook__whatever_is_planned__does_not_contradict_itself(matters, days, share, reading, treatments, guards):
    wish = asked(
        days=days, matters=matters, share=share, reading=reading, treatments=treatments,
        control_share=1 / (treatments + 1), treatment_share=1 / (treatments + 1), guardrails=((SLOW, 0.05),) * guards,
    )  # fmt: skip
    found = outlook(PAST, wish, {})
    assert found.headline.endswith(".")
    if isinstance(found.needed_days, int) and found.needed_days <= days:
        assert found.is_enough
    if found.is_enough and isinstance(found.least, float):
        assert found.least <= matters * (1 + 1e-6)


@pytest.mark.parametrize("reading", [ReadingPlan.GROUP_SEQUENTIAL, ReadingPlan.ALWAYS_VALID])
def test_outlook__looking_early__sees_less_with_the_same_units(reading):
    once, early = (outlook(PAST, asked(reading=one), {}).least for one in (ReadingPlan.FIXED, reading))
    assert early > once


def test_outlook__guardrails__are_promised_a_chance_or_a_reason():
    slow = replace(PAST, metric=SLOW)
    wide, narrow, unknown = (
        outlook(PAST, asked(guardrails=((SLOW, margin),)), {2: slow} if known else {}).promises[0]
        for margin, known in ((0.3, True), (0.01, True), (0.3, False))
    )
    assert wide.is_likely
    assert not narrow.is_likely
    assert (unknown.chance, unknown.reason) == (None, "no experiment has units for it yet")


@pytest.mark.parametrize("broken", ["get", "set"])
def test_past__while_the_cache_does_not_answer__is_read_anew(monkeypatch, broken):
    monkeypatch.setattr(outlook_module, "_read_past", lambda *given: (PAST.value, PAST.baseline, PAST.cumulative))
    calls = {"get": lambda name: None, "set": lambda *given: None, broken: _no_answer}
    monkeypatch.setattr(outlook_module, "cache", SimpleNamespace(**calls))
    assert past(RATE, PAST.source) == PAST


def _no_answer(*given):
    raise BrokenCacheError("Connection refused")
