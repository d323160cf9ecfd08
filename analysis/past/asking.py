"""How people write which of their names is which of ours."""

from collections.abc import Iterable

from analysis.tables.refusal import RefusalError


def pairs(written: Iterable[str], left: str, right: str) -> dict[str, str]:
    """Return ``left = right`` texts as a mapping; empty ones are skipped.

    Raises:
        RefusalError: one is no such pair; the message quotes it.
    """
    found = {}
    for text in written:
        if not text.strip():
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise RefusalError(f"{text.strip()[:80]!r} is no pair; write {left} = {right}")
        found[name] = value
    return found
