"""How the fields of forms become HTML: written straight away, as Django's own templates would, save for spaces.

A template for each field, each of its attributes and each option of a list took up to half of the time of a page with a
form. What is not written here, Django's templates still write.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.template import Context
from django.template.base import render_value_in_context
from django.utils.safestring import SafeData

Widget = Mapping[str, Any]
"""What Django hands to a widget's template."""

_ROOT = "django/forms/widgets/"
_INPUTS = (
    "input", "text", "number", "email", "url", "color", "search", "tel", "password", "hidden", "date", "datetime",
    "time", "checkbox", "file",
)  # fmt: skip


class WrittenFields(DjangoTemplates):
    """Write inputs, lists and texts by hand; ``settings.FORM_RENDERER`` names this class."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        """Return the HTML of a widget or a form."""
        write = _WRITERS.get(template_name)
        return write(context["widget"]) if write else super().render(template_name, context, request)


def _input(widget: Widget) -> str:
    value = widget["value"]
    held = "" if value is None else f' value="{_attribute(value)}"'
    return f'<input type="{_shown(widget["type"])}" name="{_shown(widget["name"])}"{held}{_attributes(widget)}>'


def _choice(widget: Widget) -> str:
    """Write one of several boxes or buttons, with its label around it where the page writes none itself."""
    if not widget.get("wrap_label"):
        return _input(widget)
    name = widget["attrs"].get("id")
    its = f' for="{_shown(name)}"' if name else ""
    return f"<label{its}>{_input(widget)}\n {_shown(widget['label'])}</label>"


def _textarea(widget: Widget) -> str:
    text = _shown(widget["value"]) if widget["value"] else ""
    return f'<textarea name="{_shown(widget["name"])}"{_attributes(widget)}>\n{text}</textarea>'


def _select(widget: Widget) -> str:
    parts = [f'<select name="{_shown(widget["name"])}"{_attributes(widget)}>']
    for group, options, _ in widget["optgroups"]:
        written = [_option(one) for one in options]
        parts += [f'<optgroup label="{_shown(group)}">', *written, "</optgroup>"] if group else written
    return "\n".join((*parts, "</select>"))


def _option(widget: Widget) -> str:
    attributes = _attributes(widget) if widget["attrs"] else ""
    return f'<option value="{_attribute(widget["value"])}"{attributes}>{_shown(widget["label"])}</option>'


def _attributes(widget: Widget) -> str:
    return "".join(
        f" {_shown(name)}" if value is True else f' {_shown(name)}="{_attribute(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


def _attribute(value: object) -> str:
    """Return a value as text within quotes, as ``stringformat:'s'`` does."""
    return str(value) if isinstance(value, SafeData) else escape(str(value))


def _shown(value: object) -> str:
    """Return a value as a template shows it."""
    if type(value) is str:
        return escape(value)
    return render_value_in_context(value, Context())


_WRITERS: dict[str, Callable[[Widget], str]] = {
    **{f"{_ROOT}{name}.html": _input for name in _INPUTS},
    **dict.fromkeys([f"{_ROOT}{name}.html" for name in ("radio_option", "checkbox_option", "input_option")], _choice),
    f"{_ROOT}textarea.html": _textarea,
    f"{_ROOT}select.html": _select,
    f"{_ROOT}select_option.html": _option,
}
