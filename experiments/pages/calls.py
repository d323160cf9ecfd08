"""Ready-to-paste requests for one experiment: ask for a variant, report an exposure, report what happened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.domain.metrics import MetricKind
from experiments.domain.units import UnitType
from experiments.models import Experiment, ExperimentMetric, Metric

KEY_PLACEHOLDER = "YOUR_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Three shell commands."""

    evaluate: str
    exposure: str
    event: str


def calls(base_url: str, experiment: Experiment, variant: str, plan: Sequence[ExperimentMetric]) -> Calls:
    """Return the commands for this experiment's own key, unit and primary metric."""
    unit = f"{experiment.unit_type}-1"
    who, names_unit = _who(UnitType(experiment.unit_type), unit)
    metric = plan[0].metric if plan else None
    exposure = {"experiment_id": experiment.key, "variation_id": variant, **names_unit}
    happened = metric.event if metric else "Order Completed"
    return Calls(
        evaluate=_curl(
            f"{base_url}/ofrep/v1/evaluate/flags/{experiment.key}",
            f"-H 'Authorization: Bearer {KEY_PLACEHOLDER}'",
            {"context": {"targetingKey": unit}},
        ),
        exposure=_batch(base_url, {**who, "event": "Experiment Viewed", "properties": exposure}, "exposure-1"),
        event=_batch(
            base_url, {**who, "event": happened, "properties": {**names_unit, **_properties(metric)}}, "event-1"
        ),
    )


def _who(unit_type: UnitType, unit: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return where an event names the unit: in a field of its own, or in a property."""
    match unit_type:
        case UnitType.USER:
            return {"userId": unit}, {}
        case UnitType.DEVICE:
            return {"anonymousId": unit}, {}
        case _:
            return {"anonymousId": "anyone"}, {f"{unit_type}_id": unit}


def _properties(metric: Metric | None) -> dict[str, object]:
    if metric is None or metric.kind not in (MetricKind.SUM, MetricKind.AVERAGE):
        return {}
    return {metric.property: 19.9}


def _batch(base_url: str, event: dict[str, object], message: str) -> str:
    body = {"batch": [{"type": "track", "messageId": message, **event}]}
    return _curl(f"{base_url}/v1/batch", f"-u {KEY_PLACEHOLDER}:", body)


def _curl(url: str, sign_in: str, body: object) -> str:
    # A quote in a name would end the shell's string: it is written as the JSON escape instead.
    text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "\\u0027")
    return f"curl {url} \\\n  {sign_in} \\\n  -H 'Content-Type: application/json' \\\n  -d '{text}'"
