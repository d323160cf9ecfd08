"""Which unit an experiment hashes, and whether filters, namespaces and rollouts let it in."""

from collections.abc import Mapping, Sequence
from typing import Any

from assignment.engine.hashing import hash_share
from assignment.engine.sdk.shares import ShareRange, in_range
from assignment.engine.sdk.values import array, finite, is_number, mapping, text, unit_text

RULE_HASH_VERSION = 1
FILTER_HASH_VERSION = 2
NOWHERE: ShareRange = (0.0, 0.0)

Unit = tuple[str, str]
"""The attribute that is hashed and its value as text, "" where the unit has none."""


def unit_of(attributes: Mapping[str, Any], attribute: Any, fallback: Any = None) -> Unit:
    """Return the unit to hash: by the attribute (``id`` where none is named), or else by the fallback attribute."""
    name = text(attribute, "id")
    value = unit_text(attributes.get(name))
    if value or not text(fallback):
        return name, value
    other = unit_text(attributes.get(fallback))
    return (fallback, other) if other else (name, "")


def share_of(seed: str, value: str, version: Any, default: int) -> float | None:
    """Return the unit's share of the whole, or None for a hash version that the protocol does not define."""
    if version is None or (is_number(version) and version == 0):
        version = default
    return hash_share(seed, value, int(version)) if is_number(version) and version in (1, 2) else None


def range_of(source: Any) -> ShareRange:
    """Read a half-open range; a malformed one holds nobody."""
    pair = array(source)
    if len(pair) != 2 or not is_number(pair[0]) or not is_number(pair[1]):
        return NOWHERE
    return pair[0], pair[1]


def ranges_of(source: Any) -> list[ShareRange]:
    """Read ranges; malformed ones hold nobody and keep their place."""
    return [range_of(pair) for pair in array(source)]


def in_namespace(value: str, namespace: Any) -> bool:
    """Say whether the unit lies in its part ``[id, start, end]`` of a namespace."""
    parts = array(namespace)
    if len(parts) != 3 or not isinstance(parts[0], str):
        return False
    share = hash_share("__" + parts[0], value, 1)
    return share is not None and in_range(share, range_of(parts[1:]))


def is_filtered_out(filters: Any, attributes: Mapping[str, Any]) -> bool:
    """Say whether any filter keeps the unit out; a malformed filter keeps everyone out."""
    if not isinstance(filters, (list, tuple)):
        return True
    return not all(isinstance(one, Mapping) and lets_in(one, attributes) for one in filters)


def lets_in(one: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Say whether one filter lets the unit in."""
    _, value = unit_of(attributes, one.get("attribute"))
    if not value:
        return False
    share = share_of(text(one.get("seed")), value, one.get("hashVersion"), FILTER_HASH_VERSION)
    return share is not None and any(in_range(share, bounds) for bounds in ranges_of(one.get("ranges")))


def in_rollout(rule: Mapping[str, Any], seed: str, unit: Unit) -> bool:
    """Say whether a rule that forces a value reaches the unit: by its range, or else by its coverage."""
    bounds, coverage = rule.get("range"), rule.get("coverage")
    if bounds is None and coverage is None:
        return True
    if not unit[1] or (bounds is None and coverage == 0):
        return False
    share = share_of(seed, unit[1], rule.get("hashVersion"), RULE_HASH_VERSION)
    if share is None:
        return False
    # By contract a coverage includes its own end, unlike every range.
    return in_range(share, range_of(bounds)) if bounds is not None else share <= finite(coverage, -1.0)


def weights_of(source: Any, variations: int) -> Sequence[float] | None:
    """Read weights: one finite number of 0 or more a variation, or None, which means equal weights."""
    weights = array(source)
    if len(weights) != variations or any(finite(weight, -1.0) < 0 for weight in weights):
        return None
    return weights


def seed_of(source: Mapping[str, Any], otherwise: str) -> str:
    """Return the seed that is hashed with the unit."""
    return text(mapping(source).get("seed"), otherwise)
