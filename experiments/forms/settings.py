"""Forms of layers, segments and the holdout."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import slugify

from experiments.domain.kinds import SegmentKind
from experiments.domain.units import OFFERED, UnitType
from experiments.forms.errors import FormError, summary
from experiments.forms.plan import pick_field, share_field, ten_thousandths
from experiments.forms.targeting import TargetingForm
from experiments.models import Metric, Segment

UNITS = [(unit.value, f"{unit.value.capitalize()}s") for unit in OFFERED]
SEGMENT_KINDS = {
    SegmentKind.LIST: "A list of ids or other values",
    SegmentKind.CONDITION: "A condition on attributes",
}
LONGEST_PASTE = 2_000_000
_SEPARATOR = re.compile(r"[\s,;]+")


def key_field() -> forms.CharField:
    """Return a field for a key, made from the name where it is left empty."""
    return forms.CharField(
        max_length=80,
        required=False,
        help_text="Made from the name where you leave it empty.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )


class NamedForm(forms.Form):
    """Something with a name and a key."""

    name = forms.CharField(max_length=120)
    key = key_field()
    description = forms.CharField(max_length=300, required=False)

    def clean(self) -> dict[str, Any]:
        """Make the key from the name where there is none."""
        values = super().clean() or {}
        if "name" in values and "key" in self.fields:
            values["key"] = values.get("key") or slugify(values["name"])[:80]
        return values


class LayerForm(NamedForm):
    """A layer and what it divides."""

    unit_type = forms.ChoiceField(label="It divides", choices=UNITS, initial=UnitType.USER.value)


class SegmentForm(NamedForm):
    """A segment: a pasted list, or a condition. The key stays once it is made."""

    kind = forms.ChoiceField(
        label="Who is in it",
        choices=[(kind.value, words) for kind, words in SEGMENT_KINDS.items()],
        widget=forms.RadioSelect,
        initial=SegmentKind.LIST.value,
    )
    unit_attribute = forms.CharField(
        label="Attribute",
        max_length=80,
        required=False,
        initial="id",
        help_text="What is listed: id for users, device_id for devices, or any attribute that your app sends.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    values = forms.CharField(
        label="Values",
        required=False,
        max_length=LONGEST_PASTE,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocapitalize": "none"}),
        help_text="Paste them one a line, or between commas or blanks. The same twice counts once.",
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, posted: Any = None, *, segments: Sequence[Segment], segment: Segment | None = None) -> None:
        super().__init__(posted, initial=_initial(segment) if segment else None)
        if segment is not None:
            del self.fields["key"]
        others = [one for one in segments if segment is None or one.pk != segment.pk]
        self.targeting = TargetingForm(segments=others, posted=posted, initial=segment.targeting if segment else None)

    def is_valid(self) -> bool:
        """Read the form, and the condition where the segment is one."""
        valid = super().is_valid()
        if self.cleaned_data.get("kind") != SegmentKind.CONDITION:
            return valid
        return self.targeting.is_valid() and valid

    def clean_values(self) -> tuple[str, ...]:
        """Return the pasted values, each once, in their order."""
        pasted = _SEPARATOR.split(self.cleaned_data["values"])
        return tuple(dict.fromkeys(value for value in pasted if value))

    @property
    def problems(self) -> list[FormError]:
        """Return what is wrong, for the head of the page."""
        if not self.is_bound:
            return []
        is_condition = self.data.get("kind") == SegmentKind.CONDITION
        return [*summary([self]), *(self.targeting.errors if is_condition else [])]


def _initial(segment: Segment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "description": segment.description,
        "kind": segment.kind,
        "unit_attribute": segment.unit_attribute or "id",
        "values": "\n".join(segment.values),
        "revision": segment.revision,
    }


class HoldoutForm(forms.Form):
    """How many are held out, of what, and what measures it."""

    size = share_field(
        label="Hold out, %",
        min_value=Decimal(1),
        initial=Decimal(5),
        help_text="From 1 to 10. It cannot change while it runs: units would lose what they have.",
    )
    unit_type = forms.ChoiceField(label="Of all", choices=UNITS, initial=UnitType.USER.value)

    def __init__(self, posted: Any = None, *, metrics: Sequence[Metric]) -> None:
        super().__init__(posted)
        self.fields["primary"] = pick_field(
            metrics, "Choose one", label="Measured by", help_text="The one that decides."
        )
        by_id = {str(metric.pk): metric for metric in metrics}
        self.fields["others"] = forms.TypedMultipleChoiceField(
            choices=[(key, metric.name) for key, metric in by_id.items()],
            coerce=by_id.__getitem__,
            required=False,
            label="Also shown",
            widget=forms.CheckboxSelectMultiple,
        )

    @property
    def share(self) -> int:
        """Return the size in ten-thousandths."""
        return ten_thousandths(self.cleaned_data["size"])

    @property
    def metrics(self) -> list[Metric]:
        """Return the metrics, the deciding one first."""
        return [self.cleaned_data["primary"], *self.cleaned_data["others"]]
