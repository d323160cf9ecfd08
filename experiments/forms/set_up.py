"""The forms of the set-up's steps: each shows its part of a plan, and returns the plan with that part as typed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet

from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.domain.units import OFFERED, UnitType
from experiments.forms.errors import FormError, summary
from experiments.forms.plan import (
    ROWS_WITHOUT_SCRIPT,
    GuardrailForm,
    GuardrailRows,
    VariantForm,
    VariantRows,
    check_key,
    guardrail_row,
    padded,
    percent_of,
    pick_field,
    pick_many_field,
    share_field,
    ten_thousandths,
    variant_row,
)
from experiments.models import Metric, ModelVersion
from experiments.setup import ExperimentPlan, MetricPlan, PlanError

MOST_PLANNED_UNITS = 10**12
SPARE_GUARDRAILS = 2
READINGS = [
    (ReadingPlan.FIXED.value, "Once, at the planned end"),
    (ReadingPlan.GROUP_SEQUENTIAL.value, "At any planned look (once a day), stop early when clear"),
    (ReadingPlan.ALWAYS_VALID.value, "Any time, no end planned"),
]


class PurposeForm(forms.Form):
    """Why: a name, a key and what is expected."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"data-key-source": "id_key"}))
    key = forms.CharField(
        max_length=80,
        validators=[check_key],
        help_text="What your app asks for. It is frozen with the start.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    hypothesis = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="If we …, then … rises or falls, because …. It is shown beside the result.",
    )


class ReachForm(forms.Form):
    """Who: what is randomised, and how much of the traffic takes part."""

    unit_type = forms.ChoiceField(
        label="Unit",
        choices=[(unit.value, unit.value.capitalize()) for unit in OFFERED],
        initial=UnitType.USER.value,
        help_text="What gets one variant and keeps it.",
    )
    traffic = share_field(
        label="Share of traffic, %",
        min_value=Decimal("0.01"),
        initial=Decimal(100),
        help_text="The rest is left out of the experiment. It can grow later, and never shrink.",
    )


class PlaceForm(forms.Form):
    """What: where people can see it."""

    page_address = forms.CharField(
        label="Address of a page that shows it",
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://shop.example/search?q=boots"}),
        help_text="Links to look at each variant are made of it.",
    )

    def clean_page_address(self) -> str:
        """Return an address that can be linked to."""
        address = str(self.cleaned_data["page_address"]).strip()
        if address and not address.startswith(("https://", "http://")):
            raise forms.ValidationError("Begin it with https:// or http://.")
        return address


class ReadingForm(forms.Form):
    """How: how long, for how many, and how it is looked at."""

    planned_days = forms.IntegerField(
        label="Planned days",
        min_value=1,
        max_value=365,
        initial=14,
        help_text="Whole weeks even out weekdays. The result is read at the end.",
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
    adjusted = forms.ChoiceField(
        label="Adjust for what units did before?",
        choices=[("yes", "Yes: the same answer from fewer units"), ("no", "No: compare plain averages")],
        initial="yes",
        required=False,
        widget=forms.RadioSelect,
        help_text="What each unit did in the days before its exposure explains part of what it does after. It cannot "
        "favour a variant, because nobody had seen one yet. The plain result stands beside it. Frozen with the start.",
    )


class MetricsForm(forms.Form):
    """How: the metrics that decide, and those that are only looked at."""

    def __init__(self, *args: Any, metrics: Sequence[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["primary"] = pick_field(
            metrics, "Choose one", label="Primary metric", help_text="The one that decides."
        )
        self.fields["also"] = pick_many_field(
            metrics,
            label="More that decide",
            help_text="One that rises is enough. The risk is shared among them, so each needs more units.",
        )
        self.fields["secondary"] = pick_many_field(
            metrics, label="Secondary metrics", help_text="Shown and explained, but they decide nothing."
        )


class StepForm:
    """What all steps have in common: several small forms, problems of the plan beside their fields, one summary."""

    part_fields: dict[str, tuple[str, str]] = {}
    """From a part of a plan to the form (an attribute of this) and the field that it is typed in."""

    def __init__(self, posted: Any) -> None:
        self.is_bound = posted is not None
        self.problems: list[FormError] = []

    @property
    def forms(self) -> list[forms.Form]:
        """Return the single forms, in the order of the page."""
        raise NotImplementedError

    @property
    def row_sets(self) -> list[tuple[str, str, Any]]:
        """Return the rows as (heading of one, anchor, formset)."""
        return []

    def is_valid(self) -> bool:
        """Read every part, so that each finds its errors."""
        return all([*(rows.is_valid() for _, _, rows in self.row_sets), *(form.is_valid() for form in self.forms)])

    def refuse_in_words(self, message: str) -> None:
        """Keep a refusal for the head of the page."""
        self.problems.append(FormError(message, "main"))

    def refuse(self, error: PlanError) -> None:
        """Keep the problems of a refused plan beside the fields they belong to."""
        for problem in error.problems:
            if place := self.part_fields.get(problem.part):
                getattr(self, place[0]).add_error(place[1], problem.message)
            else:
                self.problems.append(FormError(problem.message, problem.part))

    @property
    def errors(self) -> list[FormError]:
        """Return the page's error summary."""
        if not self.is_bound:
            return []
        rows = [error for name, _, found in self.row_sets for error in summary(found.forms, name)]
        whole = [FormError(str(text), anchor) for _, anchor, found in self.row_sets for text in found.non_form_errors()]
        return [*summary(self.forms), *self.problems, *rows, *whole]

    def problem_of(self, part: str) -> list[str]:
        """Return the messages about one part of the page."""
        return [problem.message for problem in self.problems if problem.anchor == part]


class WhyForm(StepForm):
    """Step 1."""

    part_fields = {"key": ("purpose", "key"), "name": ("purpose", "name")}

    def __init__(self, posted: Any = None, plan: ExperimentPlan | None = None) -> None:
        super().__init__(posted)
        shown = {"name": plan.name, "key": plan.key, "hypothesis": plan.hypothesis} if plan else None
        self.purpose = PurposeForm(posted, initial=shown)

    @property
    def forms(self) -> list[forms.Form]:
        """Return the one form."""
        return [self.purpose]

    def change(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Return the plan with what was typed."""
        typed = self.purpose.cleaned_data
        return replace(plan, name=typed["name"], key=typed["key"], hypothesis=typed["hypothesis"])


class WhatForm(StepForm):
    """Step 3: variants, and where they can be seen."""

    def __init__(
        self,
        posted: Any = None,
        plan: ExperimentPlan | None = None,
        address: str = "",
        *,
        versions: Sequence[ModelVersion],
    ) -> None:
        super().__init__(posted)
        self.place = PlaceForm(posted, initial={"page_address": address})
        removed = posted.getlist("remove_picture") if posted is not None else []
        self.pictures_to_remove = frozenset(
            int(number) for number in removed if number.isdecimal() and len(number) < 19
        )
        rows = padded([variant_row(variant) for variant in plan.variants], ROWS_WITHOUT_SCRIPT) if plan else []
        # A posted row is compared with an empty one: that is how rows left empty are told from variants.
        self.variants: BaseFormSet[VariantForm] = VariantRows(
            posted, prefix="variants", initial=None if self.is_bound else rows, form_kwargs={"versions": versions}
        )

    @property
    def forms(self) -> list[forms.Form]:
        """Return the form beside the rows."""
        return [self.place]

    @property
    def row_sets(self) -> list[tuple[str, str, Any]]:
        """Return the variants."""
        return [("Variant", "variants", self.variants)]

    @property
    def variant_problems(self) -> list[str]:
        """Return the messages about the variants together."""
        return self.problem_of("variants")

    @property
    def rows(self) -> list[VariantForm]:
        """Return the rows that are variants."""
        return [row for row in self.variants.forms if row.has_changed()]

    @property
    def renamed(self) -> dict[str, str]:
        """Return which key became which."""
        plans = [(row.cleaned_data["was"], row.to_plan().key) for row in self.rows]
        return {was: key for was, key in plans if was and was != key}

    def change(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Return the plan with what was typed."""
        return replace(plan, variants=tuple(row.to_plan() for row in self.rows))


class HowForm(StepForm):
    """Step 4: what decides, what must hold, how long, and how it is looked at."""

    part_fields = {name: ("reading", name) for name in ("planned_days", "planned_units", "matters")}

    def __init__(
        self,
        posted: Any = None,
        plan: ExperimentPlan | None = None,
        *,
        metrics: Sequence[Metric],
        suggested: Sequence[MetricPlan] = (),
    ) -> None:
        super().__init__(posted)
        shown = _shown(plan, suggested) if plan and posted is None else dict.fromkeys(("reading", "metrics", "rows"))
        self.reading = ReadingForm(posted, initial=shown["reading"])
        self.metrics = MetricsForm(posted, initial=shown["metrics"], metrics=metrics)
        self.guardrails: BaseFormSet[GuardrailForm] = GuardrailRows(
            posted, prefix="guardrails", initial=shown["rows"], form_kwargs={"metrics": metrics}
        )

    @property
    def forms(self) -> list[forms.Form]:
        """Return the forms beside the rows."""
        return [self.metrics, self.reading]

    @property
    def row_sets(self) -> list[tuple[str, str, Any]]:
        """Return the guardrails."""
        return [("Guardrail", "guardrails", self.guardrails)]

    @property
    def metric_problems(self) -> list[str]:
        """Return the messages about the metrics together."""
        return self.problem_of("metrics")

    def change(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Return the plan with what was typed."""
        typed = self.reading.cleaned_data
        return replace(
            plan,
            planned_days=typed["planned_days"],
            reading=ReadingPlan(typed["reading"] or ReadingPlan.FIXED),
            planned_units=typed["planned_units"],
            matters=None if typed["matters"] is None else ten_thousandths(typed["matters"]),
            adjusted=typed["adjusted"] == "yes" if typed["adjusted"] else plan.adjusted,
            metrics=self._uses({use.metric.pk: use.stands_for for use in plan.metrics}),
        )

    def _uses(self, stands_for: Mapping[int, StandsFor | None]) -> tuple[MetricPlan, ...]:
        """Return what each metric is for; what it stands for is set elsewhere and stays."""
        chosen = self.metrics.cleaned_data
        rows = [row.cleaned_data for row in self.guardrails.forms if row.has_changed()]
        more = [one for one in chosen["also"] if one != chosen["primary"]]
        uses = [
            *((metric, MetricRole.PRIMARY, None) for metric in (chosen["primary"], *more)),
            *((row["metric"], MetricRole.GUARDRAIL, ten_thousandths(row["margin"])) for row in rows),
            *((metric, MetricRole.SECONDARY, None) for metric in chosen["secondary"]),
        ]
        return tuple(
            MetricPlan(metric=metric, role=role, margin=margin, stands_for=stands_for.get(metric.pk))
            for metric, role, margin in uses
        )


def _shown(plan: ExperimentPlan, suggested: Sequence[MetricPlan]) -> dict[str, Any]:
    by_role = {role: [use for use in plan.metrics if use.role is role] for role in MetricRole}
    guardrails = [*by_role[MetricRole.GUARDRAIL], *suggested]
    primaries = [use.metric.pk for use in by_role[MetricRole.PRIMARY]]
    return {
        "reading": {
            "planned_days": plan.planned_days,
            "reading": plan.reading.value,
            "planned_units": plan.planned_units,
            "matters": None if plan.matters is None else percent_of(plan.matters),
            "adjusted": "yes" if plan.adjusted else "no",
        },
        "metrics": {
            "primary": next(iter(primaries), None),
            "also": primaries[1:],
            "secondary": [use.metric.pk for use in by_role[MetricRole.SECONDARY]],
        },
        "rows": padded([guardrail_row(use) for use in guardrails], len(guardrails) + SPARE_GUARDRAILS),
    }
