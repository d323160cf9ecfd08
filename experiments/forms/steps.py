"""The forms that confirm a step in an experiment's life."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms

from experiments.domain.ramps import RampStep
from experiments.domain.shares import WHOLE
from experiments.domain.targeting import Condition
from experiments.forms.plan import percent_of, share_field, ten_thousandths
from experiments.forms.ramps import RampField
from experiments.forms.targeting import TargetingForm
from experiments.models import Experiment, Segment, Variant
from experiments.shipping import MOST_HOLDBACK

LONGEST_REASON = 500
USUAL_HOLDBACK = Decimal(5)
ALL_AT_ONCE = "100"


class WhyForm(forms.Form):
    """A reason for the record, and the state that the person looked at."""

    why = forms.CharField(label="Why?", max_length=LONGEST_REASON, help_text="For those who read the history.")
    seen = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def __init__(self, posted: Any = None, *, needs_why: bool = True, **options: Any) -> None:
        super().__init__(posted, **options)
        self.fields["why"].required = needs_why


class ShipForm(WhyForm):
    """Which variant everyone gets, how many are held back, and how fast."""

    field_order = ["variant", "holdback", "ramp", "why", "seen"]
    holdback = share_field(
        label="Hold back, %",
        initial=USUAL_HOLDBACK,
        help_text="Units of the old control that keep it, so that the gain stays measured. 0 for nobody.",
    )
    ramp = RampField(label="In steps", help_text="Empty: everyone at once. Otherwise end with 100 %.")

    def __init__(self, posted: Any = None, *, variants: Sequence[Variant], **options: Any) -> None:
        super().__init__(posted, **options)
        self.by_key = {variant.key: variant for variant in variants if not variant.is_control}
        most = min(MOST_HOLDBACK, next((v.weight for v in variants if v.is_control), MOST_HOLDBACK))
        self.fields["variant"] = forms.ChoiceField(
            label="Ship", choices=[(key, variant.name) for key, variant in self.by_key.items()]
        )
        self.fields["holdback"].widget.attrs["max"] = str(percent_of(most))
        self.order_fields(self.field_order)

    @property
    def variant(self) -> Variant:
        """Return the variant that was chosen."""
        return self.by_key[self.cleaned_data["variant"]]

    @property
    def holdback_share(self) -> int:
        """Return the share held back, in ten-thousandths."""
        return ten_thousandths(self.cleaned_data["holdback"])

    @property
    def steps(self) -> tuple[RampStep, ...]:
        """Return the steps of the ramp; none where everyone gets it at once."""
        found: tuple[RampStep, ...] = self.cleaned_data["ramp"]
        return found

    @property
    def first_share(self) -> int:
        """Return who gets it at first."""
        return self.steps[0].share if self.steps else WHOLE


class GrowForm(WhyForm):
    """More traffic, and more of the layer where the experiment is in one."""

    field_order = ["traffic", "layer_share", "ramp", "why", "seen"]
    traffic = share_field(label="Share of traffic, %", min_value=Decimal("0.01"))

    def __init__(self, posted: Any = None, *, experiment: Experiment, layer_share: int | None, **options: Any) -> None:
        now = percent_of(experiment.allocation)
        initial = {"traffic": now, "layer_share": percent_of(layer_share) if layer_share else None}
        super().__init__(posted, needs_why=False, initial=initial, **options)
        self.fields["traffic"].help_text = f"Now {now} %. It only grows: whoever takes part keeps their variant."
        if layer_share is not None:
            self.fields["layer_share"] = share_field(
                label="Part of the layer, %", help_text=f"Now {percent_of(layer_share)} % of {experiment.layer}."
            )
        self.order_fields(self.field_order)

    @property
    def share(self) -> int:
        """Return the traffic in ten-thousandths."""
        return ten_thousandths(self.cleaned_data["traffic"])

    @property
    def part(self) -> int | None:
        """Return the part of the layer in ten-thousandths, where there is one."""
        chosen = self.cleaned_data.get("layer_share")
        return None if chosen is None else ten_thousandths(chosen)


class PhaseForm(WhyForm):
    """New weights, traffic and targeting for a new randomisation; a client may leave the targeting out to keep it."""

    traffic = share_field(label="Share of traffic, %", min_value=Decimal("0.01"))

    def __init__(
        self,
        posted: Any = None,
        *,
        experiment: Experiment,
        variants: Sequence[Variant],
        segments: Sequence[Segment],
        **options: Any,
    ) -> None:
        weights = {f"weight-{variant.key}": percent_of(variant.weight) for variant in variants}
        super().__init__(posted, initial={"traffic": percent_of(experiment.allocation), **weights}, **options)
        self.variants = variants
        self.targeting: TargetingForm | None = None
        if posted is None or "targeting-TOTAL_FORMS" in posted:
            self.targeting = TargetingForm(segments=segments, posted=posted, initial=experiment.targeting)
        for variant in variants:
            self.fields[f"weight-{variant.key}"] = share_field(label=f"{variant.name}, %")
        self.order_fields([*weights, "traffic", "why", "seen"])

    def is_valid(self) -> bool:
        """Read the form and, where it is there, the targeting."""
        return all([super().is_valid(), self.targeting is None or self.targeting.is_valid()])

    @property
    def condition(self) -> Condition | None:
        """Return the targeting, or None to keep it as it is."""
        return self.targeting.condition if self.targeting else None

    @property
    def weights(self) -> dict[str, int]:
        """Return the weights by variant in ten-thousandths."""
        return {one.key: ten_thousandths(self.cleaned_data[f"weight-{one.key}"]) for one in self.variants}

    @property
    def share(self) -> int:
        """Return the traffic in ten-thousandths."""
        return ten_thousandths(self.cleaned_data["traffic"])
