"""What ids look like, in words that hold no id: "numbers", "UUIDs", "“u-” and digits"."""

import re
from collections.abc import Sequence
from itertools import takewhile

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_KINDS = ((_UUID, "UUIDs"), (_MAIL, "e-mail addresses"), (re.compile(r"\d+"), "numbers"), (_HEX, "hexadecimal text"))
LONGEST_PREFIX = 12


def shape(ids: Sequence[str]) -> str:
    """Say what these ids have in common."""
    if not ids:
        return "nothing"
    for pattern, words in _KINDS:
        if all(pattern.fullmatch(one) for one in ids):
            return words
    prefix = _prefix(ids)
    if prefix and (rest := _rest([one[len(prefix) :] for one in ids])):
        return f"“{prefix}” and {rest}"
    shortest, longest = min(map(len, ids)), max(map(len, ids))
    return f"text of {shortest} characters" if shortest == longest else f"text of {shortest} to {longest} characters"


def _prefix(ids: Sequence[str]) -> str:
    """Return what all of several ids begin with, without digits, which may be anybody's."""
    if len(set(ids)) < 2:
        return ""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*ids, strict=False))
    return re.sub(r"\d.*$", "", "".join(letters[0] for letters in alike))[:LONGEST_PREFIX]


def _rest(endings: Sequence[str]) -> str:
    if all(re.fullmatch(r"\d+", one) for one in endings):
        return "digits"
    if all(_UUID.fullmatch(one) for one in endings):
        return "a UUID"
    return "more" if all(endings) else ""
