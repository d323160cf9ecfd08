"""The form of a switchback."""

from collections.abc import Sequence
from typing import Any

from django import forms

from experiments.domain.designs.switchback import LONGEST_BLOCK, MEASURED, SHORTEST_BLOCK, SwitchbackDesign
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import MetricRole
from experiments.domain.units import UnitType
from experiments.forms.designs.base import DesignForm, OwnForm, lines_of, primary, primary_of
from experiments.forms.plan import pick_field
from experiments.models import Metric
from experiments.setup import ExperimentPlan, MetricPlan


class SwitchbackFields(OwnForm):
    """Regions, blocks, and what is measured in them."""

    regions = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One a line: each takes turns by itself. None: the whole market takes turns together.",
    )
    region_property = forms.CharField(
        label="Property with the region", max_length=128, required=False, initial="region",
        help_text="Your events name the region in it.",
    )  # fmt: skip
    block_minutes = forms.IntegerField(
        label="Minutes a block", min_value=SHORTEST_BLOCK, max_value=LONGEST_BLOCK, initial=60,
        help_text="A few times as long as what one order disturbs.",
    )  # fmt: skip
    burn_in_minutes = forms.IntegerField(
        label="Minutes left out after a switch", min_value=0, max_value=LONGEST_BLOCK, initial=10,
        help_text="As long as the variant before is still felt.",
    )  # fmt: skip
    planned_days = forms.IntegerField(
        label="Planned days", min_value=1, max_value=365, initial=14, help_text="The result is read at the end."
    )

    def choose_from(self, metrics: Sequence[Metric]) -> None:
        """Offer the metrics that a block has: totals, ratios and means."""
        metrics = [metric for metric in metrics if metric.kind in MEASURED]
        self.fields["metric"] = pick_field(
            metrics, "Choose one", label="Primary metric", help_text="The one that decides, formed for each block."
        )
        by_id = {str(metric.pk): metric for metric in metrics}
        self.fields["secondary"] = forms.TypedMultipleChoiceField(
            choices=[(key, metric.name) for key, metric in by_id.items()],
            coerce=by_id.__getitem__,
            required=False,
            label="Secondary metrics",
            widget=forms.CheckboxSelectMultiple,
        )

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields by heading."""
        return [
            ("Regions and blocks", [self[n] for n in ("regions", "region_property", "block_minutes",
                                                       "burn_in_minutes", "planned_days")]),
            ("What is measured", [self[n] for n in ("metric", "secondary")]),
        ]  # fmt: skip

    def design(self) -> SwitchbackDesign:
        """Return regions and blocks."""
        given = self.cleaned_data
        return SwitchbackDesign(
            block_minutes=given["block_minutes"],
            burn_in_minutes=given["burn_in_minutes"],
            region_property=given["region_property"],
            regions=lines_of(given["regions"]),
        )

    def parts(self) -> dict[str, Any]:
        """Return the unit (a region's block), days and metrics."""
        given = self.cleaned_data
        chosen = [metric for metric in given["secondary"] if metric != given["metric"]]
        return {
            "unit_type": UnitType.BLOCK,
            "planned_days": given["planned_days"],
            "metrics": (
                *primary(given["metric"]),
                *(MetricPlan(metric=metric, role=MetricRole.SECONDARY) for metric in chosen),
            ),
        }

    @classmethod
    def initial_of(cls, plan: ExperimentPlan) -> dict[str, Any]:
        """Return what the fields hold for a stored plan."""
        design = plan.design if isinstance(plan.design, SwitchbackDesign) else SwitchbackDesign()
        return {
            "regions": "\n".join(design.regions),
            "region_property": design.region_property,
            "block_minutes": design.block_minutes,
            "burn_in_minutes": design.burn_in_minutes,
            "planned_days": plan.planned_days,
            "metric": primary_of(plan),
            "secondary": [use.metric.pk for use in plan.metrics if use.role is MetricRole.SECONDARY],
        }


class SwitchbackForm(DesignForm):
    """The whole page."""

    kind = ExperimentKind.SWITCHBACK
    own_form = SwitchbackFields
    arms_hint = "The first is the control. A coin decides for each region and block which of the two runs."
