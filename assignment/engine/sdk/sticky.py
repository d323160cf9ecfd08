"""Sticky assignments: documents that keep a unit's variant when weights, conditions or its identity change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from assignment.engine.sdk.values import array, finite, mapping, text, unit_text

NO_VARIATION = -1


class StickyDocuments(Protocol):
    """Where the documents are kept: one for each value of each attribute."""

    def document(self, attribute: str, value: str) -> Mapping[str, Any] | None:
        """Return the document of a unit, or None."""

    def save(self, document: Mapping[str, Any]) -> None:
        """Keep the document in place of the unit's earlier one."""


class MemoryStickyDocuments:
    """Documents kept in memory, by ``attribute||value``."""

    def __init__(self) -> None:
        self.by_unit: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def of(cls, documents: Iterable[Any]) -> "MemoryStickyDocuments":
        """Return a store that holds these documents; malformed ones are left out."""
        store = cls()
        for document in documents:
            if isinstance(document, Mapping) and "attributeName" in document and "attributeValue" in document:
                store.save(document)
        return store

    def document(self, attribute: str, value: str) -> Mapping[str, Any] | None:
        """Return the document of a unit, or None."""
        return self.by_unit.get(document_key(attribute, value))

    def save(self, document: Mapping[str, Any]) -> None:
        """Keep the document in place of the unit's earlier one."""
        attribute, value = document["attributeName"], document["attributeValue"]
        self.by_unit[document_key(str(attribute), unit_text(value))] = document


def document_key(attribute: str, value: str) -> str:
    """Return the name under which the protocol keeps a unit's document."""
    return f"{attribute}||{value}"


@dataclass(frozen=True, slots=True)
class Kept:
    """The variation that is kept, and whether an earlier version of the experiment shuts the unit out."""

    variation: int = NO_VARIATION
    blocked: bool = False


def is_sticky(experiment: Mapping[str, Any], documents: StickyDocuments | None) -> bool:
    """Say whether the experiment keeps its assignments here."""
    return documents is not None and not experiment.get("disableStickyBucketing")


def kept(
    experiment: Mapping[str, Any], key: str, attributes: Mapping[str, Any], documents: StickyDocuments | None
) -> Kept:
    """Return what is kept of a unit in an experiment.

    Parameters
    ----------
    experiment, key
        The experiment and its key.
    attributes
        The unit's attributes; the document of the hash attribute wins over the fallback attribute's.
    documents
        Where they are kept, or None.

    Returns
    -------
    Kept
        No variation where none is kept for this version, or where the variation kept no longer exists.
    """
    if documents is None or not is_sticky(experiment, documents):
        return Kept()
    assignments = _assignments(experiment, attributes, documents)
    smallest = int(finite(experiment.get("minBucketVersion"), 0))
    if any(version < smallest for version in _versions(assignments, key)):
        return Kept(blocked=True)
    return Kept(_variation(experiment, assignments.get(_assignment_key(experiment, key))))


def _assignments(
    experiment: Mapping[str, Any], attributes: Mapping[str, Any], documents: StickyDocuments
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in (text(experiment.get("fallbackAttribute")), text(experiment.get("hashAttribute"), "id")):
        value = unit_text(attributes.get(attribute)) if attribute else ""
        if value:
            found |= mapping(mapping(documents.document(attribute, value)).get("assignments"))
    return found


def _versions(assignments: Mapping[str, Any], key: str) -> Iterable[int]:
    # Only versions that are there are looked at: the smallest version allowed may be any number.
    prefix = f"{key}__"
    for name in assignments:
        version = name.removeprefix(prefix) if isinstance(name, str) and name.startswith(prefix) else ""
        if version.isascii() and version.isdigit() and len(version) <= 9:
            yield int(version)


def _assignment_key(experiment: Mapping[str, Any], key: str) -> str:
    return f"{key}__{int(finite(experiment.get('bucketVersion'), 0))}"


def _variation(experiment: Mapping[str, Any], wanted: Any) -> int:
    if not isinstance(wanted, str):
        return NO_VARIATION
    variations = range(len(array(experiment.get("variations"))))
    for index, meta in zip(variations, array(experiment.get("meta")), strict=False):
        if mapping(meta).get("key") == wanted:
            return index
    return NO_VARIATION


def keep(
    experiment: Mapping[str, Any], key: str, unit: tuple[str, str], variation_key: str, documents: StickyDocuments
) -> None:
    """Write the variation into the document of the attribute that was hashed, where that changes it."""
    attribute, value = unit
    before = mapping(mapping(documents.document(attribute, value)).get("assignments"))
    after = {**before, _assignment_key(experiment, key): variation_key}
    if after != before:
        documents.save({"attributeName": attribute, "attributeValue": value, "assignments": after})
