"""The form of a model version: what it is, and one row for each offline metric."""

from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from experiments.domain.metrics import Direction
from experiments.domain.offline import LONGEST_NAME, OfflineValue, VersionStatus
from experiments.forms.errors import FormError, summary
from experiments.model_versions import MOST_METRICS, Registration, RegistrationError, registration_of
from experiments.models import ModelVersion

ROWS_WITHOUT_SCRIPT = 3
STATUSES = {
    VersionStatus.CANDIDATE: "Candidate: trained, not serving everyone",
    VersionStatus.SERVING: "Serving: it answers users",
    VersionStatus.RETIRED: "Retired: it did",
}
GOOD = [("", "By its name"), (Direction.INCREASE.value, "Higher"), (Direction.DECREASE.value, "Lower")]


def _text(length: int, **options: Any) -> forms.CharField:
    attributes = {"autocapitalize": "none", "spellcheck": "false", **options.pop("attrs", {})}
    return forms.CharField(max_length=length, widget=forms.TextInput(attrs=attributes), **options)


class VersionForm(forms.Form):
    """What a version is."""

    name = _text(80, label="Model", help_text="For example ranker.", attrs={"list": "model-names"})
    version = _text(40, help_text="For example 2026-02-14 or v7.")
    parent = _text(
        40, required=False, label="Made from version", help_text="The version it grew out of.",
        attrs={"list": "model-versions"},
    )  # fmt: skip
    status = forms.ChoiceField(choices=[(s.value, text) for s, text in STATUSES.items()])
    owner = _text(120, required=False, help_text="A person or a team.")
    artefact = _text(500, required=False, label="Where it lies", help_text="An address, for people who look for it.")
    trained_from = forms.DateField(
        required=False, label="Training data from", widget=forms.DateInput(attrs={"type": "date"})
    )
    trained_until = forms.DateField(
        required=False, label="Training data until", help_text="The first day that is not in them any more.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )  # fmt: skip
    notes = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class OfflineMetricForm(forms.Form):
    """One offline metric. A row left empty is none."""

    metric = _text(LONGEST_NAME, attrs={"list": "offline-names", "placeholder": "NDCG@10"})
    value = forms.FloatField(widget=forms.NumberInput(attrs={"step": "any", "placeholder": "0.412"}))
    low = forms.FloatField(required=False, label="From", widget=forms.NumberInput(attrs={"step": "any"}))
    high = forms.FloatField(required=False, label="To", widget=forms.NumberInput(attrs={"step": "any"}))
    evaluation_set = _text(120, required=False, label="Measured on", attrs={"placeholder": "holdout 2026-02"})
    size = forms.IntegerField(required=False, min_value=1, max_value=10**15, label="Examples")
    direction = forms.ChoiceField(
        required=False, choices=GOOD, label="Better is", widget=forms.Select(attrs={"data-keeps": ""})
    )

    def to_value(self) -> OfflineValue:
        """Return the row as an offline value."""
        row = self.cleaned_data
        return OfflineValue(
            name=row["metric"],
            value=row["value"],
            low=row["low"],
            high=row["high"],
            method="as entered" if row["low"] is not None else "",
            evaluation_set=row["evaluation_set"],
            size=row["size"],
            direction=Direction(row["direction"]) if row["direction"] else None,
        )


OfflineRows = formset_factory(OfflineMetricForm, extra=0, max_num=MOST_METRICS, absolute_max=MOST_METRICS)


class RegistrationForm:
    """The whole page; ``stored`` is the version that it changes."""

    def __init__(self, posted: Any = None, *, stored: ModelVersion | None = None, name: str = "") -> None:
        self.stored = stored
        initial, rows = _initial(stored, name)
        self.version = VersionForm(posted, initial=initial if posted is None else None)
        if stored is not None:
            for fixed in ("name", "version"):
                self.version.fields[fixed].disabled = True
                self.version.fields[fixed].help_text = "It stays."
            self.version.initial = initial
        self.rows: BaseFormSet[OfflineMetricForm] = OfflineRows(
            posted, prefix="metrics", initial=rows if posted is None else None
        )
        for row in self.rows.forms:
            row.empty_permitted, row.use_required_attribute = True, False
        self.problems: list[FormError] = []

    def is_valid(self) -> bool:
        """Say whether every part can be read."""
        return all((self.version.is_valid(), self.rows.is_valid()))

    def to_registration(self) -> Registration:
        """Return what was entered."""
        fields = self.version.cleaned_data
        return Registration(
            **{**fields, "status": VersionStatus(fields["status"])},
            metrics=tuple(row.to_value() for row in self.rows.forms if row.has_changed()),
        )

    def refuse(self, error: RegistrationError) -> None:
        """Keep what was refused beside the field that it is about."""
        if error.field in self.version.fields:
            self.version.add_error(error.field, str(error))
        else:
            self.problems.append(FormError(str(error), "metrics"))

    @property
    def errors(self) -> list[FormError]:
        """Return the page's error summary."""
        if not self.version.is_bound:
            return []
        counts = [FormError(str(text), "metrics") for text in self.rows.non_form_errors()]
        return [*summary([self.version]), *summary(self.rows.forms, "Metric"), *self.problems, *counts]


def _initial(stored: ModelVersion | None, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if stored is None:
        return {"name": name, "status": VersionStatus.CANDIDATE.value}, [{} for _ in range(ROWS_WITHOUT_SCRIPT)]
    wanted = registration_of(stored)
    fields = ("name", "version", "parent", "owner", "artefact", "trained_from", "trained_until", "notes")
    rows: list[dict[str, Any]] = [
        {
            "metric": one.name, "value": one.value, "low": one.low, "high": one.high,
            "evaluation_set": one.evaluation_set, "size": one.size, "direction": one.good.value,
        }
        for one in wanted.metrics
    ]  # fmt: skip
    return {name: getattr(wanted, name) for name in fields} | {"status": wanted.status.value}, [*rows, {}, {}]
