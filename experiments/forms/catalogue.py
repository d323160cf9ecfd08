"""Forms of the catalogue: metrics and model versions."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import slugify

from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
from experiments.models import Metric, ModelVersion, Project
from experiments.models.metric import NEEDS_PROPERTY

if TYPE_CHECKING:  # Django's forms are generic for the type checker alone
    MetricModelForm = forms.ModelForm[Metric]
    ModelVersionModelForm = forms.ModelForm[ModelVersion]
else:
    MetricModelForm = ModelVersionModelForm = forms.ModelForm

KINDS = {
    MetricKind.PROPORTION: "Share of units that send the event at all",
    MetricKind.COUNT: "Events per unit",
    MetricKind.SUM: "Total of a property per unit",
    MetricKind.RATIO: "Events divided by other events",
    MetricKind.AVERAGE: "Average of a property over its events",
}
DIRECTIONS = {Direction.INCREASE: "Higher is better", Direction.DECREASE: "Lower is better"}
UNITS = {
    DisplayUnit.PERCENT: "Percent",
    DisplayUnit.NUMBER: "Number",
    DisplayUnit.CURRENCY: "Money",
    DisplayUnit.MILLISECONDS: "Milliseconds",
}


class MetricForm(MetricModelForm):
    """A metric defined on events, by form and not by SQL."""

    key = forms.SlugField(
        max_length=60,
        required=False,
        help_text="Made from the name where you leave it empty.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(choices=[(kind.value, text) for kind, text in KINDS.items()], widget=forms.RadioSelect)
    direction = forms.ChoiceField(
        choices=[(d.value, text) for d, text in DIRECTIONS.items()],
        widget=forms.RadioSelect,
        initial=Direction.INCREASE.value,
        help_text="Colours the reading; it never changes the arithmetic.",
    )
    display_unit = forms.ChoiceField(label="Shown as", choices=[(u.value, text) for u, text in UNITS.items()])

    class Meta:
        model = Metric
        fields = [
            "name", "key", "description", "kind", "event", "property", "denominator_event", "direction", "display_unit",
        ]  # fmt: skip
        labels = {"property": "Property", "denominator_event": "Divided by this event"}
        help_texts = {
            "event": "The name your app sends, for example Order Completed.",
            "property": "For totals and averages: which property of the event, for example revenue.",
            "denominator_event": "For events divided by other events.",
        }
        # The page fills the lists by address, because the catalogue of events belongs to another room.
        widgets = {
            "event": forms.TextInput(attrs={"list": "event-names"}),
            "property": forms.TextInput(attrs={"list": "event-properties"}),
            "denominator_event": forms.TextInput(attrs={"list": "event-names"}),
        }

    def __init__(self, data: Any = None, *, project: Project, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.project = project

    def clean(self) -> dict[str, Any]:
        """Ask for what the kind needs, drop what it does not use, and find a free key."""
        values = super().clean() or {}
        self._ask(values, "property", NEEDS_PROPERTY, "Name the property to total or average.")
        self._ask(values, "denominator_event", [MetricKind.RATIO.value], "Name the event to divide by.")
        if "key" in values:
            values["key"] = values["key"] or slugify(values.get("name", ""))[:60]
            if not values["key"] and "name" in values:
                self.add_error("key", "Write a key: none can be made of this name.")
            elif self.project.metrics.filter(key=values["key"]).exists():
                self.add_error("key", f"The key {values['key']!r} is already used in this project; choose another.")
        return values

    def _ask(self, values: dict[str, Any], name: str, kinds: list[str], message: str) -> None:
        if values.get("kind") not in kinds:
            values[name] = ""
        elif not values.get(name) and name not in self.errors:
            self.add_error(name, message)


class ModelVersionForm(ModelVersionModelForm):
    """A model version and how good it looked offline."""

    class Meta:
        model = ModelVersion
        fields = ["name", "version", "offline_metric", "offline_value", "notes"]
        labels = {"name": "Model", "offline_metric": "Offline metric", "offline_value": "Its value"}
        help_texts = {
            "name": "For example ranker.",
            "version": "For example 2026-02-14 or v7.",
            "offline_metric": "For example NDCG@10 or accuracy.",
            "offline_value": "As a number: 0.412 for 41.2 %.",
        }

    def __init__(self, data: Any = None, *, project: Project, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.project = project

    def clean(self) -> dict[str, Any]:
        """Refuse a version that exists, and half an offline result."""
        values = super().clean() or {}
        name, version = values.get("name"), values.get("version")
        if name and version and self.project.model_versions.filter(name=name, version=version).exists():
            self.add_error("version", f"{name} {version} is registered already.")
        if (values.get("offline_value") is None) != (not values.get("offline_metric")):
            self.add_error("offline_value", "Give both the offline metric and its value, or neither.")
        return values
