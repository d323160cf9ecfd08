"""Fields are written as Django's own templates write them, save for the spaces between their parts."""

import re
from datetime import UTC, date, datetime

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates, get_default_renderer
from django.utils.safestring import mark_safe

from experiments.forms.drawing import WrittenFields

CHOICES = [
    ("", "None & <all>"),
    (1, "One"),
    ("g<", [("x", "X"), ("y", mark_safe("<b>"))]),
    (2.5, 3.25),
    ("d", date(2026, 1, 2)),
    (12345, 12345),
]
ATTRIBUTES = {
    "id": "id_x", "required": True, "disabled": False, "data-a": '1 < "2"', "title": mark_safe("&amp;"), "size": 5,
}  # fmt: skip
FIELDS = {
    forms.Select(choices=CHOICES): ["", 1, "x", "2.5", None],
    forms.SelectMultiple(choices=CHOICES): [["1", "y"], None, []],
    forms.RadioSelect(choices=CHOICES): ["1", None],
    forms.CheckboxSelectMultiple(choices=CHOICES): [["1", "y"]],
    forms.NullBooleanSelect(): [True, None],
    forms.TextInput(): ["a'b\"<", None, "", " x ", mark_safe("&lt;")],
    forms.NumberInput(): [5, 2.5],
    forms.PasswordInput(): ["never shown"],
    forms.HiddenInput(): ["1"],
    forms.CheckboxInput(): [True, False, "x"],
    forms.DateTimeInput(format="%Y-%m-%dT%H:%M"): [datetime(2026, 1, 2, tzinfo=UTC)],
    forms.FileInput(): [None],
    forms.Textarea(): ["a\n<b", None, "\n"],
}


def tight(html: str) -> str:
    """Leave out what Django indents options by: thousands of them make a page."""
    return re.sub(r"\n\s*(?=</?(opt|select))", "\n", html)


def test_fields__are_written_by_hand_everywhere():
    assert isinstance(get_default_renderer(), WrittenFields)


@pytest.mark.parametrize("widget", FIELDS, ids=lambda widget: type(widget).__name__)
def test_a_field__is_as_djangos_own(widget):
    for value in FIELDS[widget]:
        for attributes in (ATTRIBUTES, {}, None):
            own, written = (
                widget.render("na<me", value, attributes, renderer) for renderer in (DjangoTemplates(), WrittenFields())
            )
            assert written == tight(own)


@pytest.mark.parametrize("widget", [forms.Select, forms.RadioSelect, forms.CheckboxSelectMultiple])
@pytest.mark.parametrize("labelled", [True, False])
def test_one_of_several__is_as_djangos_own(widget, labelled):
    for one in widget(choices=CHOICES).subwidgets("name", "1", ATTRIBUTES):
        context = {"widget": {**one, "wrap_label": labelled}}
        own, written = (
            renderer.render(one["template_name"], context) for renderer in (DjangoTemplates(), WrittenFields())
        )
        assert written == tight(own)
