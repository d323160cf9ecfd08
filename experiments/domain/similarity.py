"""Find texts that are about the same thing: shared words, the rare ones weighing more than the common ones."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 0.12
"""Below this cosine two hypotheses share only words that many share; seen on the demo's and on random pairs."""
_COMMON = """
a an and are as at be because but by for from has have if in into is it its more less not of on or our so than that the
their them then they this to us we will with when which who new old test experiment better users user
"""
_STOP = frozenset(_COMMON.split())
_WORD = re.compile(r"[^\W_]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A text that resembles the one asked about, by its key; ``score`` is 0 to 1."""

    key: int
    score: float


def similar(text: str, others: Mapping[int, str], most: int = 3) -> list[Match]:
    """Return the texts nearest to ``text``, nearest first; none where nothing is near.

    The score is the cosine of the two texts' words, each weighted by log((1 + N) / (1 + texts that have it)) + 1
    (Spärck Jones 1972, smoothed), so that "checkout" tells more than "page".
    """
    asked = _counts(text)
    if not asked:
        return []
    counted = {key: _counts(other) for key, other in others.items()}
    seen_in = Counter(word for words in counted.values() for word in words)
    found = [Match(key=key, score=_cosine(asked, words, seen_in, len(counted))) for key, words in counted.items()]
    near = [match for match in found if match.score >= LEAST]
    return sorted(near, key=lambda match: (-match.score, -match.key))[:most]


def _counts(text: str) -> Counter[str]:
    words = (word.rstrip("s") for word in _WORD.findall(text.lower()))
    return Counter(word for word in words if word and word not in _STOP)


def _cosine(one: Counter[str], other: Counter[str], seen_in: Counter[str], texts: int) -> float:
    shared = one.keys() & other.keys()
    if not shared:
        return 0.0

    def weight(word: str) -> float:
        return math.log((1 + texts) / (1 + seen_in[word])) + 1

    dot = sum(one[word] * other[word] * weight(word) ** 2 for word in shared)
    lengths = [math.sqrt(sum((count * weight(word)) ** 2 for word, count in words.items())) for words in (one, other)]
    return dot / (lengths[0] * lengths[1])
