"""A programme of model experiments whose truth is one line: what clicks gain, orders gain by a known slope.

Pure but for the random draws, which a seed decides before anybody is asked. Each experiment tries another version of a
ranker. Its true effect on clicks is c ~ N(0, .1²) on the log scale, on orders slope x c + N(0, .02²), and its offline
score gained half of c, measured with an error. Shoppers who click more also order more, whatever the ranker does, so
the line through the estimates is pulled towards the users' own slope, which is near 1 here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from config.demo.catalogue import PRIMARY, SECONDARY, Serves, Story, Use
from config.demo.shop import Effects, ParameterError, ShopSettings

PROJECT_SLUG, PROJECT_NAME = "model-programme", "Model programme"
FAMILY, FIRST_VERSION, OFFLINE_METRIC, FIRST_SCORE = "programme ranker", "v0", "NDCG@10", 0.40
PROXY, BUSINESS = "click-through", "orders-per-shopper"
SPREAD, OWN_WAY, SCORE_NOISE = 0.1, 0.02, 0.01
SHORTEST, LONGEST_SLOPE, MOST_EXPERIMENTS, LONGEST_KEY = 5, 2.0, 500, 3
DAYS_APART = 40
"""The experiments end on the last forty days one after the other, so that a chart by time has something to show."""

SETTINGS = ShopSettings(
    # About one page in four brings a click and nearly one click in two an order: five hundred shoppers then see effects
    # of this size through noise of nearly the same size, which is where naive and corrected line part.
    largest_click_share=0.5,
    click_share_shape=(5.0, 5.0),
    largest_conversion=0.5,
    conversion_shape=(18.0, 2.0),
    known_customers=0.0,
)
PLAN = (
    Use(metric=PROXY, role=PRIMARY),
    Use(metric=BUSINESS, role=SECONDARY),
    Use(metric="revenue-per-shopper", role=SECONDARY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One experiment of the programme: its story, and the score that its model reached offline."""

    story: Story
    score: float


def trials(count: int, slope: float, shoppers: int, days: int, seed: int) -> list[Trial]:
    """Draw a programme.

    Raises
    ------
    ParameterError
        When a number is out of range; the message says what is allowed.
    """
    if not SHORTEST <= count <= MOST_EXPERIMENTS:
        raise ParameterError(f"--programme is {count}; it must lie between {SHORTEST} and {MOST_EXPERIMENTS}.")
    if not -LONGEST_SLOPE <= slope <= LONGEST_SLOPE:
        raise ParameterError(f"--slope is {slope:g}; it must lie between -{LONGEST_SLOPE:g} and {LONGEST_SLOPE:g}.")
    random = np.random.default_rng([seed, 120])
    clicks = SPREAD * random.normal(size=count)
    orders = slope * clicks + OWN_WAY * random.normal(size=count)
    scores = FIRST_SCORE + clicks / 2 + SCORE_NOISE * random.normal(size=count)
    return [
        Trial(story=_story(k, seed, shoppers, days, _effects(clicks[k], orders[k])), score=round(float(scores[k]), 4))
        for k in range(count)
    ]


def _effects(clicks: float, orders: float) -> Effects:
    """Return what a model changes: orders are clicks times orders a click, so the latter makes up the difference."""
    return Effects(ctr=math.expm1(clicks), purchase=math.expm1(orders - clicks))


def _story(number: int, seed: int, shoppers: int, days: int, effects: Effects) -> Story:
    version = f"v{number + 1}"
    return Story(
        key=f"programme-{seed}-{number + 1:03d}",
        name=f"Ranker {version} of programme {seed}",
        hypothesis="More relevant results get more clicks, and more clicks bring more orders.",
        control=Serves(name=f"Ranker {FIRST_VERSION}", model=FAMILY, version=_named(FIRST_VERSION, seed)),
        treatment=Serves(name=f"Ranker {version}", model=FAMILY, version=_named(version, seed)),
        plan=PLAN,
        shoppers=shoppers,
        days=days,
        seed=seed * 1000 + number,
        ended=1 + number % DAYS_APART,
        planned_days=days,
        own_effects=effects,
        why_stopped="The planned days were over.",
    )


def _named(version: str, seed: int) -> str:
    return f"{version}-s{seed}"


def versions(drawn: Sequence[Trial]) -> dict[str, float]:
    """Return every model version of a programme with its offline score."""
    first = drawn[0].story.control.version
    return {first: FIRST_SCORE, **{one.story.treatment.version: one.score for one in drawn}}


def first_day(drawn: Sequence[Trial], today: date) -> date:
    """Return the day on which the oldest experiment began."""
    return today - timedelta(days=max(one.story.first_day_ago for one in drawn))
