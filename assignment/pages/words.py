"""Why somebody gets what they get, in the words of the pages."""

from collections.abc import Mapping
from typing import Any

from assignment.engine.terminals import Outcome

REASONS: dict[Outcome, str] = {
    Outcome.ASSIGNED: "Drawn by chance, always alike for this unit",
    Outcome.OVERRIDE: "Set by hand for this unit (QA override); not analysed",
    Outcome.TARGETED: "A rule of the flag reaches this unit",
    Outcome.HELD_OUT: "In the holdout, so it keeps the control",
    Outcome.NOT_TARGETED: "Does not match the targeting",
    Outcome.OTHER_EXPERIMENT: "Its place in the layer belongs to another experiment, or to none",
    Outcome.NOT_IN_TRAFFIC: "Outside the share of traffic",
    Outcome.PREREQUISITE: "Another flag does not serve the value that this one needs",
    Outcome.NO_UNIT: "No id of the kind that is needed was given",
    Outcome.STOPPED: "The experiment is stopped: everyone gets the control",
    Outcome.PAUSED: "The experiment is paused: everyone gets the control",
    Outcome.SHIPPED: "Shipped",
    Outcome.DISABLED: "Switched off here",
    Outcome.DEFAULT: "No rule decides, so the default",
}
PASSED_OVER: dict[Outcome, str] = {
    Outcome.NOT_TARGETED: "the unit does not match it",
    Outcome.OTHER_EXPERIMENT: "its place in the layer belongs to another experiment, or to none",
    Outcome.NOT_IN_TRAFFIC: "the unit lies outside its share",
    Outcome.PREREQUISITE: "its prerequisite does not serve the value that it needs",
    Outcome.NO_UNIT: "no id of the kind that it needs was given",
    Outcome.DEFAULT: "it does not decide",
}


def rule_title(rule: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Name a rule of the served document; ``names`` are the names of flags' rules by id."""
    rule_id = str(rule.get("id", ""))
    if rule_id.startswith("override:"):
        return "QA overrides"
    match rule_id:
        case "holdout":
            return "Holdout"
        case "experiment":
            return f"Experiment {rule.get('name') or rule.get('key')}"
        case "holdback":
            return f"Holdback {rule.get('name') or rule.get('key')}"
        case "shipped":
            return "The shipped variant"
        case "paused":
            return "Paused experiment"
    return names.get(rule_id) or "A rule of the flag"


def passed_over(outcome: Outcome, rule_id: str) -> str:
    """Say why a rule did not decide."""
    if rule_id.startswith("override:"):
        return "the unit is not named"
    if rule_id == "holdout":
        return "the unit is not held out"
    return PASSED_OVER.get(outcome, "it does not decide")
