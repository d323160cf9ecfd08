"""The form of an off-policy evaluation."""

from collections.abc import Sequence
from typing import Any

from django import forms

from experiments.domain.designs.offpolicy import (
    DECISION_EVENT,
    LONGEST_WINDOW_HOURS,
    REWARDS,
    LogSource,
    OffPolicyDesign,
    RewardBy,
)
from experiments.domain.kinds import ExperimentKind
from experiments.domain.units import UnitType
from experiments.forms.designs.base import DesignForm, OwnForm, primary, primary_of
from experiments.forms.plan import pick_field
from experiments.models import Metric
from experiments.setup import ExperimentPlan

SOURCES = [
    (LogSource.EVENTS.value, "Events that my app sends: each decision with its probability"),
    (LogSource.FILE.value, "A file: CSV or Parquet, one row a decision"),
]
WAYS = [
    (RewardBy.DECISION.value, "The reward's event carries the decision's id"),
    (RewardBy.UNIT.value, "By unit: the reward belongs to the unit's newest decision before it"),
]
UNITS = (UnitType.USER, UnitType.DEVICE, UnitType.SESSION, UnitType.ACCOUNT)


class OffPolicyFields(OwnForm):
    """Where the decisions are, and what came of them."""

    source = forms.ChoiceField(label="The log of decisions", choices=SOURCES, widget=forms.RadioSelect,
                               initial=LogSource.EVENTS.value)  # fmt: skip
    decision_event = forms.CharField(
        label="Decision event",
        max_length=128,
        required=False,
        initial=DECISION_EVENT,
        help_text="Sent when the model decides, with action, propensity and target_propensity.",
        widget=forms.TextInput(attrs={"list": "event-names"}),
    )
    reward_by = forms.ChoiceField(
        label="How a reward finds its decision", choices=WAYS, initial=RewardBy.DECISION.value, required=False
    )
    window_hours = forms.IntegerField(
        label="Hours a reward is waited for",
        min_value=1,
        max_value=LONGEST_WINDOW_HOURS,
        initial=24,
        required=False,
        help_text="What comes later does not count, so that early and late decisions have the same chance.",
    )
    unit_type = forms.ChoiceField(
        label="Whose decisions belong together",
        choices=[(unit.value, unit.value.capitalize()) for unit in UNITS],
        initial=UnitType.USER.value,
        help_text="Decisions of one unit resemble each other; intervals allow for that.",
    )
    planned_days = forms.IntegerField(
        label="Days of log", min_value=1, max_value=365, initial=7, required=False,
        help_text="The answer is read at the end.",
    )  # fmt: skip

    def choose_from(self, metrics: Sequence[Metric]) -> None:
        """Offer the metrics that a single decision has."""
        fit = [metric for metric in metrics if metric.kind in REWARDS]
        self.fields["metric"] = pick_field(
            fit, "Choose one", label="Reward", help_text="What a decision earns: a click, an order, its revenue."
        )

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields by heading."""
        return [
            ("The log", [self[name] for name in ("source", "decision_event", "planned_days")]),
            ("The reward", [self[name] for name in ("metric", "window_hours", "reward_by", "unit_type")]),
        ]

    def design(self) -> OffPolicyDesign:
        """Return where decisions and rewards are found."""
        given = self.cleaned_data
        return OffPolicyDesign(
            source=LogSource(given["source"]),
            decision_event=given["decision_event"],
            reward_by=RewardBy(given["reward_by"] or RewardBy.DECISION),
            window_hours=given["window_hours"] or 24,
        )

    def parts(self) -> dict[str, Any]:
        """Return unit, days and reward."""
        given = self.cleaned_data
        return {
            "unit_type": UnitType(given["unit_type"]),
            "planned_days": given["planned_days"] or 7,
            "metrics": primary(given["metric"]),
        }

    @classmethod
    def initial_of(cls, plan: ExperimentPlan) -> dict[str, Any]:
        """Return what the fields hold for a stored plan."""
        design = plan.design if isinstance(plan.design, OffPolicyDesign) else OffPolicyDesign()
        return {
            "source": design.source.value,
            "decision_event": design.decision_event,
            "reward_by": design.reward_by.value,
            "window_hours": design.window_hours,
            "unit_type": plan.unit_type.value,
            "planned_days": plan.planned_days,
            "metric": primary_of(plan),
        }


class OffPolicyForm(DesignForm):
    """The whole page."""

    kind = ExperimentKind.OFF_POLICY
    own_form = OffPolicyFields
    arms = (("Logged policy", "logged"), ("New model", "new-model"))
    arms_title = "Policies"
    arms_hint = (
        "The first is the policy that made the decisions. Each other one is a candidate: the log gives its probability "
        "of the same decision under its key, as target_propensity.<key>."
    )
    may_add = True
