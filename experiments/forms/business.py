"""The form of what an experiment's metrics stand for and what a gain must earn."""

from decimal import Decimal
from typing import Any

from django import forms

from experiments.business import MOST_UNITS, Terms
from experiments.domain.metrics import DisplayUnit, MetricRole, StandsFor
from experiments.models import Experiment, ExperimentMetric

CHOICES = {
    StandsFor.PROXY: "A proxy: it moves first, and only stands in",
    StandsFor.BUSINESS: "The business: what the gain must reach",
    StandsFor.NEITHER: "Neither",
}
PREFIX = "stands_for-"


class BusinessForm(forms.Form):
    """One choice a metric of the plan, and the money."""

    monthly_cost = forms.DecimalField(
        required=False,
        max_digits=15,
        decimal_places=2,
        label="What the treatment costs more to run, a month",
        help_text="Servers, licences, people. Negative where it is cheaper. Leave it empty where you do not know.",
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    monthly_units = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_UNITS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    value_of_one = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_digits=15,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )

    def __init__(
        self, posted: Any = None, *, experiment: Experiment, plan: list[ExperimentMetric], guesses: dict[str, str]
    ) -> None:
        """Begin with what is stated; ``guesses`` say by metric key what its words make of it."""
        self.plan = [use for use in plan if use.role != MetricRole.GUARDRAIL]
        super().__init__(posted, initial=_initial(experiment, self.plan))
        unit = experiment.unit_type
        self.fields["monthly_units"].label = f"{unit.capitalize()}s a month, once everyone gets it"
        self.fields["monthly_units"].help_text = "Left empty, it is read from the experiment's own traffic."
        self.fields["value_of_one"].label = "What one of the business metric is worth"
        self.fields["value_of_one"].help_text = "For a metric that is no money: one order, one subscription."
        if all(use.metric.display_unit == DisplayUnit.CURRENCY for use in self.plan if _is_business(use, guesses)):
            self.fields["value_of_one"].widget = forms.HiddenInput()
        for use in self.plan:
            guess = f"Leave it to its words: {guesses.get(use.metric.key, 'neither')}"
            self.fields[f"{PREFIX}{use.metric.key}"] = forms.ChoiceField(
                label=use.metric.name,
                required=False,
                choices=[("", guess), *((value.value, text) for value, text in CHOICES.items())],
            )

    @property
    def audited(self) -> str:
        """Return what a change of it is called in the audit."""
        return ",".join([*(use.metric.key for use in self.plan), "monthly cost", "monthly units", "value of one"])

    @property
    def metric_fields(self) -> list[forms.BoundField]:
        """Return the choices, one a metric."""
        return [self[f"{PREFIX}{use.metric.key}"] for use in self.plan]

    def stands_for(self) -> dict[str, StandsFor | None]:
        """Return what each metric was said to stand for."""
        said = {use.metric.key: self.cleaned_data[f"{PREFIX}{use.metric.key}"] for use in self.plan}
        return {key: StandsFor(value) if value else None for key, value in said.items()}

    def terms(self) -> Terms:
        """Return what a gain is weighed against."""
        values = self.cleaned_data
        return Terms(
            monthly_cost=_hundredths(values["monthly_cost"]),
            monthly_units=values["monthly_units"],
            value_of_one=_hundredths(values["value_of_one"]),
        )


def _is_business(use: ExperimentMetric, guesses: dict[str, str]) -> bool:
    said = use.stands_for or ("business" if guesses.get(use.metric.key) == "the business" else "")
    return said == StandsFor.BUSINESS


def _initial(experiment: Experiment, plan: list[ExperimentMetric]) -> dict[str, Any]:
    return {
        "monthly_cost": _amount(experiment.monthly_cost),
        "monthly_units": experiment.monthly_units,
        "value_of_one": _amount(experiment.value_of_one),
        **{f"{PREFIX}{use.metric.key}": use.stands_for for use in plan},
    }


def _hundredths(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * 100)


def _amount(hundredths: int | None) -> Decimal | None:
    return None if hundredths is None else Decimal(hundredths) / 100
