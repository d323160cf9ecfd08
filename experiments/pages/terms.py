"""The template tag that explains a term of art where it stands: ``{% term "srm" %}``, ``{% term "srm" "split" %}``."""

from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from experiments.domain.glossary import term as found_term

register = template.Library()

_COUNT = "terms on this page"


@register.simple_tag(takes_context=True)
def term(context: Context, key: str, text: str = "") -> SafeString:
    """Write a term as a button that opens its explanation; the browser alone does it, without script."""
    found = found_term(key)
    name = f"term-{_number(context)}-{found.key}"
    return format_html(
        '<button type="button" class="term" popovertarget="{name}">{text}</button>'
        '<span class="tip" id="{name}" popover><b>{word}</b> {short} '
        '<a href="{glossary}#{key}">More in the glossary</a></span>',
        name=name,
        text=text or found.word,
        word=found.word,
        short=found.short,
        glossary=reverse("glossary"),
        key=found.key,
    )


@register.filter
def term_word(key: str) -> str:
    """Return the word for a term's key."""
    return found_term(key).word


def _number(context: Context) -> str:
    """Return a number that no other term on the page has, also where a part of the page was fetched later."""
    page: dict[Any, Any] = context.render_context.dicts[0]  # shared by the page and everything that it includes
    count = page[_COUNT] = page.get(_COUNT, 0) + 1
    request = context.get("request")
    if request is not None and request.headers.get("HX-Request"):
        return f"{request.resolver_match.url_name}-{count}"
    return str(count)
