"""Read a hypothesis as a reader would: does it name a change, a metric, a direction and a reason? Advice, no gate.

English alone is read, by word lists; whatever is not found may still be there in other words, so that the check says
"not found" and never "wrong".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """The four things that a hypothesis says."""

    CHANGE = "change"
    METRIC = "metric"
    DIRECTION = "direction"
    REASON = "reason"


ASKS: dict[Part, str] = {
    Part.CHANGE: "What do you change? For example “If we rank by the new model, …”.",
    Part.METRIC: "Which metric will show it? Use a name of your catalogue.",
    Part.DIRECTION: "Up or down? For example “… rises”, “… falls”.",
    Part.REASON: "Why should it? For example “… because it knows the season”.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part: the words in which it was found, or None."""

    part: Part
    words: str | None

    @property
    def ok(self) -> bool:
        """Say whether it was found."""
        return self.words is not None

    @property
    def title(self) -> str:
        """Name the part as a label."""
        return f"A {self.part}"

    @property
    def says(self) -> str:
        """Quote the words, or ask for them."""
        return f"“{self.words}”" if self.words is not None else ASKS[self.part]


_UP = """
raise raises raised rise rises increase increases increased increasing grow grows more higher boost boosts lift lifts
improve improves improved improving better up gain gains longer faster
"""
_DOWN = """
reduce reduces reduced reducing decrease decreases decreased drop drops fall falls fewer less lower lowers shorter
slower cut cuts shrink shrinks down worse save saves
"""
_STEADY = "unchanged same hold holds stay stays"
_VERBS = """
add adds adding adjust change changes changing drop enable enlarge give gives hide hides hiding introduce introduces
launch lower make makes move moves moving offer offers personalise personalize put raise rank ranks ranking reduce
remove removes removing rename reorder replace replaces replacing send sends sending ship show shows showing shorten
simplify sort sorting speed start stop switch switching test try turn update upgrade use uses using
"""
_REASONS = (
    r"because\b[^.;]*",
    r"since\b[^.;]*",
    r"due to\b[^.;]*",
    r"as (?:it|they|users?|people|shoppers?|customers?)\b[^.;]*",
    r"so that\b[^.;]*",
    r"in order to\b[^.;]*",
    r"thanks to\b[^.;]*",
    r"which (?:makes|means|lets|helps)\b[^.;]*",
    r"the reason\b[^.;]*",
    r"that is why\b[^.;]*",
)


def _any_of(words: str) -> str:
    return rf"\b(?:{'|'.join(words.split())})\b"


_CHANGES = (
    r"\b(?:if|when|by|once)\s+(?:we\s+)?[^,;.]{3,}",
    rf"\b(?:we|our)\b[^,;.]*{_any_of(_VERBS)}[^,;.]*",
    rf"^\s*{_any_of(_VERBS)}[^,;.]*",
    r"\b(?:the |a )?new [a-z][^,;.]*",
    r"\binstead of\b[^,;.]*",
    r"\b[a-z0-9 ]+ v\d+\b[^,;.]*",
)
_DIRECTIONS = tuple(_any_of(words) for words in (_UP, _DOWN, _STEADY))
_SHORTEST_WORD = 4
_COMMON = {"rate", "per", "user", "users", "average", "number", "share", "total", "time", "value", "count"}
LONGEST_QUOTE = 60
GAP = "…"
"""What templates leave for people to fill."""


def read(text: str, metrics: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return what a hypothesis names, in the order of ``Part``; ``metrics`` are the names that the project knows."""
    plain = " ".join(text.split()).replace("...", GAP)
    return (
        Finding(part=Part.CHANGE, words=_first(_CHANGES, plain)),
        Finding(part=Part.METRIC, words=_metric(plain, metrics)),
        Finding(part=Part.DIRECTION, words=_first(_DIRECTIONS, plain)),
        Finding(part=Part.REASON, words=_first(_REASONS, plain)),
    )


def is_complete(text: str, metrics: Iterable[str] = ()) -> bool:
    """Say whether all four parts were found."""
    return all(found.ok for found in read(text, metrics))


def _first(patterns: Iterable[str], text: str) -> str | None:
    """Return what one of the patterns finds; words around a gap that nobody has filled are none."""
    found = (match[0].strip() for pattern in patterns for match in re.finditer(pattern, text, re.IGNORECASE))
    words = next((words for words in found if GAP not in words), None)
    return None if words is None else _cut(words)


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_QUOTE else words[: LONGEST_QUOTE - 1].rstrip() + "…"


def _metric(text: str, metrics: Iterable[str]) -> str | None:
    """Return the first metric that is named: by its whole name, or by the words that tell it from others."""
    stems = {_stem(word) for word in _words(text)}
    for name in metrics:
        if name and name.lower() in text.lower():
            return name
    for name in metrics:
        telling = [_stem(word) for word in _words(name) if len(word) >= _SHORTEST_WORD and word not in _COMMON]
        if telling and all(stem in stems for stem in telling):
            return name
    return None


def _words(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"[^\W_]+", text.lower()))


def _stem(word: str) -> str:
    """Cut the endings that the same word takes: purchases, purchased, purchasing."""
    for ending in ("ings", "ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_WORD - 1:
            return word[: -len(ending)]
    return word
