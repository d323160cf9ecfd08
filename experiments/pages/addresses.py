"""Addresses of many things at once: asking the URL conf for each takes its time in a list of a hundred.

``{% address 'experiment_results' project.slug key %}`` is ``{% url %}`` for the rows of lists: what stands around the
key is found once for a project.
"""

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from django import template
from django.urls import get_script_prefix, reverse

register = template.Library()

_PLACE = "909090909"
"""Stands in an address where a key or a number will be; no project is called so."""
_KEPT = "!$&'()*+,;=/~:@"
"""What ``reverse`` leaves as it is in an address."""


@register.simple_tag
def address(name: str, project_slug: str, key: str | int) -> str:
    """Return the address of one thing of a project, from its key or number."""
    return of_each(name, project_slug)(key)


def of_each(name: str, project_slug: str) -> Callable[[str | int], str]:
    """Return what gives the address of one thing of a project, for example of an experiment's results, from its key."""
    before, after = _around(name, project_slug, get_script_prefix())
    return lambda key: f"{before}{quote(str(key), safe=_KEPT)}{after}"


@lru_cache(maxsize=1024)
def _around(name: str, project_slug: str, _prefix: str) -> tuple[str, str]:
    before, _, after = reverse(name, args=[project_slug, _PLACE]).rpartition(_PLACE)
    return before, after
