"""Places in a layer: half-open ranges ``[start, end)`` of 10,000, given out so that nobody's place ever moves."""

from collections.abc import Iterable, Sequence

from experiments.domain.shares import WHOLE, percent

Range = tuple[int, int]


class LayerFullError(ValueError):
    """A layer has less room than was asked for; the message says how much there is."""


def read_ranges(stored: Iterable[Sequence[int]]) -> tuple[Range, ...]:
    """Return ranges as they are kept in JSON, sorted and joined.

    Raises
    ------
    ValueError
        When a range is empty, reversed or outside the layer.
    """
    ranges = [(start, end) for start, end in stored]
    for start, end in ranges:
        if not 0 <= start < end <= WHOLE:
            raise ValueError(f"[{start}, {end}) is no range of a layer; it must lie within [0, {WHOLE}).")
    return joined(ranges)


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the same places in order, with ranges that touch or overlap made one."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def size(ranges: Iterable[Range]) -> int:
    """Return how many of the 10,000 places the ranges hold."""
    return sum(end - start for start, end in ranges)


def overlap(left: Iterable[Range], right: Iterable[Range]) -> bool:
    """Say whether both hold a place."""
    left, right = joined(left), joined(right)
    return size(joined((*left, *right))) < size(left) + size(right)


def free(taken: Iterable[Range]) -> tuple[Range, ...]:
    """Return the places that nobody holds."""
    found: list[Range] = []
    at = 0
    for start, end in joined(taken):
        if start > at:
            found.append((at, start))
        at = end
    return (*found, (at, WHOLE)) if at < WHOLE else tuple(found)


def take(share: int, taken: Iterable[Range]) -> tuple[Range, ...]:
    """Return ``share`` places that are free: from one gap that holds them all, else from several.

    Raises
    ------
    LayerFullError
        When fewer places are free.
    """
    gaps = free(taken)
    if share > size(gaps):
        raise LayerFullError(
            f"The layer has {percent(size(gaps))} free and {percent(share)} was asked for. "
            "Take less, or stop an experiment of the layer."
        )
    # The smallest gap that suffices leaves the large ones whole for those who come later.
    enough = [gap for gap in gaps if gap[1] - gap[0] >= share]
    ordered = [min(enough, key=lambda gap: (gap[1] - gap[0], gap))] if enough else gaps
    return _first(share, ordered)


def grow(own: Iterable[Range], share: int, others: Iterable[Range]) -> tuple[Range, ...]:
    """Return ranges of ``share`` places that hold all of ``own``: growing adds units and moves none.

    Raises
    ------
    LayerFullError
        When too few places are free.
    ValueError
        When ``share`` is less than ``own`` holds.
    """
    own = joined(own)
    missing = share - size(own)
    if missing < 0:
        raise ValueError(f"{percent(size(own))} is held and {percent(share)} was asked for: a place can only grow.")
    taken = (*own, *others)
    if missing == 0:
        return own
    beside = [gap for gap in free(taken) if gap[0] == own[-1][1] and gap[1] - gap[0] >= missing] if own else []
    added = _first(missing, beside) if beside else take(missing, taken)
    return joined((*own, *added))


def _first(share: int, gaps: Iterable[Range]) -> tuple[Range, ...]:
    found: list[Range] = []
    for start, end in gaps:
        if share <= 0:
            break
        part = min(share, end - start)
        found.append((start, start + part))
        share -= part
    return tuple(found)
