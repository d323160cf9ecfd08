"""What is wrong with a form, as the list that heads the page: each entry leads to its field."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.forms import BaseForm


@dataclass(frozen=True, slots=True)
class FormError:
    """One message, and the id of the field that it is about."""

    message: str
    anchor: str


def summary(forms: Iterable[BaseForm]) -> list[FormError]:
    """Return every error of several forms, in the order of their fields."""
    return [error for form in forms for error in _of(form)]


def _of(form: BaseForm) -> Iterator[FormError]:
    for message in form.non_field_errors():
        yield FormError(str(message), "main")
    for bound in form:
        for message in bound.errors:
            text = str(message) if bound.label is None else f"{bound.label}: {message}"
            yield FormError(text, bound.id_for_label or bound.auto_id)
