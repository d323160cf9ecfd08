"""The volume of events against what is usual at that time of the week."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.unavailable import NotComputable
from analysis.stats.volume import Departure, Volume, volume

NOW = 6 * 168 + 40


def past(seed: int = 5, level: float = 800.0, noise: float = 0.05) -> dict[int, int]:
    """Six weeks of a shop with days, weekends and some noise of its own, up to and with the slot NOW."""
    random = np.random.default_rng(seed)
    slots = np.arange(NOW + 1)
    usual = level * (1.2 + np.sin(slots * 2 * math.pi / 24)) * np.where(slots // 24 % 7 >= 5, 0.6, 1.0)
    return dict(enumerate(random.poisson(usual * np.exp(random.normal(0, noise, len(slots)))).tolist()))


def of(counts: dict[int, int], slot: int = NOW, **more: int) -> Volume:
    found = volume(counts, slot, **more)
    assert isinstance(found, Volume), found
    return found


def test_volume__z__is_what_the_formula_says():
    counts = past()
    same = [math.log(counts[NOW - 168 * week] + 1 / 2) for week in range(1, 6)]
    residuals, chance = [], []
    for week in range(1, 6):
        for place in range(168):
            logarithms = [math.log(counts[NOW - 168 * other + place] + 1 / 2) for other in range(1, 6)]
            own = logarithms.pop(week - 1)
            residuals.append(abs(own - statistics.median(logarithms)) / math.sqrt(1 + math.pi / 8))
            chance.append(math.exp(-statistics.median(logarithms)))
    beyond = (1.4826 * statistics.median(residuals)) ** 2 - statistics.median(chance)
    assert math.sqrt(beyond) == pytest.approx(0.05, abs=0.01)  # the noise that the series was given
    middle = statistics.median(same)
    error = math.sqrt((beyond + math.exp(-middle)) * (1 + math.pi / 10))
    assert of(counts).z == pytest.approx((math.log(counts[NOW] + 1 / 2) - middle) / error, rel=1e-9)


@pytest.mark.parametrize(
    ("share", "departure"),
    [(0.0, Departure.DROP), (0.5, Departure.DROP), (1.0, Departure.NONE), (2.0, Departure.SPIKE)],
)
def test_volume__a_share_of_what_is_usual__is_called_by_its_name(share, departure):
    counts = past()
    usual = of(counts).usual
    counts[NOW] = round(usual * share)
    found = of(counts)
    assert found.departure is departure
    assert (found.low <= counts[NOW] <= found.high) is (departure is Departure.NONE)


def test_volume__an_outage_among_the_past_weeks__changes_nothing_that_matters():
    counts = past()
    before = of(counts)
    for slot in range(NOW - 2 * 168 - 5, NOW - 2 * 168 + 3):
        counts[slot] = 0
    after = of(counts)
    assert after.usual == pytest.approx(before.usual, rel=0.1)
    assert (after.low, after.high) == pytest.approx((before.low, before.high), rel=0.15)


def test_volume__slots_that_are_missing__had_no_events():
    counts = past()
    del counts[NOW]
    assert of(counts).departure is Departure.DROP
    assert of(counts).events == 0


def test_volume__few_events_or_small_changes__ring_no_bell():
    tiny = dict.fromkeys(range(NOW), 20)
    assert of(tiny).departure is Departure.NONE
    steady = dict.fromkeys(range(NOW), 1000000) | {NOW: 800_000}
    assert abs(of(steady).z) > 4
    assert of(steady).departure is Departure.NONE


def test_volume__of_days__repeats_by_the_week():
    random = np.random.default_rng(8)
    counts = {day: int(random.poisson(900 if day % 7 < 5 else 300)) for day in range(43)}
    assert of(counts, 42, period=7).departure is Departure.NONE
    assert of(counts | {42: 300}, 42, period=7).departure is Departure.DROP


def test_volume__a_young_project__cannot_be_said():
    counts = past()
    young = {slot - (NOW - 400): count for slot, count in counts.items() if slot >= NOW - 400}
    found = volume(young, 400)
    assert isinstance(found, NotComputable)
    assert "2 of the 3 past weeks" in found.reason
    assert isinstance(volume({}, 5), NotComputable)


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_volume__more_events__never_lie_lower(one, other):
    counts = past()
    less, more = sorted((one, other))
    lower, higher = of(counts | {NOW: less}), of(counts | {NOW: more})
    assert lower.z <= higher.z
    order = [Departure.DROP, Departure.NONE, Departure.SPIKE]
    assert order.index(lower.departure) <= order.index(higher.departure)


@given(st.integers(-10_000, 10_000))
def test_volume__where_the_count_of_time_begins__does_not_matter(shift):
    counts = past()
    assert of({slot + shift: count for slot, count in counts.items()}, NOW + shift) == of(counts)
