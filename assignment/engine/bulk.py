"""A whole column of units assigned at once: for backfills, simulations and A/A replays.

Equal to the scalar path bit for bit. One experiment rule of the SDK protocol is evaluated: its hash, coverage, weights
or ranges, filters and namespace. Whatever looks at other attributes is refused, not guessed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assignment.engine.columns import Buckets, Column, Units, buckets_of
from assignment.engine.placing import OLD_BUCKETS, Cells, Hashing, cells_of, hashing_of
from assignment.engine.rules import FEWEST_VARIATIONS, experiment_cells
from assignment.engine.sdk.features import described
from assignment.engine.sdk.shares import NONE
from assignment.engine.sdk.units import FILTER_HASH_VERSION, RULE_HASH_VERSION, range_of, ranges_of, seed_of
from assignment.engine.sdk.values import array, is_object, mapping, text

Variants = NDArray[np.int32]

_REFUSED = {
    "condition": "targeting looks at other attributes: keep the units that pass it, and leave the condition out.",
    "parentConditions": "a prerequisite is another flag: keep the units for which it has the value, and leave it out.",
    "force": "it forces one value and draws no variant.",
    "contextualBanditRef": "a contextual bandit's weights depend on other attributes.",
}


class NotInBulkError(ValueError):
    """The rule cannot be evaluated for a column of units; the message says why and what to do."""


def bucket_column(seed: str, units: Column) -> Buckets:
    """Return the bucket of each unit under a seed (hash version 2).

    Parameters
    ----------
    seed
        The experiment's or layer's seed.
    units
        n ids: strings or whole numbers, in a numpy array, a polars Series or any sequence.

    Returns
    -------
    array of int32, shape (n,)
        0 to 9,999 as ``hashing.bucket_of`` gives; −1 where a value names no unit.
    """
    return buckets_of(Hashing("id", seed), Units(units))


def assign_column(
    experiment: Mapping[str, Any], units: Column, columns: Mapping[str, Column] | None = None
) -> Variants:
    """Return the variant of each unit in an experiment.

    Parameters
    ----------
    experiment
        A rule of the SDK protocol that draws variations, as a feature document holds it, with ``key`` or ``seed``.
    units
        n ids, the values of the rule's ``hashAttribute``: strings or whole numbers, in a numpy array, a polars Series
        or any sequence.
    columns
        n values each of other attributes that the rule's filters hash, by name.

    Returns
    -------
    array of int32, shape (n,)
        The index of the variation, or −1 where the unit takes no part.

    Raises
    ------
    NotInBulkError
        When the rule has a condition or another part that the ids alone cannot decide, or a column is missing.
    """
    rule = _readable(experiment)
    attribute = text(rule.get("hashAttribute"), "id")
    named = _Columns(attribute, units, columns or {})
    variants = _drawn(rule, attribute, named)
    for inside in _filters(rule, attribute, named):
        variants[~inside] = NONE
    return variants


def _readable(experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    name = text(experiment.get("key")) or text(experiment.get("id"), "without a key")
    for field, reason in _REFUSED.items():
        if experiment.get(field) is not None:
            raise NotInBulkError(f"The rule {name!r} has {field}; {reason}")
    variations = experiment.get("variations")
    if not isinstance(variations, (list, tuple)) or len(variations) < FEWEST_VARIATIONS:
        raise NotInBulkError(f"The rule {name!r} has no variations; an experiment has {FEWEST_VARIATIONS} or more.")
    if not text(experiment.get("key")) and not text(experiment.get("seed")):
        raise NotInBulkError(
            "The rule has neither key nor seed, so its feature's key would be hashed. Give one of them."
        )
    if any(mapping(meta).get("passthrough") is True for meta in array(experiment.get("meta"))):
        raise NotInBulkError(f"The rule {name!r} has a passthrough variation; what follows it is another rule's.")
    filters = experiment.get("filters")
    return {**described("", experiment, variations), "filters": filters}


class _Columns:
    """The columns that are hashed."""

    def __init__(self, attribute: str, units: Column, others: Mapping[str, Column]) -> None:
        self._given = {**others, attribute: units}
        self._units: dict[str, Units] = {}

    def __getitem__(self, attribute: str) -> Units:
        if attribute not in self._given:
            raise NotInBulkError(f"A filter hashes {attribute!r}; give its values in columns[{attribute!r}].")
        if attribute not in self._units:
            self._units[attribute] = Units(self._given[attribute])
        lengths = {name: len(found) for name, found in self._units.items()}
        if len(set(lengths.values())) > 1:
            raise NotInBulkError(f"The columns have different lengths: {lengths}. Each needs one value a unit.")
        return self._units[attribute]


def _drawn(rule: Mapping[str, Any], attribute: str, columns: _Columns) -> Variants:
    units = columns[attribute]
    hashing = hashing_of(rule, attribute, seed_of(rule, text(rule.get("key"))), RULE_HASH_VERSION)
    if hashing is None:
        return np.full(len(units), NONE, dtype=np.int32)
    return _owners(experiment_cells(rule, hashing.buckets), buckets_of(hashing, units))


def _filters(rule: Mapping[str, Any], attribute: str, columns: _Columns) -> list[NDArray[np.bool_]]:
    filters, namespace = rule.get("filters"), rule.get("namespace")
    if filters is not None:
        if not isinstance(filters, (list, tuple)):
            return [np.zeros(len(columns[attribute]), dtype=np.bool_)]
        return [_lets_in(one, attribute, columns) for one in filters]
    return [] if namespace is None else [_in_namespace(namespace, columns[attribute])]


def _lets_in(one: Any, attribute: str, columns: _Columns) -> NDArray[np.bool_]:
    named = text(mapping(one).get("attribute"), "id")
    hashing = hashing_of(mapping(one), named, text(mapping(one).get("seed")), FILTER_HASH_VERSION)
    if hashing is None or not is_object(one):
        return np.zeros(len(columns[attribute]), dtype=np.bool_)
    cells = cells_of(ranges_of(one.get("ranges")), hashing.buckets)
    return np.asarray(_owners(cells, buckets_of(hashing, columns[named])) != NONE)


def _in_namespace(namespace: Any, units: Units) -> NDArray[np.bool_]:
    parts = array(namespace)
    if len(parts) != 3 or not isinstance(parts[0], str):
        return np.zeros(len(units), dtype=np.bool_)
    hashing = Hashing("", "__" + parts[0], OLD_BUCKETS)
    cells = cells_of([range_of(parts[1:])], OLD_BUCKETS)
    return np.asarray(_owners(cells, buckets_of(hashing, units)) != NONE)


def _owners(cells: Cells, buckets: Buckets) -> Variants:
    edges = (0, *cells.cuts, cells.buckets)
    # One more entry for those without a unit: their bucket −1 is the last.
    by_bucket = np.append(np.repeat(np.array(cells.owners, dtype=np.int32), np.diff(edges)), np.int32(NONE))
    owners: Variants = by_bucket.take(buckets)
    return owners
