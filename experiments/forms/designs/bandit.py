"""The form of a bandit."""

from collections.abc import Sequence
from typing import Any

from django import forms

from experiments.domain.designs.bandit import FEWEST_FIRST, LONGEST_BATCH_HOURS, REWARDS, BanditDesign, BanditPolicy
from experiments.domain.kinds import ExperimentKind
from experiments.domain.units import UnitType
from experiments.forms.designs.base import DesignForm, OwnForm, primary, primary_of
from experiments.forms.plan import percent_of, pick_field, share_field, ten_thousandths
from experiments.models import Metric
from experiments.setup import ExperimentPlan

POLICIES = [
    (BanditPolicy.THOMPSON.value, "Earn while learning: shares follow the probability of being best (Thompson)"),
    (BanditPolicy.TOP_TWO.value, "Find the best sooner: half to the leader, half to its rivals (top-two)"),
]
UNITS = (UnitType.SESSION, UnitType.IMPRESSION)


class BanditFields(OwnForm):
    """What it learns from, and how fast shares move."""

    unit_type = forms.ChoiceField(
        label="What gets one variant",
        choices=[(unit.value, unit.value.capitalize()) for unit in UNITS],
        initial=UnitType.SESSION.value,
        help_text="Each is dealt once and keeps its variant. Users come back and would change theirs when shares do: "
        "compare users in an A/B test.",
    )
    planned_days = forms.IntegerField(
        label="Planned days", min_value=1, max_value=365, initial=14, help_text="The result is read at the end."
    )
    policy = forms.ChoiceField(label="How shares follow results", choices=POLICIES, widget=forms.RadioSelect,
                               initial=BanditPolicy.THOMPSON.value)  # fmt: skip
    floor = share_field(
        label="Least share of each variant, %",
        initial=5,
        help_text="Kept whatever happens: a variant's mean can still be told, and a change in the world is seen.",
    )
    batch_hours = forms.IntegerField(
        label="Hours between changes", min_value=1, max_value=LONGEST_BATCH_HOURS, initial=24,
        help_text="A whole day evens out its hours.",
    )  # fmt: skip
    first_units = forms.IntegerField(
        label="Units of each variant before the first change", min_value=FEWEST_FIRST, initial=200
    )
    window_hours = forms.IntegerField(
        label="Hours a reward is waited for", min_value=1, max_value=LONGEST_BATCH_HOURS, initial=24,
        help_text="Shares change on units whose time is up: younger ones would look worse than they are.",
    )  # fmt: skip

    def choose_from(self, metrics: Sequence[Metric]) -> None:
        """Offer the metrics that are one number a unit."""
        fit = [metric for metric in metrics if metric.kind in REWARDS]
        self.fields["metric"] = pick_field(
            fit, "Choose one", label="Reward", help_text="What more of is better; it decides alone."
        )

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields by heading."""
        return [
            ("What it learns from", [self[n] for n in ("unit_type", "metric", "window_hours", "planned_days")]),
            ("How shares move", [self[n] for n in ("policy", "floor", "batch_hours", "first_units")]),
        ]

    def design(self) -> BanditDesign:
        """Return how shares move."""
        given = self.cleaned_data
        return BanditDesign(
            policy=BanditPolicy(given["policy"]),
            floor=ten_thousandths(given["floor"]),
            batch_hours=given["batch_hours"],
            first_units=given["first_units"],
            window_hours=given["window_hours"],
        )

    def parts(self) -> dict[str, Any]:
        """Return unit, days and reward."""
        given = self.cleaned_data
        return {
            "unit_type": UnitType(given["unit_type"]),
            "planned_days": given["planned_days"],
            "metrics": primary(given["metric"]),
        }

    @classmethod
    def initial_of(cls, plan: ExperimentPlan) -> dict[str, Any]:
        """Return what the fields hold for a stored plan."""
        design = plan.design if isinstance(plan.design, BanditDesign) else BanditDesign()
        return {
            "unit_type": plan.unit_type.value,
            "planned_days": plan.planned_days,
            "metric": primary_of(plan),
            "policy": design.policy.value,
            "floor": percent_of(design.floor),
            "batch_hours": design.batch_hours,
            "first_units": design.first_units,
            "window_hours": design.window_hours,
        }


class BanditForm(DesignForm):
    """The whole page."""

    kind = ExperimentKind.BANDIT
    own_form = BanditFields
    arms = (("Model in use", "control"), ("Challenger A", "challenger-a"), ("Challenger B", "challenger-b"))
    arms_hint = "The first is the one in use: every other is compared with it. All begin with the same share."
    may_add = True
