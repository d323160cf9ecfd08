"""Bandits: traffic moves towards what earns more, while every variant keeps a known share."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from experiments.domain.metrics import MetricKind
from experiments.domain.shares import WHOLE, percent

LONGEST_BATCH_HOURS = 24 * 14
FEWEST_FIRST = 30
REWARDS = (MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.SUM)
LEAST_OF_ALL = 500
"""Ten-thousandths that all variants together keep at least: with less, a variant's mean can no longer be told."""


class BanditPolicy(StrEnum):
    """How shares follow what is known.

    thompson: each variant gets its probability of being the best; earns most while it runs. top_two: half goes to the
    leader, half to telling it from its rivals; finds the best sooner.
    """

    THOMPSON = "thompson"
    TOP_TWO = "top_two"


class BanditDesign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When shares are set anew, and which part of them is never given away.

    ``floor`` is each variant's least share in ten-thousandths. ``first_units`` of each variant have to be there before
    the first change. A unit's reward counts ``window_hours`` from its exposure on.
    """

    policy: BanditPolicy = BanditPolicy.THOMPSON
    floor: int = 500
    batch_hours: int = 24
    first_units: int = 200
    window_hours: int = 24

    def problems(self, variants: int, metric: MetricKind | None) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong)."""
        most = WHOLE // max(1, variants)
        least = -(-LEAST_OF_ALL // max(1, variants))
        if not least <= self.floor <= most:
            yield (
                "floor",
                f"A least share of {percent(self.floor)}: with {variants} variants it lies between {percent(least)} "
                f"(below, a variant's mean can no longer be told) and {percent(most)}.",
            )
        if not 1 <= self.batch_hours <= LONGEST_BATCH_HOURS:
            yield "batch_hours", f"Shares change every 1 to {LONGEST_BATCH_HOURS} hours; got {self.batch_hours}."
        if self.first_units < FEWEST_FIRST:
            yield "first_units", f"Wait for at least {FEWEST_FIRST} units of each variant; got {self.first_units}."
        if not 1 <= self.window_hours <= LONGEST_BATCH_HOURS:
            yield "window_hours", f"A reward is waited for 1 to {LONGEST_BATCH_HOURS} hours; got {self.window_hours}."
        if metric is not None and metric not in REWARDS:
            yield "metric", "A bandit learns from one number a unit: whether something happened, how often or how much."
