"""What a server imports beside its first requests, so that no visitor waits for it."""

import importlib

from django.conf import settings

LATE = ("statsmodels.stats.multitest",)
"""Imported inside functions, with pandas, so that commands start without it; a server's pages ask for it soon."""


def import_pages() -> None:
    """Import pages and statistics: seconds of processor that the first visitor would wait for."""
    importlib.import_module(settings.ROOT_URLCONF)
    for name in LATE:
        importlib.import_module(name)
