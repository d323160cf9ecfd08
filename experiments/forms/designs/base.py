"""What the forms of designed kinds share: a name, the things compared, and one typed plan at the end."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils.text import slugify

from experiments.domain.designs.stored import Design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import MetricRole
from experiments.domain.names import KEY, KEY_RULE
from experiments.domain.shares import WHOLE
from experiments.forms.errors import FormError, summary
from experiments.forms.plan import pick_field
from experiments.models import Metric, ModelVersion, Project
from experiments.setup import (
    MOST_VARIANTS,
    ExperimentPlan,
    MetricPlan,
    PlanError,
    VariantPlan,
    check,
)


def _check_key(key: str) -> None:
    if not KEY.fullmatch(key):
        raise forms.ValidationError(f"{key!r} cannot be a key: {KEY_RULE}.")


class BasicsForm(forms.Form):
    """What it is called and what is expected of it."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"data-key-source": "id_key"}))
    key = forms.CharField(
        max_length=80,
        validators=[_check_key],
        help_text="What your app calls it. It is frozen with the start.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    hypothesis = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="What you expect, and why",
        help_text="It is shown beside the result.",
    )


class ArmForm(forms.Form):
    """One of the things compared; a row left empty is none."""

    name = forms.CharField(max_length=120)
    key = forms.CharField(
        max_length=60,
        required=False,
        validators=[_check_key],
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, versions: Sequence[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model_version"] = pick_field(versions, "None", required=False, label="Model version")

    def clean(self) -> dict[str, Any]:
        """Make a key from the name where none is given."""
        values = super().clean() or {}
        if not values.get("key") and values.get("name"):
            values["key"] = slugify(values["name"])[:60]
            if not values["key"]:
                self.add_error("key", "Write a key: none can be made of this name.")
        return values


ArmRows = formset_factory(ArmForm, extra=0, max_num=MOST_VARIANTS, absolute_max=MOST_VARIANTS)


class OwnForm(forms.Form):
    """The fields of one kind, and how they become its part of the plan."""

    def __init__(self, *args: Any, metrics: Sequence[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choose_from(metrics)

    def choose_from(self, metrics: Sequence[Metric]) -> None:
        """Add the fields that pick a metric."""

    @abstractmethod
    def design(self) -> Design:
        """Return the kind's design."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Return the other fields of ``ExperimentPlan`` that the form decides."""

    @classmethod
    @abstractmethod
    def initial_of(cls, plan: ExperimentPlan) -> dict[str, Any]:
        """Return what the fields hold for a stored plan."""

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields by heading, in the order of the page."""
        return [("How it is measured", list(self))]


class DesignForm:
    """One page: the basics, the things compared, and the kind's own fields."""

    kind: ClassVar[ExperimentKind]
    own_form: ClassVar[type[OwnForm]]
    arms: ClassVar[tuple[tuple[str, str], ...]] = (("Control", "control"), ("Treatment", "treatment"))
    arms_title: ClassVar[str] = "Variants"
    arms_hint: ClassVar[str] = "The first is the control."
    may_add: ClassVar[bool] = False

    def __init__(self, project: Project, posted: Any = None, plan: ExperimentPlan | None = None) -> None:
        metrics, versions = list(project.metrics.all()), list(project.model_versions.all())
        initial = self._initial(plan) if posted is None else {}
        self.basics = BasicsForm(posted, initial=initial.get("basics"))
        self.own = self.own_form(posted, initial=initial.get("own"), metrics=metrics)
        self.rows: BaseFormSet[ArmForm] = ArmRows(
            posted, prefix="variants", initial=initial.get("rows"), form_kwargs={"versions": versions}
        )
        for row in self.rows.forms:
            row.empty_permitted, row.use_required_attribute = True, False
        self.problems: list[FormError] = []
        self.plan: ExperimentPlan | None = None

    def is_valid(self) -> bool:
        """Parse every part, then check the plan as a whole; every problem is kept for the summary."""
        parts = (self.basics.is_valid(), self.rows.is_valid(), self.own.is_valid())
        if all(parts):
            plan = self._to_plan()
            try:
                check(plan)
                self.plan = plan
            except PlanError as error:
                self.refuse(error)
        return self.plan is not None and not self.problems

    def refuse(self, error: PlanError) -> None:
        """Keep the problems of a refused plan beside the fields that they belong to."""
        for problem in error.problems:
            if problem.part in self.own.fields:
                self.own.add_error(problem.part, problem.message)
            elif problem.part in self.basics.fields:
                self.basics.add_error(problem.part, problem.message)
            else:
                self.problems.append(FormError(problem.message, problem.part))

    @property
    def errors(self) -> list[FormError]:
        """Return the page's error summary."""
        if not self.basics.is_bound:
            return []
        counts = [FormError(str(text), "variants") for text in self.rows.non_form_errors()]
        return [
            *summary([self.basics]),
            *self.problems,
            *summary(self.rows.forms, "Row"),
            *counts,
            *summary([self.own]),
        ]

    @property
    def row_problems(self) -> list[str]:
        """Return the messages about the things compared together."""
        return [problem.message for problem in self.problems if problem.anchor == "variants"]

    def _to_plan(self) -> ExperimentPlan:
        basics = self.basics.cleaned_data
        rows = [row.cleaned_data for row in self.rows.forms if row.has_changed()]
        return ExperimentPlan(
            key=basics["key"],
            name=basics["name"],
            hypothesis=basics["hypothesis"],
            kind=self.kind,
            design=self.own.design(),
            variants=tuple(
                VariantPlan(key=row["key"], name=row["name"], weight=weight, model_version=row["model_version"])
                for row, weight in zip(rows, even_weights(len(rows)), strict=True)
            ),
            **self.own.parts(),
        )

    def _initial(self, plan: ExperimentPlan | None) -> dict[str, Any]:
        if plan is None:
            empty = [{"name": name, "key": key} for name, key in self.arms]
            return {"basics": None, "own": None, "rows": self._padded(empty)}
        rows: list[dict[str, Any]] = [
            {"name": v.name, "key": v.key, "model_version": v.model_version.pk if v.model_version else None}
            for v in plan.variants
        ]
        basics = {"name": plan.name, "key": plan.key, "hypothesis": plan.hypothesis}
        return {"basics": basics, "own": self.own_form.initial_of(plan), "rows": self._padded(rows)}

    def _padded(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        spare = max(0, 4 - len(rows)) if self.may_add else 0
        return [*rows, *({} for _ in range(spare))]


def even_weights(count: int) -> list[int]:
    """Split the whole evenly; the first ones get what cannot be divided."""
    each, over = divmod(WHOLE, max(1, count))
    return [each + (position < over) for position in range(count)]


def primary(metric: Metric) -> tuple[MetricPlan, ...]:
    """Return a plan of the one metric that decides."""
    return (MetricPlan(metric=metric, role=MetricRole.PRIMARY),)


def primary_of(plan: ExperimentPlan) -> int | None:
    """Return the id of the metric that decides, as a form's field holds it."""
    return next((use.metric.pk for use in plan.metrics if use.role is MetricRole.PRIMARY), None)


def lines_of(text: str) -> tuple[str, ...]:
    """Return the entries of a field that takes one a line, or between commas."""
    return tuple(part.strip() for line in text.splitlines() for part in line.split(",") if part.strip())
