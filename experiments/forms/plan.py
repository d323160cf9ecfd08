"""The form of an experiment's plan: one page, several small forms, one typed plan."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils.text import slugify

from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole
from experiments.domain.units import OFFERED, UnitType
from experiments.forms.errors import FormError, summary
from experiments.models import Metric, ModelVersion, Project
from experiments.setup import (
    KEY,
    KEY_RULE,
    MOST_VARIANTS,
    ExperimentPlan,
    MetricPlan,
    PlanError,
    VariantPlan,
    check,
)

Pickable = TypeVar("Pickable", bound=Metric | ModelVersion)

ROWS_WITHOUT_SCRIPT = 4
LONGEST_VALUE = 10_000
MOST_PLANNED_UNITS = 10**12
PART_FIELDS = {
    "key": "key",
    "name": "name",
    "planned_days": "planned_days",
    "allocation": "traffic",
    "planned_units": "planned_units",
    "matters": "matters",
}
READINGS = [
    (ReadingPlan.FIXED.value, "At the planned end only"),
    (ReadingPlan.GROUP_SEQUENTIAL.value, "At any planned look (once a day), stop early when clear"),
    (ReadingPlan.ALWAYS_VALID.value, "Any time, no end planned"),
]


def _check_key(key: str) -> None:
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
    return forms.TypedChoiceField(choices=choices, coerce=lambda key: _pick(by_id, key), empty_value=None, **options)


def _pick(by_id: dict[str, Pickable], key: str) -> Pickable:
    if key not in by_id:
        raise ValueError(f"{key!r} is none of the choices.")
    return by_id[key]


def ten_thousandths(percent: Decimal) -> int:
    """Turn percent into the integers that weights and margins are kept in."""
    return int(percent * 100)


class BasicsForm(forms.Form):
    """What the experiment is called, and over whom and how long it runs."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"data-key-source": "id_key"}))
    key = forms.CharField(
        max_length=80,
        validators=[_check_key],
        help_text="What your app asks for. It is frozen with the start.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    hypothesis = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you expect, for whom, and why. It is shown beside the result.",
    )
    unit_type = forms.ChoiceField(
        label="Unit",
        choices=[(unit.value, unit.value.capitalize()) for unit in OFFERED],
        initial=UnitType.USER.value,
        help_text="What gets one variant and keeps it.",
    )
    planned_days = forms.IntegerField(
        label="Planned days",
        min_value=1,
        max_value=365,
        initial=14,
        help_text="Whole weeks even out weekdays. The result is read at the end.",
    )
    traffic = share_field(
        label="Share of traffic, %",
        min_value=Decimal("0.01"),
        initial=Decimal(100),
        help_text="The rest is left out of the experiment.",
    )
    reading = forms.ChoiceField(
        label="How do you want to look?",
        choices=READINGS,
        initial=ReadingPlan.FIXED.value,
        required=False,
        widget=forms.RadioSelect,
        help_text="Looking more often needs wider intervals, so that it raises no false alarms. It is frozen with the "
        "start.",
    )
    planned_units = forms.IntegerField(
        label="Units planned for",
        min_value=1,
        max_value=MOST_PLANNED_UNITS,
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text="In all variants together. Needed for looking early: the interval is tightest there.",
    )
    matters = share_field(
        label="Smallest change that matters, %",
        min_value=Decimal("0.01"),
        required=False,
        help_text="Of the primary metric. A smaller change is called so, however certain it is.",
    )


class VariantForm(forms.Form):
    """One variant. A row left empty is no variant."""

    name = forms.CharField(max_length=120)
    key = forms.CharField(
        max_length=60,
        required=False,
        validators=[_check_key],
        widget=forms.TextInput(attrs={"placeholder": "from the name", "autocapitalize": "none", "spellcheck": "false"}),
    )
    weight = share_field(label="Weight, %")
    value = forms.CharField(
        max_length=LONGEST_VALUE,
        required=False,
        label="Value (JSON)",
        widget=forms.TextInput(attrs={"placeholder": "the key", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, versions: Sequence[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model_version"] = pick_field(versions, "None", required=False, label="Model version")

    def clean_value(self) -> object:
        """Return what apps receive, or None for the variant's key."""
        text = str(self.cleaned_data["value"]).strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
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


class MetricsForm(forms.Form):
    """The metric that decides, and those that are only looked at."""

    def __init__(self, *args: Any, metrics: Sequence[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["primary"] = pick_field(
            metrics, "Choose one", label="Primary metric", help_text="The one that decides."
        )
        by_id = {str(metric.pk): metric for metric in metrics}
        self.fields["secondary"] = forms.TypedMultipleChoiceField(
            choices=[(key, metric.name) for key, metric in by_id.items()],
            coerce=lambda key: _pick(by_id, key),
            required=False,
            label="Secondary metrics",
            widget=forms.CheckboxSelectMultiple,
            help_text="Shown and explained, but they decide nothing.",
        )


class GuardrailForm(forms.Form):
    """A metric that must not get worse by more than its margin. A row left empty is no guardrail."""

    margin = share_field(label="Margin, %")

    def __init__(self, *args: Any, metrics: Sequence[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["metric"] = pick_field(metrics, "None", label="Guardrail")


VariantRows = formset_factory(VariantForm, extra=0, max_num=MOST_VARIANTS, absolute_max=MOST_VARIANTS)
GuardrailRows = formset_factory(GuardrailForm, extra=0, max_num=20, absolute_max=20)


class PlanForm:
    """The whole page: basics, variant rows, metrics and guardrail rows."""

    def __init__(self, project: Project, posted: Any = None, plan: ExperimentPlan | None = None) -> None:
        metrics, versions = list(project.metrics.filter(archived_at=None)), list(project.model_versions.all())
        # A posted row is compared with an empty one: that is how rows left empty are told from variants.
        initial = _initial(plan) if posted is None else dict.fromkeys(("basics", "metrics", "variants", "guardrails"))
        self.basics = BasicsForm(posted, initial=initial["basics"])
        self.metrics = MetricsForm(posted, initial=initial["metrics"], metrics=metrics)
        self.variants: BaseFormSet[VariantForm] = VariantRows(
            posted, prefix="variants", initial=initial["variants"], form_kwargs={"versions": versions}
        )
        self.guardrails: BaseFormSet[GuardrailForm] = GuardrailRows(
            posted, prefix="guardrails", initial=initial["guardrails"], form_kwargs={"metrics": metrics}
        )
        for row in [*self.variants.forms, *self.guardrails.forms]:
            row.empty_permitted, row.use_required_attribute = True, False
        self.problems: list[FormError] = []
        self.plan: ExperimentPlan | None = None

    def is_valid(self) -> bool:
        """Parse every part, then check the plan as a whole; every problem is kept for the summary."""
        # Each is asked before any is judged, so that every part finds its errors.
        rows_are_valid = (self.variants.is_valid(), self.guardrails.is_valid())
        forms_are_valid = (self.basics.is_valid(), self.metrics.is_valid())
        if all(rows_are_valid) and all(forms_are_valid):
            plan = self._to_plan()
            try:
                check(plan)
                self.plan = plan
            except PlanError as error:
                self.refuse(error)
        return self.plan is not None and not self.problems

    def refuse(self, error: PlanError) -> None:
        """Keep the problems of a refused plan beside the fields they belong to."""
        for problem in error.problems:
            if field := PART_FIELDS.get(problem.part):
                self.basics.add_error(field, problem.message)
            else:
                self.problems.append(FormError(problem.message, problem.part))

    @property
    def errors(self) -> list[FormError]:
        """Return the page's error summary."""
        if not self.basics.is_bound:
            return []
        return [
            *summary([self.basics]),
            *self.problems,
            *summary(self.variants.forms, "Variant"),
            *summary([self.metrics]),
            *summary(self.guardrails.forms, "Guardrail"),
            *self._row_counts(),
        ]

    def _row_counts(self) -> list[FormError]:
        found = [("variants", self.variants.non_form_errors()), ("guardrails", self.guardrails.non_form_errors())]
        return [FormError(str(text), anchor) for anchor, texts in found for text in texts]

    def problem_of(self, part: str) -> list[str]:
        """Return the messages about one part of the page."""
        return [problem.message for problem in self.problems if problem.anchor == part]

    @property
    def variant_problems(self) -> list[str]:
        """Return the messages about the variants together."""
        return self.problem_of("variants")

    @property
    def metric_problems(self) -> list[str]:
        """Return the messages about the metrics together."""
        return self.problem_of("metrics")

    def _to_plan(self) -> ExperimentPlan:
        basics, chosen = self.basics.cleaned_data, self.metrics.cleaned_data
        guardrails = [row.cleaned_data for row in self.guardrails.forms if row.has_changed()]
        return ExperimentPlan(
            key=basics["key"],
            name=basics["name"],
            hypothesis=basics["hypothesis"],
            unit_type=UnitType(basics["unit_type"]),
            planned_days=basics["planned_days"],
            allocation=ten_thousandths(basics["traffic"]),
            reading=ReadingPlan(basics["reading"] or ReadingPlan.FIXED),
            planned_units=basics["planned_units"],
            matters=None if basics["matters"] is None else ten_thousandths(basics["matters"]),
            variants=tuple(row.to_plan() for row in self.variants.forms if row.has_changed()),
            metrics=(
                MetricPlan(metric=chosen["primary"], role=MetricRole.PRIMARY),
                *(
                    MetricPlan(metric=g["metric"], role=MetricRole.GUARDRAIL, margin=ten_thousandths(g["margin"]))
                    for g in guardrails
                ),
                *(MetricPlan(metric=metric, role=MetricRole.SECONDARY) for metric in chosen["secondary"]),
            ),
        )


def _initial(plan: ExperimentPlan | None) -> dict[str, Any]:
    if plan is None:
        control = {"name": "Control", "key": "control", "weight": Decimal(50)}
        treatment = {"name": "Treatment", "key": "treatment", "weight": Decimal(50)}
        return {"basics": None, "metrics": None, "variants": _padded([control, treatment]), "guardrails": [{}, {}]}
    by_role = {role: [use for use in plan.metrics if use.role is role] for role in MetricRole}
    return {
        "basics": {
            "name": plan.name,
            "key": plan.key,
            "hypothesis": plan.hypothesis,
            "unit_type": plan.unit_type.value,
            "planned_days": plan.planned_days,
            "traffic": percent_of(plan.allocation),
            "reading": plan.reading.value,
            "planned_units": plan.planned_units,
            "matters": None if plan.matters is None else percent_of(plan.matters),
        },
        "metrics": {
            "primary": next((use.metric.pk for use in by_role[MetricRole.PRIMARY]), None),
            "secondary": [use.metric.pk for use in by_role[MetricRole.SECONDARY]],
        },
        "variants": _padded([_variant_row(variant) for variant in plan.variants]),
        "guardrails": [
            *(
                {"metric": use.metric.pk, "margin": percent_of(use.margin or 0)}
                for use in by_role[MetricRole.GUARDRAIL]
            ),
            {},
            {},
        ],
    }


def _variant_row(variant: VariantPlan) -> dict[str, Any]:
    return {
        "name": variant.name,
        "key": variant.key,
        "weight": percent_of(variant.weight),
        "model_version": variant.model_version.pk if variant.model_version else None,
        "value": "" if variant.value is None else json.dumps(variant.value, ensure_ascii=False),
    }


def percent_of(kept: int) -> Decimal:
    """Return what is kept in ten-thousandths as percent."""
    return (Decimal(kept) / 100).normalize() + 0


def _padded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*rows, *({} for _ in range(ROWS_WITHOUT_SCRIPT - len(rows)))]
