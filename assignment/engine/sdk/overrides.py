"""Choosing a variation by hand: in the page's address, or in the app's own list."""

from collections.abc import Mapping
from typing import Any

from assignment.engine.sdk.urls import query_parameter

LONGEST_INDEX = 9


def query_string_override(key: str, url: str, variations: int) -> int | None:
    """Return the variation that the address asks for (``?key=1``), or None where it names no existing one."""
    wanted = query_parameter(url, key)
    if wanted is None or not (wanted.isascii() and wanted.isdigit()) or len(wanted) > LONGEST_INDEX:
        return None
    return int(wanted) if int(wanted) < variations else None


def forced_variation(key: str, forced: Mapping[str, Any]) -> int | None:
    """Return the index that the app forces, −1 where it forces what is no index, or None where it forces nothing."""
    if key not in forced or forced[key] is None:
        return None
    return index_of(forced[key])


def index_of(value: Any) -> int:
    """Return a whole number as an index, and −1 for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
