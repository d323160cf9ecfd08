"""The four steps of the set-up: the form of each, what it edits, and how it is saved."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from experiments import layers, serving
from experiments.beginning import usual_guardrails
from experiments.domain.shares import percent
from experiments.domain.units import UnitType
from experiments.domain.values import same
from experiments.drafting import change_plan, set_page_address
from experiments.forms.audience import AudienceForm
from experiments.forms.errors import FormError, summary
from experiments.forms.plan import percent_of, ten_thousandths
from experiments.forms.set_up import HowForm, ReachForm, WhatForm, WhyForm
from experiments.models import Experiment, Metric, User
from experiments.pages.audience import AUDIENCE_FIELDS, apply_audience, audience_form, is_as_wanted
from experiments.pages.uploads import Uploads, store
from experiments.pages.wizard_bar import StepName
from experiments.setup import ExperimentPlan, PlanError, describe, plan_of

Files = MultiValueDict[str, Any]


class WhoForm:
    """Step 2: unit and traffic, and the whole of the audience."""

    def __init__(self, posted: QueryDict | None, experiment: Experiment) -> None:
        self.is_bound = posted is not None
        shown = {"unit_type": experiment.unit_type, "traffic": percent_of(experiment.allocation)}
        self.reach = ReachForm(posted, initial=shown)
        self.audience: AudienceForm = audience_form(experiment, posted)

    def is_valid(self) -> bool:
        """Read both parts, so that each finds its errors."""
        return all([self.reach.is_valid(), self.audience.is_valid()])

    def refuse(self, error: PlanError) -> None:
        """Keep the problems of a refused plan beside their fields."""
        fields = {"unit_type": "unit_type", "allocation": "traffic"}
        for problem in error.problems:
            self.reach.add_error(fields.get(problem.part), problem.message)

    def refuse_in_words(self, message: str) -> None:
        """Keep a refusal for the head of the page."""
        self.audience.refuse(message)

    @property
    def errors(self) -> list[FormError]:
        """Return what is wrong, for the head of the page."""
        return [*summary([self.reach]), *self.audience.errors] if self.is_bound else []

    def change(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Return the plan with what was typed."""
        typed = self.reach.cleaned_data
        return replace(plan, unit_type=UnitType(typed["unit_type"]), allocation=ten_thousandths(typed["traffic"]))


AnyForm = WhyForm | WhoForm | WhatForm | HowForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. ``fields`` are what it edits, by the names of the audit."""

    question: str
    hint: str
    fields: tuple[str, ...]
    form: Callable[[Experiment, QueryDict | None], AnyForm]
    save: Callable[[Experiment, User, Any, Files], Experiment]
    is_saved: Callable[[Experiment, Any], bool]


def _plan_is_saved(experiment: Experiment, form: AnyForm) -> bool:
    plan = plan_of(experiment)
    return same(describe(form.change(plan)), describe(plan))


def _save_plan(experiment: Experiment, user: User, form: AnyForm, _files: Files) -> Experiment:
    return change_plan(experiment, user, form.change)


@transaction.atomic
def _save_who(experiment: Experiment, user: User, form: WhoForm, _files: Files) -> Experiment:
    wanted = form.audience.rest.cleaned_data
    if not wanted.get("layer"):
        layers.leave(experiment, user)  # before the unit changes, which a layer would not let it
    saved = change_plan(experiment, user, form.change)
    apply_audience(saved, user, form.audience)
    return saved


def _who_is_saved(experiment: Experiment, form: WhoForm) -> bool:
    return _plan_is_saved(experiment, form) and is_as_wanted(experiment, form.audience)


@transaction.atomic
def _save_what(experiment: Experiment, user: User, form: WhatForm, files: Files) -> Experiment:
    renamed, was_of_models = form.renamed, serving.is_of_models(plan_of(experiment))
    saved = change_plan(experiment, user, form.change)
    if not was_of_models:
        serving.hold(saved, user, only_known=True)  # by default, and once: what is taken out then stays out
    set_page_address(saved, user, form.place.cleaned_data["page_address"])
    store(saved, user, Uploads.of(form, files), renamed)
    return saved


def _what_is_saved(experiment: Experiment, form: WhatForm) -> bool:
    return _plan_is_saved(experiment, form) and experiment.page_address == form.place.cleaned_data["page_address"]


def _how(experiment: Experiment, posted: QueryDict | None) -> HowForm:
    plan = plan_of(experiment)
    return HowForm(posted, plan, metrics=_choices(experiment, plan))


def with_usual_guardrails(experiment: Experiment) -> HowForm:
    """Return step 4 with the guardrails that the project's experiments usually have, to look at before saving."""
    plan = plan_of(experiment)
    suggested = usual_guardrails(experiment.project, besides=[use.metric.pk for use in plan.metrics])
    return HowForm(None, plan, metrics=_choices(experiment, plan), suggested=suggested)


def _choices(experiment: Experiment, plan: ExperimentPlan) -> list[Metric]:
    """Return the metrics that may be chosen: none that is archived, but for those that the plan has already."""
    own = {use.metric.pk for use in plan.metrics}
    return [one for one in experiment.project.metrics.all() if one.archived_at is None or one.pk in own]


STEPS: dict[StepName, Step] = {
    StepName.WHY: Step(
        question="Why do you run it?",
        hint="What you expect, written down before anybody has seen a number.",
        fields=("name", "key", "hypothesis"),
        form=lambda experiment, posted: WhyForm(posted, plan_of(experiment)),
        save=_save_plan,
        is_saved=_plan_is_saved,
    ),
    StepName.WHO: Step(
        question="Who takes part?",
        hint="Whom it reaches, and how many of them.",
        fields=("unit_type", "allocation", *AUDIENCE_FIELDS),
        form=lambda experiment, posted: WhoForm(posted, experiment),
        save=_save_who,
        is_saved=_who_is_saved,
    ),
    StepName.WHAT: Step(
        question="What do they see?",
        hint="The first is the control: every other variant is compared with it.",
        fields=("variants", "page_address"),
        form=lambda experiment, posted: WhatForm(
            posted, plan_of(experiment), experiment.page_address, versions=list(experiment.project.model_versions.all())
        ),
        save=_save_what,
        is_saved=_what_is_saved,
    ),
    StepName.HOW: Step(
        question="How do we decide?",
        hint="The rule is fixed before the start, so that nobody can choose it by its result.",
        fields=("planned_days", "reading", "planned_units", "matters", "metrics"),
        form=_how,
        save=_save_plan,
        is_saved=_plan_is_saved,
    ),
}


def audience_words(experiment: Experiment) -> str:
    """Say in few words how many of whom take part."""
    share = percent(experiment.allocation)
    return f"{share} of {experiment.unit_type}s" + (", targeted" if experiment.targeting else "")
