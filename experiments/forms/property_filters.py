"""Rows that filter events by a property, and the times of a metric, as people type them."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms.formsets import formset_factory

from experiments.domain import filters as conditions
from experiments.domain.definition_words import time
from experiments.domain.filters import MOST_FILTERS, OF_NUMBERS, WORDS, Filter, Operator
from experiments.forms.conditions import read_values, written_value

SPARE_ROWS = 2
HOURS = {"h": 1, "hour": 1, "hours": 1, "d": 24, "day": 24, "days": 24, "w": 168, "week": 168, "weeks": 168}
PLAIN_TEXT = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class HoursField(forms.Field):
    """A stretch of time: "7 days", "36 hours", "2 weeks"; a bare number is hours. Nothing is None."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={**PLAIN_TEXT, "placeholder": "7 days", "maxlength": "20"})
        super().__init__(required=False, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        """Write hours as one says them; nothing for none."""
        if isinstance(value, int):
            return time(value) if value else ""
        return value

    def to_python(self, value: Any) -> Any:
        """Read a time as whole hours."""
        text = str(value or "").strip().lower()
        if not text:
            return None
        text = text[:30]
        found = re.fullmatch(r"(\d{1,6})\s*([a-z]*)", text)
        unit = HOURS.get(found[2] or "h") if found else None
        if found is None or unit is None:
            raise forms.ValidationError(f"{text!r} is no time: write for example 36 hours, 7 days or 2 weeks.")
        return int(found[1]) * unit


class FilterForm(forms.Form):
    """One filter; a row without a property is none."""

    property = forms.CharField(
        max_length=conditions.LONGEST_PROPERTY,
        required=False,
        widget=forms.TextInput(attrs={**PLAIN_TEXT, "placeholder": "revenue", "list": "event-properties"}),
    )
    operator = forms.ChoiceField(
        label="Comparison",
        choices=[(one.value, words) for one, words in WORDS.items()],
        required=False,
        initial=Operator.IS.value,
        widget=forms.Select(attrs={"data-keeps": True}),
    )
    value = forms.CharField(
        max_length=conditions.MOST_VALUES * (conditions.LONGEST_TEXT + 4),
        required=False,
        widget=forms.TextInput(attrs={**PLAIN_TEXT, "placeholder": "10"}),
    )
    found: Filter | None = None

    def clean(self) -> dict[str, Any]:
        """Read the row as a filter, unless it is empty."""
        row = super().clean() or {}
        name, text = row.get("property", "").strip(), row.get("value", "").strip()
        if not name and not text:
            return row
        if not name:
            self.add_error("property", "Name the property to filter by.")
            return row
        wanted = self._read(name, Operator(row.get("operator") or Operator.IS), text)
        if said := conditions.problem(wanted):
            self.add_error("value", said)
        else:
            self.found = wanted
        return row

    def _read(self, name: str, operator: Operator, text: str) -> Filter:
        if operator is Operator.EXISTS:
            return Filter(property=name, operator=operator)
        if operator is Operator.CONTAINS:
            return Filter(property=name, operator=operator, value=text)
        values = read_values(text)
        if operator is Operator.IN:
            return Filter(property=name, operator=operator, value=tuple(values))
        if len(values) == 1:
            return Filter(property=name, operator=operator, value=values[0])
        if operator in OF_NUMBERS:
            return Filter(property=name, operator=operator, value=text or None)
        return Filter(property=name, operator=operator, value=text or None)


class StepForm(FilterForm):
    """One step of a funnel: an event, and a filter where only some of them count."""

    event = forms.CharField(
        max_length=128, required=False, widget=forms.TextInput(attrs={**PLAIN_TEXT, "list": "event-names"})
    )
    field_order = ["event", "property", "operator", "value"]

    def clean(self) -> dict[str, Any]:
        """Ask for the event that a filter is about."""
        row = super().clean()
        if row.get("property", "").strip() and not row.get("event", "").strip():
            self.add_error("event", "Name the event of this step.")
        return row


FilterRows = formset_factory(FilterForm, extra=0, max_num=MOST_FILTERS, absolute_max=MOST_FILTERS)
StepRows = formset_factory(StepForm, extra=0, max_num=6, absolute_max=6)


def initial_of(one: Filter) -> dict[str, Any]:
    """Return a filter as its row."""
    if one.value is None:
        text = ""
    elif one.operator is Operator.CONTAINS:
        text = str(one.value)
    else:
        text = written_value(list(one.value) if isinstance(one.value, tuple) else one.value)
    return {"property": one.property, "operator": one.operator.value, "value": text}


def padded(rows: Sequence[dict[str, Any]], least: int = 0) -> list[dict[str, Any]]:
    """Return rows with spare ones behind them, for whom has no script."""
    return [*rows, *({} for _ in range(max(SPARE_ROWS, least - len(rows))))]
