"""Typed values as people type them: a field for each type of flag."""

import json
from typing import Any

from django import forms

from experiments.domain.kinds import ValueType
from experiments.domain.values import ValueTypeError, checked

LONGEST_VALUE = 10_000
TYPES = {
    ValueType.BOOLEAN: "On or off",
    ValueType.STRING: "Text",
    ValueType.INTEGER: "Whole number",
    ValueType.NUMBER: "Number",
    ValueType.OBJECT: "JSON",
}
EMPTY: dict[ValueType, object] = {
    ValueType.BOOLEAN: False,
    ValueType.STRING: "",
    ValueType.INTEGER: 0,
    ValueType.NUMBER: 0.0,
    ValueType.OBJECT: {},
}


class TypedField(forms.CharField):
    """A text that becomes a value of one type; an empty text is that type's empty value."""

    def __init__(self, value_type: ValueType, **options: Any) -> None:
        self.value_type = value_type
        widget: forms.Widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"})
        if value_type is ValueType.OBJECT:
            widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})
        elif value_type is ValueType.BOOLEAN:
            widget = forms.Select(choices=[("false", "Off (false)"), ("true", "On (true)")])
        super().__init__(widget=widget, required=False, max_length=LONGEST_VALUE, strip=False, **options)

    def clean(self, value: Any) -> Any:
        """Return the typed value, or say what the type allows."""
        return typed(super().clean(value), self.value_type)


def typed(text: str, value_type: ValueType) -> Any:
    """Read a text as a value of a type.

    Raises:
        ValidationError: when the text is no value of the type; the message says what is.
    """
    if value_type is not ValueType.STRING and not text.strip():
        return EMPTY[value_type]
    try:
        return checked(_read(text, value_type), value_type)
    except ValueTypeError as error:
        raise forms.ValidationError(str(error)) from error


def _read(text: str, value_type: ValueType) -> Any:
    if value_type is ValueType.STRING:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # text is no value of any of these types, so the check says what is


def as_typed(value: object, value_type: ValueType) -> str:
    """Write a value as ``typed`` reads it."""
    if value_type is ValueType.STRING:
        return "" if value is None else str(value)
    indent = 2 if value_type is ValueType.OBJECT else None
    return json.dumps(value, ensure_ascii=False, indent=indent)
