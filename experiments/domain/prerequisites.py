"""Prerequisites between flags and experiments must lead somewhere: never back to where they began."""

from collections.abc import Collection, Mapping


def cycle_through(key: str, parents: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """Return a way along ``parents`` that leads from ``key`` back to it, both ends named, or None.

    ``parents`` maps each key to the keys it needs. The shortest way is returned.
    """
    came_from: dict[str, str | None] = {key: None}
    frontier = [key]
    while frontier:
        following: list[str] = []
        for at in frontier:
            for parent in sorted(parents.get(at, ())):
                if parent == key:
                    return (*_way(at, came_from), key)
                if parent not in came_from:
                    came_from[parent] = at
                    following.append(parent)
        frontier = following
    return None


def _way(at: str, came_from: Mapping[str, str | None]) -> tuple[str, ...]:
    way = [at]
    while (before := came_from[way[-1]]) is not None:
        way.append(before)
    return tuple(reversed(way))
