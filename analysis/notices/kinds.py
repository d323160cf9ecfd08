"""What can happen that people want to hear of, and the ways to hear of it (no Django)."""

from enum import StrEnum

from analysis.alerts.kinds import TITLES as ALERT_TITLES
from analysis.alerts.kinds import AlertKind


class OccurrenceKind(StrEnum):
    """What happened. The value is what the API and webhooks say; every kind of alert is one."""

    STARTED = "started"
    READY = "ready-to-decide"
    ENDED = "ended"
    SHIPPED = "shipped"
    AVOIDED_LOSS = "avoided-loss"
    AGREEMENT = "needs-agreement"
    BROKEN_SPLIT = AlertKind.BROKEN_SPLIT.value
    GUARDRAIL_CROSSED = AlertKind.GUARDRAIL_CROSSED.value
    DATA_STOPPED = AlertKind.DATA_STOPPED.value
    DATA_QUALITY = AlertKind.DATA_QUALITY.value
    RESULTS_FAILED = AlertKind.RESULTS_FAILED.value
    INTERACTION = AlertKind.INTERACTION.value
    HOLDBACK_DECAYED = AlertKind.HOLDBACK_DECAYED.value
    DELIVERY = AlertKind.DELIVERY.value


TITLES = {
    OccurrenceKind.STARTED: "Started",
    OccurrenceKind.READY: "Ready to decide",
    OccurrenceKind.ENDED: "Ended",
    OccurrenceKind.SHIPPED: "Shipped",
    OccurrenceKind.AVOIDED_LOSS: "Loss avoided",
    OccurrenceKind.AGREEMENT: "Second person needed",
    **{OccurrenceKind(kind.value): title for kind, title in ALERT_TITLES.items()},
}

MEANINGS = {
    OccurrenceKind.STARTED: "An experiment began to reach people.",
    OccurrenceKind.READY: "The plan is fulfilled and the rule has an answer.",
    OccurrenceKind.ENDED: "An experiment was stopped; with its final result.",
    OccurrenceKind.SHIPPED: "Everyone begins to get a variant.",
    OccurrenceKind.AVOIDED_LOSS: "What was clearly worse was stopped; what a year would have cost. Instead of Ended.",
    OccurrenceKind.AGREEMENT: "Somebody wants to decide against the rule, which takes two who may edit.",
    OccurrenceKind.BROKEN_SPLIT: "The variants' sizes are not what was designed; nothing can be read.",
    OccurrenceKind.GUARDRAIL_CROSSED: "A guardrail is beyond its limit, by a test that may be looked at all the time.",
    OccurrenceKind.DATA_STOPPED: "No events arrive where they usually do.",
    OccurrenceKind.DATA_QUALITY: "Events carry something odd.",
    OccurrenceKind.RESULTS_FAILED: "Results could not be computed.",
    OccurrenceKind.INTERACTION: "Two experiments change each other's effect.",
    OccurrenceKind.HOLDBACK_DECAYED: "What was shipped no longer brings what it brought.",
    OccurrenceKind.DELIVERY: "Messages could not be delivered.",
}

MILESTONES = frozenset({OccurrenceKind.STARTED, OccurrenceKind.READY, OccurrenceKind.ENDED, OccurrenceKind.SHIPPED})
"""Steps in a life at which a digest by milestones goes out."""

ALARMS = frozenset(OccurrenceKind(kind.value) for kind in AlertKind)


class Channel(StrEnum):
    """How somebody hears of a kind of occurrence."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    NONE = "none"


def channel_of(choices: dict[str, str], kind: OccurrenceKind) -> Channel:
    """Return what a person chose for a kind; e-mail where nothing was chosen, or something unknown is stored."""
    try:
        return Channel(choices.get(kind.value, Channel.EMAIL.value))
    except ValueError:
        return Channel.EMAIL
