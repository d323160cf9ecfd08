"""The hash of a whole column of units at once, equal to the scalar hash bit for bit.

A column becomes one array of UTF-16 code units with the place and length of each id. FNV-1a then takes the first
character of every id, then the second, and so on: one numpy operation for thousands of ids.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assignment.engine.digits import Words, digits_hash
from assignment.engine.hashing import BUCKETS, OFFSET_BASIS, PRIME, fnv1a_32
from assignment.engine.native import NATIVE
from assignment.engine.placing import Hashing
from assignment.engine.sdk.values import unit_text

Integers = NDArray[np.int64]
Buckets = NDArray[np.int32]
Column = Sequence[Any] | NDArray[Any]

NO_UNIT = -1
"""The bucket of what names no unit: an empty text, 0, null."""

AT_ONCE = 1 << 15
_EXACT = 1 << 53
_BILLION = 10**9
_BILLION_DIGITS = 9
_ZERO = ord("0")
_PRIME = np.uint32(PRIME)
_LARGEST_ASCII = 0x7F
_LARGEST_UNIT = 0xFFFF


class Texts(Struct, frozen=True, eq=False):
    """The code units of many ids: id i is ``codes[starts[i] : starts[i] + lengths[i]]``."""

    codes: NDArray[Any]
    starts: Integers
    lengths: Integers


class Units:
    """A column of ids, each turned into code units once and only where that is needed."""

    __slots__ = ("_given", "_texts")

    def __init__(self, units: Any) -> None:
        if not isinstance(units, (np.ndarray, list, tuple)) and hasattr(units, "to_list"):
            units = units.to_list()  # a polars Series, which need not be installed for this to be read
        self._given: Any = units
        self._texts: Texts | None = None if isinstance(units, (list, tuple)) else texts_of(units)

    def __len__(self) -> int:
        return len(self._given)

    @property
    def listed(self) -> Any:
        """The ids where they are a list or tuple, and None otherwise."""
        return self._given if isinstance(self._given, (list, tuple)) else None

    @property
    def texts(self) -> Texts:
        """The ids as code units."""
        if self._texts is None:
            self._texts = texts_of(self._given)
        return self._texts


def texts_of(units: Any) -> Texts:
    """Return a column's ids as code units; each value's text is what the scalar path hashes.

    Parameters
    ----------
    units
        Strings, whole numbers or both, in a numpy array or any sequence. What names no unit (an empty string, 0, None,
        NaN) has the length 0.
    """
    if isinstance(units, np.ndarray):
        if units.ndim != 1:
            raise ValueError(f"the units have the shape {units.shape}; one column is needed, with the shape (n,).")
        if units.dtype.kind in "iu":
            return _texts_of_integers(units)
        return _texts_of_width(units) if units.dtype.kind in "SU" else _texts_of_strings(units.tolist())
    return _texts_of_strings(units)


def _texts_of_width(units: NDArray[Any]) -> Texts:
    """Return the ids of an array of texts, which lie there at even distances."""
    width = units.dtype.itemsize // (1 if units.dtype.kind == "S" else 4)
    codes = np.ascontiguousarray(units).view(np.uint8 if units.dtype.kind == "S" else np.uint32)
    largest = int(codes.max(initial=0))
    if units.dtype.kind == "S" and largest > _LARGEST_ASCII:
        raise ValueError(f"the units are bytes, one of them {largest}, which is no ASCII; decode them to str first.")
    if largest > _LARGEST_UNIT:  # beyond it a character takes two code units
        return _texts_of_strings(units.tolist())
    starts = np.arange(len(units), dtype=np.int64) * width
    return Texts(codes, starts, np.strings.str_len(units).astype(np.int64))


def _texts_of_strings(units: Sequence[Any]) -> Texts:
    if not len(units):
        return Texts(np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    try:
        joined = "\0".join(units)
    except TypeError:  # numbers among them, or nulls
        units = [unit_text(unit) for unit in units]
        joined = "\0".join(units)
    codes = _codes_of(joined)
    ends = np.append(np.flatnonzero(codes == 0), len(codes))
    if len(ends) == len(units):
        starts = np.concatenate(([0], ends[:-1] + 1))
        return Texts(codes, starts, ends - starts)
    # An id holds the separator itself: count each one's code units.
    codes = _codes_of("".join(units))
    lengths = np.array([len(_codes_of(unit)) for unit in units], dtype=np.int64)
    return Texts(codes, np.cumsum(lengths) - lengths, lengths)


def _codes_of(text: str) -> NDArray[Any]:
    if text.isascii():
        return np.frombuffer(text.encode(), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")


def _texts_of_integers(units: NDArray[Any]) -> Texts:
    # Beyond 2⁵³ a number's text is that of the nearest float, and a minus sign is rare: both go one by one.
    if not len(units) or units.min() < 0 or units.max() >= _EXACT:
        return _texts_of_strings([unit_text(unit) for unit in units.tolist()])
    upper, lower = _split(units.astype(np.int64), _BILLION)
    width = len(str(int(units.max())))
    lower_width = min(width, _BILLION_DIGITS)
    digits = np.empty((len(units), width), dtype=np.uint8)
    lengths = np.zeros(len(units), dtype=np.int64)
    _write_digits(digits[:, width - lower_width :], lower.astype(np.uint32))
    _write_digits(digits[:, : width - lower_width], upper.astype(np.uint32))
    for place in range(width):
        lengths += units >= 10**place
    starts = np.arange(1, len(units) + 1, dtype=np.int64) * width - lengths
    return Texts(digits.reshape(-1), starts, lengths)


def _write_digits(digits: NDArray[np.uint8], values: Words) -> None:
    for place in range(digits.shape[1] - 1, -1, -1):
        values, digit = _split(values, np.uint32(10))
        digits[:, place] = digit + _ZERO


def _split(values: Any, divisor: Any) -> tuple[Any, Any]:
    """Return quotient and remainder; numpy divides many by one number four times as fast as ``divmod`` does."""
    quotient = values // divisor
    return quotient, values - quotient * divisor


def buckets_of(hashing: Hashing, units: Units) -> Buckets:
    """Return each unit's bucket as ``hashing.bucket`` does one by one, and ``NO_UNIT`` where there is no unit."""
    buckets = np.empty(len(units), dtype=np.int32)
    if NATIVE is not None and hashing.buckets == BUCKETS:
        if units.listed is None or not NATIVE.bucket_texts(hashing.seed, units.listed, buckets):
            NATIVE.bucket_codes(hashing.seed, units.texts.codes, units.texts.starts, units.texts.lengths, buckets)
        return buckets
    texts = units.texts
    of_chunk = _second_version(hashing.seed) if hashing.buckets == BUCKETS else _first_version(hashing)
    for start in range(0, len(buckets), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        lengths = texts.lengths[part]
        buckets[part] = np.where(lengths > 0, of_chunk(texts.codes, texts.starts[part], lengths), NO_UNIT)
    return buckets


Chunk = Callable[[NDArray[Any], Integers, Integers], Words]


def _second_version(seed: str) -> Chunk:
    state = fnv1a_32(seed)
    return lambda codes, starts, lengths: digits_hash(_mixed(state, codes, starts, lengths)) % np.uint32(BUCKETS)


def _first_version(hashing: Hashing) -> Chunk:
    """Return the first version of the hash, which puts the unit before the seed."""
    seed = _codes_of(hashing.seed).astype(np.uint32)

    def of_chunk(codes: NDArray[Any], starts: Integers, lengths: Integers) -> Words:
        state = _mixed(OFFSET_BASIS, codes, starts, lengths)
        for code in seed:
            state = (state ^ code) * _PRIME
        return state % np.uint32(hashing.buckets)

    return of_chunk


def _mixed(state: int, codes: NDArray[Any], starts: Integers, lengths: Integers) -> Words:
    """Return the hash after each id's code units, from one state before them."""
    longest = int(lengths.max(initial=0))
    if longest and int(lengths.min()) == longest and len(starts) > 1:
        step = int(starts[1] - starts[0])
        if (np.diff(starts) == step).all():
            return _mixed_evenly(state, codes, int(starts[0]), step, len(starts), longest)
    # The longest first: after j characters those that have more are the first so many.
    order = np.argsort(-lengths, kind="stable")
    starts, more = starts[order], np.cumsum(np.bincount(lengths)[::-1])[::-1]
    mixed = np.full(len(starts), state, dtype=np.uint32)
    for place in range(longest):
        part = mixed[: more[place + 1]]
        part ^= codes.take(starts[: len(part)] + place)
        part *= _PRIME
    unsorted = np.empty_like(mixed)
    unsorted[order] = mixed
    return unsorted


def _mixed_evenly(state: int, codes: NDArray[Any], start: int, step: int, count: int, length: int) -> Words:
    """Return the same for ids of one length at even distances, which need no looking up."""
    mixed = np.full(count, state, dtype=np.uint32)
    for place in range(start, start + length):
        mixed ^= codes[place : place + step * (count - 1) + 1 : step]
        mixed *= _PRIME
    return mixed
