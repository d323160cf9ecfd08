"""A long choice says the same as Django's own."""

import pytest
from django import forms

from experiments.forms.choosing import LongSelect

CHOICES = [("", "Choose one"), ("a", "<b> & co"), ("b", "Second")]


@pytest.mark.parametrize("value", [None, "", "a", "b", "unknown"])
def test_long_select__is_as_djangos_own(value):
    asked = {"id": "id_one", "aria-describedby": "id_one_helptext", "required": True}
    own, plain = (
        kind(choices=CHOICES, attrs={"class": "wide"}).render("one", value, asked)
        for kind in (LongSelect, forms.Select)
    )
    assert sorted_attributes(own) == sorted_attributes(plain)


def sorted_attributes(html: str) -> list[list[str]]:
    return [sorted(part.split()) for part in html.replace(">", " > ").replace("<", " < ").split(">")]
