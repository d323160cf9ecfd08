"""Versions as text that sorts: ``10.0.0`` after ``9.0.0``, a release after its pre-releases."""

import re
from functools import lru_cache
from typing import Any

from assignment.engine.sdk.values import code_units, is_number, number_text

WIDTH = 5
RELEASE_PARTS = 3
AFTER_EVERY_PRERELEASE = "~"

_IGNORED = re.compile(r"^v|\+.*$")
_SEPARATOR = re.compile(r"[-.]")


def compare_versions(actual: Any, operand: Any) -> int | None:
    """Compare two versions.

    Parameters
    ----------
    actual, operand
        Strings or numbers (1 is "1"); the empty string is "0".

    Returns
    -------
    int or None
        −1, 0 or 1; None when one of them is neither a string nor a number.
    """
    one, other = _sortable_value(actual), _sortable_value(operand)
    if one is None or other is None:
        return None
    return (one > other) - (one < other)


def _sortable_value(version: Any) -> bytes | None:
    if is_number(version):
        return _sortable(number_text(version))
    return _sortable(version or "0") if isinstance(version, str) else None


@lru_cache(maxsize=1024)
def _sortable(version: str) -> bytes:
    parts = _SEPARATOR.split(_IGNORED.sub("", version))
    if len(parts) == RELEASE_PARTS:
        parts.append(AFTER_EVERY_PRERELEASE)
    return code_units("-".join(part.rjust(WIDTH) if part.isascii() and part.isdigit() else part for part in parts))
