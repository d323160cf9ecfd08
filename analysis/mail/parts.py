"""A finished e-mail, and how its two parts are made of templates."""

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from css_inline import CSSInliner
from django.template.loader import render_to_string

from analysis.mail import links
from analysis.models import Recipient, ResultSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished e-mail. ``pictures`` maps content ids to PNG; ``snapshot`` is the one result it is about, if any."""

    subject: str
    text: str
    html: str
    pictures: dict[str, bytes] = field(default_factory=dict)
    snapshot: ResultSnapshot | None = None

    @property
    def encoded_pictures(self) -> dict[str, str]:
        """Return the pictures as a JSON column and a data address hold them: base64."""
        return {name: base64.b64encode(png).decode() for name, png in self.pictures.items()}


def both(name: str, context: dict[str, Any], reader: Recipient | None) -> tuple[str, str]:
    """Return the text and the HTML of a mail's template, the styles of the latter inlined."""
    whole = {**context, "preferences_url": links.preferences_url(reader) if reader else ""}
    text = render_to_string(f"mail/{name}.txt", whole)
    return text, _inliner().inline(render_to_string(f"mail/{name}.html", whole))


@cache
def _inliner() -> CSSInliner:
    # Media queries cannot be inlined: they stay in a style element for the programs that read it.
    return CSSInliner(keep_at_rules=True, load_remote_stylesheets=False, apply_width_attributes=True)
