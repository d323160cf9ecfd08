"""Addresses of many experiments at once: asking the URL conf for each takes its time in a list of a hundred."""

from collections.abc import Callable
from urllib.parse import quote

from django.urls import reverse

_KEY = "KEY"
_KEPT = "!$&'()*+,;=/~:@"
"""What ``reverse`` leaves as it is in an address."""


def of_experiments(name: str, project_slug: str) -> Callable[[str], str]:
    """Return what gives the address of an experiment's page, for example of its results, from its key."""
    before, _, after = reverse(name, args=[project_slug, _KEY]).rpartition(_KEY)
    return lambda key: f"{before}{quote(key, safe=_KEPT)}{after}"
