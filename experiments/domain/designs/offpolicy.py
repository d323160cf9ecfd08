"""Off-policy evaluation: what another policy would have earned, from the log of the one that ran."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from experiments.domain.metrics import MetricKind

LONGEST_WINDOW_HOURS = 24 * 60
REWARDS = (MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.SUM)
"""Metrics that a single decision has: did it happen, how often, and how much of it."""
DECISION_EVENT = "Decision Logged"


class LogSource(StrEnum):
    """Where the log of decisions is: among the events that apps send, or in a file that somebody gives."""

    EVENTS = "events"
    FILE = "file"


class RewardBy(StrEnum):
    """How a reward finds its decision: by the decision's id, or by its unit (the newest decision before it)."""

    DECISION = "decision"
    UNIT = "unit"


class OffPolicyDesign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where decisions and rewards are found. A reward counts up to ``window_hours`` after its decision."""

    source: LogSource = LogSource.EVENTS
    decision_event: str = DECISION_EVENT
    reward_by: RewardBy = RewardBy.DECISION
    window_hours: int = 24

    def problems(self, variants: int, metric: MetricKind | None) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong)."""
        del variants
        if self.source is LogSource.EVENTS and not self.decision_event.strip():
            yield "decision_event", "Name the event by which your app logs a decision."
        if not 1 <= self.window_hours <= LONGEST_WINDOW_HOURS:
            yield (
                "window_hours",
                f"{self.window_hours} hours: a reward is waited for 1 to {LONGEST_WINDOW_HOURS} hours.",
            )
        if metric is not None and metric not in REWARDS:
            yield (
                "metric",
                "A decision's reward is a metric that says whether something happened, how often, or how much of it; "
                "a ratio or an average has no value for a single decision.",
            )
