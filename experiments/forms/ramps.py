"""Ramps as people write them: 1 % for 24 h, then 5 % for 24 h, then 50 %."""

import re
from decimal import Decimal
from typing import Any

from django import forms

from experiments.domain.ramps import Ramp, RampError, RampStep, check, in_words

USUAL_HOURS = 24
_STEP = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%?(?:\s*for\s*(\d{1,4})\s*(?:h|hours?)?)?", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:,\s*then\b|,|;|→|->|\bthen\b)\s*", re.IGNORECASE)


class RampField(forms.CharField):
    """Steps in percent with their hours; a step without hours stays a day."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"placeholder": "1 % for 24 h, then 5 % for 24 h, then 50 %"})
        super().__init__(required=False, max_length=500, widget=widget, **options)

    def clean(self, value: Any) -> tuple[RampStep, ...]:
        """Return the steps; none where nothing is written."""
        parts = [part for part in _BETWEEN.split(super().clean(value).strip()) if part]
        steps = tuple(_step(part) for part in parts)
        if steps:
            try:
                check(Ramp(steps=steps))
            except RampError as error:
                raise forms.ValidationError(str(error)) from error
        return steps


def _step(part: str) -> RampStep:
    found = _STEP.fullmatch(part)
    if found is None:
        raise forms.ValidationError(f"“{part}” is no step; write a share and its hours, for example 5 % for 24 h.")
    share, hours = found.groups()
    return RampStep(share=int(Decimal(share) * 100), after_hours=int(hours or USUAL_HOURS))


def written(ramp: Ramp | None) -> str:
    """Write a ramp as ``RampField`` reads it."""
    return in_words(ramp) if ramp else ""
