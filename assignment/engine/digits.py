"""The second pass of the hash for many words at once: FNV-1a over each word's decimal digits, in numpy.

A character is XORed into the state's low byte alone. So the state after several characters is state · primeⁿ (mod 2³²)
plus something that only the low byte and the characters decide, and that is looked up: three digits at a time, then
two.
"""

from functools import cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assignment.engine.hashing import OFFSET_BASIS, PRIME, WORD, fnv1a_32

Words = NDArray[np.uint32]

_PRIME = np.uint32(PRIME)
_BYTE = np.uint32(0xFF)
_ZERO = np.uint32(ord("0"))
_LAST_FIVE = np.uint32(100_000)
_LAST_TWO = np.uint32(100)


class _Tables(Struct, frozen=True):
    """``after_high``: the state after the digits above the last five. ``three``, ``two``: what so many digits add."""

    after_high: Words
    three: Words
    two: Words


@cache
def _tables() -> _Tables:
    # 1.3 MB, made when they are first needed: where the hash is compiled they never are.
    high = range(1, (WORD + 1) // int(_LAST_FIVE) + 1)
    after_high = np.array([OFFSET_BASIS, *(fnv1a_32(str(number)) for number in high)], dtype=np.uint32)
    return _Tables(after_high, _added_by(3), _added_by(2))


def _power(count: int) -> np.uint32:
    return np.uint32(pow(PRIME, count, WORD + 1))


_CUBE, _SQUARE = _power(3), _power(2)


def _added_by(digits: int) -> Words:
    """Return what so many digits add to state · primeⁿ, at low byte · 10ⁿ + their number."""
    start = np.arange(256, dtype=np.uint32).reshape(-1, 1)
    numbers = np.arange(10**digits, dtype=np.uint32)
    state = start
    for place in range(digits - 1, -1, -1):
        state = (state ^ (numbers // 10**place % 10 + _ZERO)) * _PRIME
    return np.ascontiguousarray((state - start * _power(digits)).reshape(-1))


def digits_hash(words: Words) -> Words:
    """Return the hash of each word's decimal digits."""
    tables = _tables()
    high = words // _LAST_FIVE
    last = words - high * _LAST_FIVE
    upper = last // _LAST_TWO
    last -= upper * _LAST_TWO
    mixed: Words = tables.after_high.take(high)
    for digits, table, size, power in (
        (upper, tables.three, np.uint32(1000), _CUBE),
        (last, tables.two, np.uint32(100), _SQUARE),
    ):
        place = mixed & _BYTE
        place *= size
        place += digits
        mixed *= power
        mixed += table.take(place)
    if not high.all():  # without high digits the last five have no leading zeros: one word in 43,000
        for index in np.flatnonzero(high == 0).tolist():
            mixed[index] = fnv1a_32(str(int(words[index])))
    return mixed
