"""What is asked of a programme, from an address."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from analysis.programme.choice import PERIOD_NAMES, Question
from experiments.models import Metric

MOST_UNITS = 10**10
LARGEST_GAIN = 10**6


class QuestionForm(forms.Form):
    """The choices of the page of proxies; what is left out is whatever fits best."""

    business = forms.ChoiceField(label="Business metric", required=False)
    proxy = forms.ChoiceField(label="Proxy", required=False)
    family = forms.ChoiceField(label="Models", required=False)
    period = forms.ChoiceField(label="Period", required=False, choices=list(PERIOD_NAMES.items()))
    units = forms.IntegerField(
        label="Units in the next experiment", required=False, min_value=100, max_value=MOST_UNITS,
        help_text="What the best mixture of proxies is for.",
    )  # fmt: skip
    gain = forms.FloatField(
        label="Offline gain of the next model", required=False, min_value=-LARGEST_GAIN, max_value=LARGEST_GAIN,
        help_text="In the offline metric's own unit: 0.01 is one point.",
    )  # fmt: skip
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any], metrics: Mapping[str, str], families: list[str]) -> None:
        super().__init__(data)
        by_name = sorted(metrics.items(), key=lambda pair: pair[1].lower())
        for name, first in (("business", "The one that fits best"), ("proxy", "The most telling one")):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
            field.choices = [("", first), *by_name]
        chosen = self.fields["family"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101  (declared above)
        chosen.choices = [("", "All experiments"), *((one, one) for one in families)]

    def question(self) -> Question:
        """Return what is asked; a field in error is left out of it."""
        cleaned = self.cleaned_data
        return Question(
            business=cleaned.get("business") or "",
            proxy=cleaned.get("proxy") or "",
            family=cleaned.get("family") or "",
            period=cleaned.get("period") or "all",
            units=cleaned.get("units") or 0,
            gain=0.01 if cleaned.get("gain") is None else cleaned["gain"],
        )


class NorthStarForm(forms.Form):
    """Which metric the business goes by."""

    metric = forms.ChoiceField(label="North-star metric", required=False)
    why = forms.CharField(label="Why?", required=False, max_length=300)

    def __init__(self, *args: Any, metrics: Sequence[Metric], **options: Any) -> None:
        super().__init__(*args, **options)
        self.by_key = {one.key: one for one in metrics}
        field = self.fields["metric"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = [("", "None"), *((one.key, one.name) for one in metrics)]

    @property
    def chosen(self) -> Metric | None:
        """Return the metric that was chosen."""
        return self.by_key.get(self.cleaned_data["metric"])
