"""One unit hashed under many seeds at once with numpy, and the ends of all flags looked up in tables.

FNV-1a takes the seed before the unit, so the state after each seed is kept and the unit's characters are mixed into
all states at once. ``_native.c`` does the same in compiled code where the installation could build it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assignment.engine.digits import Words, digits_hash
from assignment.engine.hashing import BUCKETS, PRIME, fnv1a_32

Ends = NDArray[np.int32]

GO_ON = -(1 << 31)
"""A step's end that is none: the flag's next step is asked."""


class Step(Struct, frozen=True):
    """A hash whose buckets are cut into cells, each with an end or ``GO_ON``; one end more than cuts."""

    seed: str
    cuts: tuple[int, ...]
    ends: tuple[int, ...]


Steps = tuple[Step, ...]
"""What decides one flag: at most one step that may go on, and then one that decides."""

# numpy takes a one-element array faster than a number.
_PRIME = np.array([PRIME], dtype=np.uint32)
_BUCKETS = np.array([BUCKETS], dtype=np.uint32)
_CHARACTERS = [np.array([code], dtype=np.uint32) for code in range(256)]


class Hashes:
    """The second version of the hash of one unit under many seeds."""

    __slots__ = ("_states",)

    def __init__(self, seeds: Sequence[str]) -> None:
        self._states: Words = np.array([fnv1a_32(seed) for seed in seeds], dtype=np.uint32)

    def buckets(self, unit: str) -> Words:
        """Return the unit's bucket, 0 to 9,999, under each seed; equal to ``bucket_of`` one by one."""
        state = self._states.copy()
        for code in _codes(unit):
            np.bitwise_xor(state, code, out=state)
            np.multiply(state, _PRIME, out=state)
        return digits_hash(state) % _BUCKETS


def _codes(unit: str) -> Iterable[Words]:
    if unit.isascii():
        return map(_CHARACTERS.__getitem__, unit.encode())
    pairs = np.frombuffer(unit.encode("utf-16-le", "surrogatepass"), dtype="<u2").astype(np.uint32)
    return list(pairs.reshape(-1, 1))


class Lanes:
    """Flags that hash one attribute, and what each does with a bucket, in tables of all buckets.

    Parameters
    ----------
    flags
        The steps of each flag.
    """

    def __init__(self, flags: Sequence[Steps]) -> None:
        seeds = {step.seed: None for steps in flags for step in steps}
        place = {seed: index for index, seed in enumerate(seeds)}
        self._hashes = Hashes(list(seeds))
        self._seed_of = np.array([place[steps[-1].seed] for steps in flags], dtype=np.intp)
        self._all = np.arange(len(flags))
        self._by_bucket = _table([steps[-1] for steps in flags])
        guarded = [index for index, steps in enumerate(flags) if len(steps) > 1]
        gates = [flags[index][0] for index in guarded]
        self._guarded = np.array(guarded, dtype=np.intp)
        self._gate_seed = np.array([place[gate.seed] for gate in gates], dtype=np.intp)
        self._gate = np.arange(len(gates))
        self._at_gate = _table(gates)

    def choose(self, unit: str) -> Ends:
        """Return the unit's end in each flag."""
        buckets = self._hashes.buckets(unit)
        chosen = self._by_bucket[self._all, buckets[self._seed_of]].astype(np.int32)
        if len(self._guarded):
            met = self._at_gate[self._gate, buckets[self._gate_seed]].astype(np.int32)
            shut = met >= 0
            chosen[self._guarded[shut]] = met[shut]
        return chosen


def _table(steps: Sequence[Step]) -> NDArray[np.signedinteger[Any]]:
    """Return the end of each step in each bucket, −1 where it goes on: shape (n, 10,000)."""
    if not steps:
        return np.empty((0, BUCKETS), dtype=np.int8)
    # In the narrowest type from the start: a thousand experiments take 10 MB and stay near the processor.
    widest = np.min_scalar_type(-1 - max(max(step.ends) for step in steps))
    rows = [
        np.repeat(np.array([max(end, -1) for end in step.ends], dtype=widest), np.diff((0, *step.cuts, BUCKETS)))
        for step in steps
    ]
    return np.stack(rows)
