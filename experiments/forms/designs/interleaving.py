"""The form of an interleaving of two rankers."""

from typing import Any

from django import forms

from experiments.domain.designs.interleaving import (
    CLICKED_EVENT,
    ITEM_PROPERTY,
    LONGEST_LIST,
    SHOWN_EVENT,
    InterleavingDesign,
)
from experiments.domain.kinds import ExperimentKind
from experiments.domain.shares import WHOLE
from experiments.domain.units import UnitType
from experiments.forms.designs.base import DesignForm, OwnForm
from experiments.forms.plan import percent_of, share_field, ten_thousandths
from experiments.setup import ExperimentPlan

UNITS = (UnitType.USER, UnitType.DEVICE, UnitType.ACCOUNT)


class InterleavingFields(OwnForm):
    """Who sees mixed lists, and which events tell what was chosen."""

    unit_type = forms.ChoiceField(
        label="Who prefers",
        choices=[(unit.value, unit.value.capitalize()) for unit in UNITS],
        initial=UnitType.USER.value,
        help_text="Each counts once, however often they search.",
    )
    traffic = share_field(label="Share of traffic, %", initial=100, min_value=1)
    planned_days = forms.IntegerField(
        label="Planned days", min_value=1, max_value=365, initial=7,
        help_text="Whole weeks even out weekdays. The result is read at the end.",
    )  # fmt: skip
    length = forms.IntegerField(
        label="Items in a list", min_value=1, max_value=LONGEST_LIST, initial=10, help_text="As many as people see."
    )
    shown_event = forms.CharField(
        label="Event: a list was shown", max_length=128, initial=SHOWN_EVENT,
        widget=forms.TextInput(attrs={"list": "event-names"}),
    )  # fmt: skip
    clicked_event = forms.CharField(
        label="Event: an item was chosen",
        max_length=128,
        initial=CLICKED_EVENT,
        help_text="A click, or what matters more: an order.",
        widget=forms.TextInput(attrs={"list": "event-names"}),
    )
    item_property = forms.CharField(
        label="Its property with the item", max_length=128, initial=ITEM_PROPERTY,
        help_text="For example item_id or product_id.",
    )  # fmt: skip
    beside = forms.CharField(
        label="A/B test of the same rankers",
        max_length=80,
        required=False,
        help_text="Its key, if there is one: the page then says how many users each way needs.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields by heading."""
        return [
            ("Who and how long", [self[name] for name in ("unit_type", "traffic", "planned_days", "length")]),
            ("What your app reports", [self[n] for n in ("shown_event", "clicked_event", "item_property", "beside")]),
        ]

    def design(self) -> InterleavingDesign:
        """Return which events tell what."""
        names = ("shown_event", "clicked_event", "item_property", "length", "beside")
        return InterleavingDesign(**{name: self.cleaned_data[name] for name in names})

    def parts(self) -> dict[str, Any]:
        """Return unit, traffic and days; clicks decide, so there is no metric."""
        given = self.cleaned_data
        return {
            "unit_type": UnitType(given["unit_type"]),
            "allocation": ten_thousandths(given["traffic"]) if given["traffic"] else WHOLE,
            "planned_days": given["planned_days"],
            "metrics": (),
        }

    @classmethod
    def initial_of(cls, plan: ExperimentPlan) -> dict[str, Any]:
        """Return what the fields hold for a stored plan."""
        design = plan.design if isinstance(plan.design, InterleavingDesign) else InterleavingDesign()
        return {
            "unit_type": plan.unit_type.value,
            "traffic": percent_of(plan.allocation),
            "planned_days": plan.planned_days,
            "length": design.length,
            "shown_event": design.shown_event,
            "clicked_event": design.clicked_event,
            "item_property": design.item_property,
            "beside": design.beside,
        }


class InterleavingForm(DesignForm):
    """The whole page."""

    kind = ExperimentKind.INTERLEAVING
    own_form = InterleavingFields
    arms = (("Ranker in use", "control"), ("New ranker", "treatment"))
    arms_title = "The two rankers"
    arms_hint = "The first is the one in use. Both fill one list in turns, a coin deciding who begins each round."
