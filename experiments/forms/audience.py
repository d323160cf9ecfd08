"""The form for whom, where and when an experiment is: what its simple set-up leaves out."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from experiments.domain.environments import Environment
from experiments.domain.layers import read_ranges, size
from experiments.domain.lifecycle import Status
from experiments.domain.ramps import Ramp, read
from experiments.domain.units import OFFERED
from experiments.forms.errors import FormError, summary
from experiments.forms.flags import MomentField, NeedForm, environments_field
from experiments.forms.plan import percent_of, share_field
from experiments.forms.ramps import RampField, written
from experiments.forms.targeting import TargetingForm
from experiments.models import Experiment, Layer, Prerequisite, Segment

SPARE_NEEDS = 2


class NeedRow(NeedForm):
    """A prerequisite in a list. A row left empty is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.empty_permitted, self.use_required_attribute = True, False


NeedRows = formset_factory(NeedRow, extra=0, max_num=20, absolute_max=20)


class WhereAndWhenForm(forms.Form):
    """Environments, fallback unit, holdout, layer, times and ramp."""

    environments = environments_field()
    fallback_unit_type = forms.ChoiceField(
        label="Before the sign-in, by",
        required=False,
        choices=[("", "Nothing else"), *((unit.value, unit.value.capitalize()) for unit in OFFERED)],
        help_text="For SDKs that remember variants: a unit without its id keeps what its device, for example, had.",
    )
    respects_holdout = forms.BooleanField(
        label="Held-out units stay out of it",
        required=False,
        help_text="They keep the control, so that the holdout measures this experiment too.",
    )
    starts_at = MomentField(label="Starts by itself (UTC)")
    ends_at = MomentField(label="Stops by itself (UTC)")
    ramp = RampField(
        label="Traffic in steps",
        help_text="Each step waits for its hours, and for the guardrails. Without hours a step stays a day.",
    )
    seen = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def __init__(
        self, posted: Any = None, *, experiment: Experiment, layers: Sequence[Layer], ramp: Ramp | None
    ) -> None:
        super().__init__(posted, initial=_initial(experiment, ramp))
        self.by_key = {layer.key: layer for layer in layers if layer.unit_type == experiment.unit_type}
        if experiment.status == Status.DRAFT:
            choices = [("", "None: may overlap with others"), *((k, one.name) for k, one in self.by_key.items())]
            self.fields["layer"] = forms.ChoiceField(choices=choices, required=False)
            self.fields["layer_share"] = share_field(
                label="Part of the layer, %", required=False, min_value=Decimal("0.01")
            )
        else:
            del self.fields["starts_at"]

    def clean_environments(self) -> tuple[Environment, ...]:
        """Return the environments; one at least."""
        chosen = tuple(Environment(name) for name in self.cleaned_data["environments"])
        if not chosen:
            raise forms.ValidationError("Choose one environment or more.")
        return chosen

    def clean(self) -> dict[str, Any]:
        """Ask for the part where a layer is chosen."""
        values = super().clean() or {}
        if values.get("layer") and values.get("layer_share") is None and "layer_share" not in self.errors:
            self.add_error("layer_share", "Say how much of the layer it takes, for example 50.")
        return values


def _initial(experiment: Experiment, ramp: Ramp | None) -> dict[str, Any]:
    held = size(read_ranges(experiment.layer_ranges))
    return {
        "environments": experiment.environments,
        "fallback_unit_type": experiment.fallback_unit_type,
        "respects_holdout": experiment.respects_holdout,
        "starts_at": experiment.starts_at,
        "ends_at": experiment.ends_at,
        "ramp": written(ramp),
        "layer": experiment.layer.key if experiment.layer else "",
        "layer_share": percent_of(held) if held else None,
    }


class AudienceForm:
    """The whole page: targeting, prerequisites, and where and when."""

    def __init__(
        self,
        posted: Any = None,
        *,
        experiment: Experiment,
        segments: Sequence[Segment],
        layers: Sequence[Layer],
        needs: Sequence[Prerequisite],
    ) -> None:
        self.targeting = TargetingForm(segments=segments, posted=posted, initial=experiment.targeting)
        self.rest = WhereAndWhenForm(posted, experiment=experiment, layers=layers, ramp=read(experiment.ramp))
        initial = [
            *({"parent_key": need.parent_key, "value": json.dumps(need.value, ensure_ascii=False)} for need in needs),
            *({} for _ in range(SPARE_NEEDS)),
        ]
        self.needs: BaseFormSet[NeedRow] = NeedRows(posted, prefix="needs", initial=initial if posted is None else None)
        self.refusals: list[FormError] = []
        self.is_bound = posted is not None

    def is_valid(self) -> bool:
        """Read every part, so that each finds its errors."""
        return all([self.targeting.is_valid(), self.rest.is_valid(), self.needs.is_valid()])

    @property
    def wanted_needs(self) -> dict[str, Any]:
        """Return the prerequisites by key."""
        rows = [row.cleaned_data for row in self.needs.forms if row.has_changed()]
        return {row["parent_key"]: row["value"] for row in rows}

    def refuse(self, message: str) -> None:
        """Keep a refusal for the head of the page."""
        self.refusals.append(FormError(message, "main"))

    @property
    def errors(self) -> list[FormError]:
        """Return what is wrong, for the head of the page."""
        if not self.is_bound:
            return []
        needs = summary(self.needs.forms, "Prerequisite")
        return [*self.refusals, *self.targeting.errors, *needs, *summary([self.rest])]
