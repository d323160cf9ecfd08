"""Segments inside conditions, as every client of the SDK protocol understands them.

A condition names a segment as ``{"$segment": key}``. A segment that is a list becomes a saved group that the condition
refers to; one that is a condition takes the reference's place, for older clients know no groups of conditions.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from assignment.served import SegmentRow

SEGMENT = "$segment"
GROUP_OPERATORS = ("$inGroup", "$notInGroup")


class SegmentError(ValueError):
    """A condition cannot be published; the message says which segment is missing or refers to itself."""


class Segments:
    """The segments of a project, and which lists the conditions resolved so far refer to."""

    def __init__(self, rows: Iterable[SegmentRow]) -> None:
        self._rows = {row.key: row for row in rows}
        self._used: set[str] = set()

    def resolve(self, condition: Mapping[str, Any]) -> dict[str, Any]:
        """Return the condition without ``$segment``.

        Raises
        ------
        SegmentError
            When it names a segment that does not exist, or one that leads back to itself. Letting such a condition
            pass for nobody would let everyone in where it is negated.
        """
        resolved: dict[str, Any] = self._resolved(condition, ())
        return resolved

    def saved_groups(self) -> dict[str, list[str]]:
        """Return the lists that the conditions resolved so far refer to, by their segments' keys."""
        return {key: list(self._rows[key].values) for key in sorted(self._used)}

    def _resolved(self, condition: Any, inside: tuple[str, ...]) -> Any:
        if isinstance(condition, (list, tuple)):
            return [self._resolved(part, inside) for part in condition]
        if not isinstance(condition, Mapping):
            return condition
        plain = {name: self._entry(name, value, inside) for name, value in condition.items() if name != SEGMENT}
        if SEGMENT not in condition:
            return plain
        segment = self._segment(condition[SEGMENT], inside)
        return {"$and": [plain, segment]} if plain else segment

    def _entry(self, name: str, value: Any, inside: tuple[str, ...]) -> Any:
        if name in GROUP_OPERATORS:
            row = self._row(value)
            if row.condition is not None:
                raise SegmentError(f"{name} names the segment {value!r}, which is a condition and no list.")
            self._used.add(row.key)
        return self._resolved(value, inside)

    def _segment(self, key: Any, inside: tuple[str, ...]) -> Any:
        row = self._row(key)
        if row.condition is None:
            self._used.add(row.key)
            return {row.attribute: {"$inGroup": row.key}}
        if row.key in inside:
            raise SegmentError(f"the segment {row.key!r} leads back to itself: {' → '.join((*inside, row.key))}.")
        return self._resolved(row.condition, (*inside, row.key))

    def _row(self, key: Any) -> SegmentRow:
        row = self._rows.get(key) if isinstance(key, str) else None
        if row is None:
            known = ", ".join(sorted(self._rows)) or "none"
            raise SegmentError(f"it names the segment {key!r}, which does not exist. There are: {known:.200}.")
        return row
