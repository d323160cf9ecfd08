"""Forms of flags and their rules."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.text import slugify

from experiments.domain.environments import Environment
from experiments.domain.kinds import RuleKind, ValueType
from experiments.domain.shares import WHOLE
from experiments.domain.units import OFFERED, UnitType
from experiments.forms.plan import share_field, ten_thousandths
from experiments.forms.targeting import TargetingForm
from experiments.forms.values import TYPES, TypedField, as_typed, typed
from experiments.models import Experiment, Flag, FlagRule, Segment
from experiments.setup import KEY, KEY_RULE

KINDS = {
    RuleKind.FORCE: "One value for everyone it reaches",
    RuleKind.ROLLOUT: "A value for a share of them, always the same units",
    RuleKind.EXPERIMENT: "The variants of an experiment",
}


class MomentField(forms.DateTimeField):
    """A moment in UTC, picked or typed."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(required=False, widget=widget, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], **options)


def environments_field(**options: Any) -> forms.MultipleChoiceField:
    """Return checkboxes for the environments; none checked means all of them."""
    return forms.MultipleChoiceField(
        choices=[(one.value, one.value.capitalize()) for one in Environment],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        **options,
    )


class NewFlagForm(forms.Form):
    """What a flag is called, and what it serves where no rule decides."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"data-key-source": "id_key"}))
    key = forms.CharField(
        max_length=80,
        required=False,
        help_text="What your app asks for. Made from the name where you leave it empty; it stays as it is.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    description = forms.CharField(max_length=300, required=False)
    value_type = forms.ChoiceField(
        label="It serves",
        choices=[(one.value, words) for one, words in TYPES.items()],
        widget=forms.RadioSelect,
        initial=ValueType.BOOLEAN.value,
        help_text="The type stays, for apps rely on it.",
    )
    default = forms.CharField(
        label="Default value",
        required=False,
        max_length=10_000,
        strip=False,
        help_text="Served where no rule decides, and while the flag is off. Empty: false, no text, 0 or {}.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Find the key, and read the default as the chosen type."""
        values = super().clean() or {}
        if "name" in values:
            key = values.get("key") or slugify(values["name"])[:80]
            if not KEY.fullmatch(key):
                self.add_error("key", f"{key!r} cannot be a key: {KEY_RULE}.")
            values["key"] = key
        if "value_type" in values and "default" in values:
            try:
                values["default"] = typed(values["default"], ValueType(values["value_type"]))
            except forms.ValidationError as error:
                self.add_error("default", error)
        return values


class FlagForm(forms.Form):
    """What may change of a flag: its words and its default."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=300, required=False)
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, posted: Any = None, *, flag: Flag) -> None:
        value_type = ValueType(flag.value_type)
        initial = {
            "name": flag.name,
            "description": flag.description,
            "revision": flag.revision,
            "default": as_typed(flag.default_value, value_type),
        }
        super().__init__(posted, initial=initial)
        self.fields["default"] = TypedField(value_type, label="Default value")


class RuleForm(forms.Form):
    """One rule of a flag: what it serves, to whom, where and when."""

    name = forms.CharField(max_length=120, required=False, help_text="What it is for, so that others know.")
    kind = forms.ChoiceField(
        label="It serves",
        choices=[(one.value, words) for one, words in KINDS.items()],
        widget=forms.RadioSelect,
        initial=RuleKind.FORCE.value,
    )
    share = share_field(
        label="To this share of them, %",
        required=False,
        help_text="For a share: raising it later adds units and moves nobody back.",
    )
    unit_type = forms.ChoiceField(
        label="Share of",
        choices=[(unit.value, f"{unit.value.capitalize()}s") for unit in OFFERED],
        initial=UnitType.USER.value,
        required=False,
    )
    environments = environments_field(help_text="None checked means all of them.")
    starts_at = MomentField(label="From (UTC)")
    ends_at = MomentField(label="Until (UTC)")
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        posted: Any = None,
        *,
        flag: Flag,
        experiments: QuerySet[Experiment],
        segments: Sequence[Segment],
        rule: FlagRule | None = None,
    ) -> None:
        value_type = ValueType(flag.value_type)
        super().__init__(posted, initial={"revision": flag.revision, **(_initial(rule, value_type) if rule else {})})
        self.experiments = experiments
        self.fields["value"] = TypedField(value_type, label="Value")
        self.fields["experiment"] = forms.ChoiceField(
            choices=[("", "Choose one"), *experiments.values_list("key", "name")],
            required=False,
        )
        self.targeting = TargetingForm(segments=segments, posted=posted, initial=rule.targeting if rule else None)

    def is_valid(self) -> bool:
        """Read the rule and its targeting."""
        return all([super().is_valid(), self.targeting.is_valid()])

    def clean(self) -> dict[str, Any]:
        """Ask for what the kind needs and drop what it does not use."""
        values = super().clean() or {}
        kind = values.get("kind")
        if kind == RuleKind.ROLLOUT and values.get("share") is None and "share" not in self.errors:
            self.add_error("share", "Give the share, for example 10.")
        if kind == RuleKind.EXPERIMENT and not values.get("experiment") and "experiment" not in self.errors:
            self.add_error("experiment", "Choose the experiment whose variants are served.")
        starts, ends = values.get("starts_at"), values.get("ends_at")
        if starts and ends and starts >= ends:
            self.add_error("ends_at", "The end must lie after the beginning.")
        return values

    @property
    def has_limits(self) -> bool:
        """Say whether the rule is limited in place or time, or has a name: what is folded away otherwise."""
        return any(self[name].value() or self[name].errors for name in ("environments", "starts_at", "ends_at", "name"))

    @property
    def share_chosen(self) -> int:
        """Return the share in ten-thousandths: the whole, unless the rule is for a share."""
        share: Decimal | None = self.cleaned_data.get("share")
        is_share = self.cleaned_data["kind"] == RuleKind.ROLLOUT and share is not None
        return ten_thousandths(share) if is_share and share is not None else WHOLE

    @property
    def experiment_chosen(self) -> Experiment | None:
        """Return the experiment of a rule that serves one."""
        if self.cleaned_data["kind"] != RuleKind.EXPERIMENT:
            return None
        return self.experiments.get(key=self.cleaned_data["experiment"])


class NeedForm(forms.Form):
    """A prerequisite: another flag or experiment, and what it must serve."""

    parent_key = forms.CharField(
        label="Flag or experiment",
        max_length=80,
        help_text="Its key.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    value = forms.CharField(
        label="Must serve",
        max_length=10_000,
        help_text="As your app receives it: true, 12 or a text.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean_value(self) -> Any:
        """Return the value: JSON where it is JSON, else the text as it stands."""
        text = str(self.cleaned_data["value"]).strip()
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text


def _initial(rule: FlagRule, value_type: ValueType) -> dict[str, Any]:
    return {
        "name": rule.name,
        "kind": rule.kind,
        "share": (Decimal(rule.share) / 100).normalize() + 0,
        "unit_type": rule.unit_type,
        "environments": rule.environments,
        "starts_at": rule.starts_at,
        "ends_at": rule.ends_at,
        "value": as_typed(rule.value, value_type),
        "experiment": rule.experiment.key if rule.experiment else "",
    }
