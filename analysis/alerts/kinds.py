"""What an alert can be about, and how soon it wants somebody (no Django)."""

from enum import StrEnum


class AlertKind(StrEnum):
    """What is wrong. The value is what the API and webhooks say."""

    BROKEN_SPLIT = "broken-split"
    GUARDRAIL_CROSSED = "guardrail-crossed"
    DATA_STOPPED = "data-stopped"
    DATA_QUALITY = "data-quality"
    RESULTS_FAILED = "results-failed"
    INTERACTION = "interaction"
    HOLDBACK_DECAYED = "holdback-decayed"
    DELIVERY = "delivery"


class Severity(StrEnum):
    """How soon somebody should look."""

    URGENT = "urgent"  # harm grows by the hour: now, also at night where the recipient allows it
    WARNING = "warning"  # today
    NOTE = "note"  # when there is time


SEVERITY_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.URGENT: 2}

TITLES = {
    AlertKind.BROKEN_SPLIT: "Broken split",
    AlertKind.GUARDRAIL_CROSSED: "Guardrail crossed",
    AlertKind.DATA_STOPPED: "Data stopped",
    AlertKind.DATA_QUALITY: "Data quality",
    AlertKind.RESULTS_FAILED: "Results failed",
    AlertKind.INTERACTION: "Interaction",
    AlertKind.HOLDBACK_DECAYED: "Holdback decayed",
    AlertKind.DELIVERY: "Delivery failed",
}
