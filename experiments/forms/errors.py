"""What is wrong with a form, as the list that heads the page: each entry leads to its field."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.forms import BaseForm


@dataclass(frozen=True, slots=True)
class FormError:
    """One message, and the id of the field that it is about."""

    message: str
    anchor: str


def summary(forms: Iterable[BaseForm], row: str = "") -> list[FormError]:
    """Return every error of several forms in the order of their fields; ``row`` names forms that are rows of a list."""
    return [
        error for number, form in enumerate(forms, start=1) for error in _of(form, f"{row} {number}, " if row else "")
    ]


def _of(form: BaseForm, where: str) -> Iterator[FormError]:
    for message in form.non_field_errors():
        yield FormError(f"{where}{message}", "main")
    for bound in form:
        for message in bound.errors:
            yield FormError(f"{where}{bound.label}: {message}", bound.id_for_label or bound.auto_id)
