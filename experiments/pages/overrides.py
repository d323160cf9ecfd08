"""QA overrides of an experiment: units that see a chosen variant, added and removed."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from experiments import overrides
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.access import Role
from experiments.models import Experiment
from experiments.refusals import RefusedError


class OverrideForm(forms.Form):
    """A unit and the variant that it is to see."""

    unit_id = forms.CharField(
        label="Unit",
        max_length=overrides.LONGEST_UNIT,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    variant = forms.ChoiceField(label="Sees")
    note = forms.CharField(max_length=200, required=False, help_text="For example whose device it is.")

    def __init__(self, posted: object = None, *, experiment: Experiment) -> None:
        super().__init__(posted)  # type: ignore[arg-type]  # a QueryDict or None
        self.by_key = {variant.key: variant for variant in experiment.variants.all()}
        self.fields["variant"] = forms.ChoiceField(
            label="Sees", choices=[(key, variant.name) for key, variant in self.by_key.items()]
        )
        self.fields["unit_id"].help_text = f"The id of a {experiment.unit_type}, as your app sends it."


@login_required
@require_POST
def add(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Have a unit see a variant; the same again changes nothing."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    form = OverrideForm(request.POST, experiment=experiment)
    if not form.is_valid():
        wrong = " ".join(f"{form[name].label}: {texts[0]}" for name, texts in form.errors.items())
        messages.error(request, f"{wrong} Nothing was changed.")
        return redirect("experiment_detail", project_slug, key)
    chosen = form.cleaned_data
    variant = form.by_key[chosen["variant"]]
    try:
        overrides.add(experiment, chosen["unit_id"], variant, request.user, chosen["note"])
        messages.success(request, f"{chosen['unit_id']} sees {variant.name} and is left out of the analysis.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("experiment_detail", project_slug, key)


@login_required
@require_POST
def remove(request: SignedInRequest, project_slug: str, key: str, override_id: int) -> HttpResponse:
    """Let a unit get what its hash says again; one that is gone already is no error."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    override = experiment.overrides.select_related("variant", "experiment__project").filter(pk=override_id).first()
    if override is not None and overrides.remove(override, request.user):
        messages.success(request, f"{override.unit_id} gets what chance says again.")
    return redirect("experiment_detail", project_slug, key)
