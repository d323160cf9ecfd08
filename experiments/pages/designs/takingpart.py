"""How an app takes part in an experiment of a designed kind: code and requests to paste."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.domain.designs.bandit import BanditDesign
from experiments.domain.designs.interleaving import InterleavingDesign
from experiments.domain.designs.offpolicy import LogSource, OffPolicyDesign, RewardBy
from experiments.domain.designs.switchback import SwitchbackDesign, block_id
from experiments.domain.metrics import MetricKind
from experiments.domain.units import UnitType
from experiments.pages.calls import KEY_PLACEHOLDER
from experiments.setup import ExperimentPlan

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One step with the code that does it."""

    title: str
    hint: str
    code: str


def parts_of(base_url: str, plan: ExperimentPlan) -> list[Part]:
    """Return what an app does, in order."""
    match plan.design:
        case OffPolicyDesign(source=LogSource.FILE):
            return _from_file(base_url, plan)
        case OffPolicyDesign():
            return _off_policy(base_url, plan, plan.design)
        case InterleavingDesign():
            return _interleaving(base_url, plan, plan.design)
        case BanditDesign():
            return _bandit(base_url, plan)
        case SwitchbackDesign():
            return _switchback(base_url, plan, plan.design)
    return []


# Off-policy evaluation


def _off_policy(base_url: str, plan: ExperimentPlan, design: OffPolicyDesign) -> list[Part]:
    candidates = {variant.key: 0.12 for variant in plan.variants[1:]}
    decision: Json = {
        "decision_id": "d-1",
        "action": "item-42",
        "propensity": 0.3,
        "context": "mobile",
        "target_propensity": candidates,
    }
    by_id: Json = {"decision_id": "d-1"} if design.reward_by is RewardBy.DECISION else {}
    return [
        Part(
            title="1. Log each decision",
            hint="propensity is the probability with which the model in use took this very action; target_propensity "
            "is each candidate's of the same action. context is optional: a segment of alike decisions.",
            code=_batch(base_url, [_event(plan, design.decision_event, decision, "decision-1")]),
        ),
        Part(
            title="2. Send the reward as ever",
            hint="With the decision's id."
            if by_id
            else f"It counts for the newest decision of the same {plan.unit_type} before it.",
            code=_batch(base_url, [_event(plan, _happened(plan), {**by_id, **_amount(plan)}, "reward-1")]),
        ),
    ]


def _from_file(base_url: str, plan: ExperimentPlan) -> list[Part]:
    names = [f"target_propensity.{variant.key}" for variant in plan.variants[1:]]
    header = ",".join(["decision_id", "unit", "context", "action", "propensity", "reward", *names])
    row = ",".join(["d-1", "user-1", "mobile", "item-42", "0.3", "1", *("0.12" for _ in names)])
    return [
        Part(
            title="1. Write one row a decision",
            hint="CSV (also gzipped) or Parquet. propensity, reward and one column a candidate are needed; "
            "decision_id, unit, context and action make the answer better.",
            code=f"{header}\n{row}",
        ),
        Part(
            title="2. Give the file",
            hint="On the results page once it is started, or by this request. Only the answer is kept, not the file.",
            code=(
                f"curl {base_url}/api/v1/experiments/{plan.key}/decisions \\\n"
                f"  -H 'Authorization: Bearer {KEY_PLACEHOLDER}' \\\n"
                "  -H 'Content-Type: application/octet-stream' \\\n"
                "  --data-binary @decisions.parquet"
            ),
        ),
    ]


# Interleaving


def _interleaving(base_url: str, plan: ExperimentPlan, design: InterleavingDesign) -> list[Part]:
    python = (
        "from assignment.client import Client, team_draft\n\n"
        f'with Client({json.dumps(base_url)}, "{KEY_PLACEHOLDER}") as truelift:\n'
        f'    if truelift.decide({json.dumps(plan.key)}, "user-1").value == "interleaved":\n'
        f"        draft = team_draft(old_items, new_items, length={design.length}, seed=impression_id)\n"
        "        show(draft.items)\n"
        f"        shown = draft.properties({json.dumps(plan.key)})\n"
        f'        truelift.track({json.dumps(design.shown_event)}, "user-1", **shown)'
    )
    rest = _post(
        f"{base_url}/v1/interleave",
        {
            "experiment": plan.key,
            "unit": f"{plan.unit_type}-1",
            "impression_id": "imp-1",
            "control": ["a", "b", "c"],
            "treatment": ["b", "d", "a"],
        },
    )
    shown: Json = {
        "experiment_id": plan.key,
        "impression_id": "imp-1",
        "items": ["b", "a", "d"],
        "teams": ["treatment", "control", "treatment"],
    }
    chosen: Json = {"impression_id": "imp-1", design.item_property: "d"}
    return [
        Part(
            title="1. Mix the two lists",
            hint="In Python, in your own process. The seed makes a reload show the same list.",
            code=python,
        ),
        Part(
            title="… or have the server mix them",
            hint="For apps in other languages; the answer says whose pick each item is.",
            code=rest,
        ),
        Part(
            title="2. Say what was shown",
            hint="Whose pick each item was, in the order of the list.",
            code=_batch(base_url, [_event(plan, design.shown_event, shown, "shown-1")]),
        ),
        Part(
            title="3. Say what was chosen",
            hint="With the list's impression_id. The same item twice counts once.",
            code=_batch(base_url, [_event(plan, design.clicked_event, chosen, "chosen-1")]),
        ),
    ]


# Bandit


def _bandit(base_url: str, plan: ExperimentPlan) -> list[Part]:
    unit = f"{plan.unit_type}-1"
    exposure: Json = {"experiment_id": plan.key, "variation_id": plan.variants[0].key}
    return [
        Part(
            title="1. Ask which variant a unit gets",
            hint=f"Ask once a {plan.unit_type} and keep the answer: shares change, and a second question may bring "
            "another.",
            code=_post(f"{base_url}/ofrep/v1/evaluate/flags/{plan.key}", {"context": {f"{plan.unit_type}_id": unit}}),
        ),
        Part(
            title="2. Say that it was shown",
            hint="At once: the moment says under which shares it was dealt.",
            code=_batch(base_url, [_event(plan, "Experiment Viewed", exposure, "exposure-1")]),
        ),
        Part(
            title="3. Say what happened",
            hint="The reward that it learns from.",
            code=_batch(base_url, [_event(plan, _happened(plan), _amount(plan), "event-1")]),
        ),
    ]


# Switchback


def _switchback(base_url: str, plan: ExperimentPlan, design: SwitchbackDesign) -> list[Part]:
    region = design.regions[0] if design.regions else ""
    python = (
        "from assignment.client import Client, block_id\n\n"
        f'with Client({json.dumps(base_url)}, "{KEY_PLACEHOLDER}") as truelift:\n'
        f"    now = block_id({json.dumps(region)}, minutes={design.block_minutes})\n"
        f'    decision = truelift.decide({json.dumps(plan.key)}, {{"block_id": now}})'
    )
    script = f"const block = `{region}|${{Math.floor(Date.now() / {design.block_minutes * 60_000})}}`; // the block_id"
    properties: Json = {**({design.region_property: region} if region else {}), **_amount(plan)}
    happened: Json = {
        "type": "track", "userId": "user-1", "event": _happened(plan), "messageId": "event-1", "properties": properties,
    }  # fmt: skip
    return [
        Part(
            title="1. Ask which variant a region has now",
            hint="The unit is the region and the number of the block since 1970, with a bar between them.",
            code=python,
        ),
        Part(
            title="… from any language",
            hint=f"In JavaScript: {script}",
            code=_post(
                f"{base_url}/ofrep/v1/evaluate/flags/{plan.key}",
                {"context": {"block_id": block_id(region, 493021)}},
            ),
        ),
        Part(
            title="2. Say what happened",
            hint="No exposure is needed: which variant a region had when is known."
            + (f" Every event names its region in {design.region_property}." if region else ""),
            code=_batch(base_url, [happened]),
        ),
    ]


# Shared


def _happened(plan: ExperimentPlan) -> str:
    return plan.metrics[0].metric.event if plan.metrics else "Order Completed"


def _amount(plan: ExperimentPlan) -> Json:
    metric = plan.metrics[0].metric if plan.metrics else None
    with_property = metric is not None and metric.kind in (MetricKind.SUM, MetricKind.AVERAGE)
    return {metric.property: 19.9} if metric is not None and with_property else {}


def _event(plan: ExperimentPlan, name: str, properties: Json, message: str) -> Json:
    unit = f"{plan.unit_type}-1"
    who: Json = {"anonymousId": "anyone"}
    match plan.unit_type:
        case UnitType.USER:
            who = {"userId": unit}
        case UnitType.DEVICE:
            who = {"anonymousId": unit}
        case other:
            properties = {f"{other}_id": unit, **properties}
    return {"type": "track", **who, "event": name, "messageId": message, "properties": properties}


def _batch(base_url: str, events: Sequence[Json]) -> str:
    return _curl(f"{base_url}/v1/batch", f"-u {KEY_PLACEHOLDER}:", {"batch": list(events)})


def _post(url: str, body: Json) -> str:
    return _curl(url, f"-H 'Authorization: Bearer {KEY_PLACEHOLDER}'", body)


def _curl(url: str, sign_in: str, body: Json) -> str:
    # A quote in a name would end the shell's string: it is written as the JSON escape instead.
    text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "\\u0027")
    return f"curl {url} \\\n  {sign_in} \\\n  -H 'Content-Type: application/json' \\\n  -d '{text}'"
