"""What the forms of an experiment's set-up share: shares, pickers, and the rows of variants and guardrails."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django import forms
from django.forms.formsets import formset_factory
from django.utils.text import slugify

from experiments.models import Metric, ModelVersion, Screenshot
from experiments.setup import KEY, KEY_RULE, MOST_VARIANTS, MetricPlan, VariantPlan

Pickable = TypeVar("Pickable", bound=Metric | ModelVersion)

ROWS_WITHOUT_SCRIPT = 4
MOST_GUARDRAILS = 20
LONGEST_VALUE = 10_000


def check_key(key: str) -> None:
    """Refuse what apps could not ask for."""
    if not KEY.fullmatch(key):
        raise forms.ValidationError(f"{key!r} cannot be a key: {KEY_RULE}.")


def share_field(**options: Any) -> forms.DecimalField:
    """Return a field for a share in percent, with at most two decimals."""
    return forms.DecimalField(
        min_value=options.pop("min_value", Decimal(0)),
        max_value=Decimal(100),
        max_digits=5,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
        **options,
    )


def pick_field(objects: Sequence[Metric] | Sequence[ModelVersion], nothing: str, **options: Any) -> forms.Field:
    """Return a field that picks one of objects already at hand, so that twenty rows cost no query each."""
    by_id = {str(item.pk): item for item in objects}
    choices = [("", nothing), *((key, str(item)) for key, item in by_id.items())]
    return forms.TypedChoiceField(choices=choices, coerce=lambda key: pick(by_id, key), empty_value=None, **options)


def pick_many_field(objects: Sequence[Metric], **options: Any) -> forms.TypedMultipleChoiceField:
    """Return a field that picks any number of metrics."""
    by_id = {str(item.pk): item for item in objects}
    return forms.TypedMultipleChoiceField(
        choices=[(key, item.name) for key, item in by_id.items()],
        coerce=lambda key: pick(by_id, key),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        **options,
    )


def pick(by_id: dict[str, Pickable], key: str) -> Pickable:
    """Return the object of that id."""
    if key not in by_id:
        raise ValueError(f"{key!r} is none of the choices.")
    return by_id[key]


def ten_thousandths(percent: Decimal) -> int:
    """Turn percent into the integers that weights and margins are kept in."""
    return int(percent * 100)


def percent_of(kept: int) -> Decimal:
    """Return what is kept in ten-thousandths as percent."""
    return (Decimal(kept) / 100).normalize() + 0


class VariantForm(forms.Form):
    """One variant. A row left empty is none; ``was`` is the key that the row had, to which its pictures belong."""

    name = forms.CharField(max_length=120)
    key = forms.CharField(
        max_length=60,
        required=False,
        validators=[check_key],
        widget=forms.TextInput(attrs={"placeholder": "from the name", "autocapitalize": "none", "spellcheck": "false"}),
    )
    weight = share_field(label="Weight, %")
    value = forms.CharField(
        max_length=LONGEST_VALUE,
        required=False,
        label="Value (JSON)",
        widget=forms.TextInput(attrs={"placeholder": "the key", "autocapitalize": "none", "spellcheck": "false"}),
    )
    was = forms.CharField(max_length=60, required=False, widget=forms.HiddenInput)
    pictures: Sequence[Screenshot] = ()
    """What the row's variant looks like, set by the page."""

    def __init__(self, *args: Any, versions: Sequence[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model_version"] = pick_field(versions, "None", required=False, label="Model version")
        self.empty_permitted, self.use_required_attribute = True, False

    def has_changed(self) -> bool:
        """Say whether the row is a variant: a row that was emptied is none, whatever key it had."""
        return any(name != "was" for name in self.changed_data)

    def clean_value(self) -> object:
        """Return what apps receive, or None for the variant's key."""
        text = str(self.cleaned_data["value"]).strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("This is not JSON: write text in quotes, or leave it empty.") from error

    def to_plan(self) -> VariantPlan:
        """Return the row as a variant."""
        row = self.cleaned_data
        return VariantPlan(
            key=row["key"] or slugify(row["name"])[:60] or "variant",
            name=row["name"],
            weight=ten_thousandths(row["weight"]),
            value=row["value"],
            model_version=row["model_version"],
        )


class GuardrailForm(forms.Form):
    """A metric that must not get worse by more than its margin. A row left empty is no guardrail."""

    margin = share_field(label="Margin, %")

    def __init__(self, *args: Any, metrics: Sequence[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["metric"] = pick_field(metrics, "None", label="Guardrail")
        self.empty_permitted, self.use_required_attribute = True, False


VariantRows = formset_factory(VariantForm, extra=0, max_num=MOST_VARIANTS, absolute_max=MOST_VARIANTS)
GuardrailRows = formset_factory(GuardrailForm, extra=0, max_num=MOST_GUARDRAILS, absolute_max=MOST_GUARDRAILS)


def variant_row(variant: VariantPlan) -> dict[str, Any]:
    """Return a variant as the row shows it."""
    return {
        "name": variant.name,
        "key": variant.key,
        "was": variant.key,
        "weight": percent_of(variant.weight),
        "model_version": variant.model_version.pk if variant.model_version else None,
        "value": "" if variant.value is None else json.dumps(variant.value, ensure_ascii=False),
    }


def guardrail_row(use: MetricPlan) -> dict[str, Any]:
    """Return a guardrail as the row shows it."""
    return {"metric": use.metric.pk, "margin": percent_of(use.margin or 0)}


def padded(rows: list[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """Add spare rows, which are there for those without script."""
    return [*rows, *({} for _ in range(max(0, least - len(rows))))]
