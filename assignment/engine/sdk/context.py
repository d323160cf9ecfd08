"""What an evaluation is asked with: the unit's attributes, the configuration and the app's wishes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.exposures import Exposures
from assignment.engine.sdk.results import FeatureResult
from assignment.engine.sdk.sticky import MemoryStickyDocuments, StickyDocuments
from assignment.engine.sdk.values import mapping, text

NO_OBJECT: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything one evaluation reads, in the SDK protocol's terms.

    ``sticky`` is None where assignments are not kept; ``exposures`` is None where nobody listens.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    saved_groups: Mapping[str, Any] = field(default_factory=dict)
    contextual_bandits: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    enabled: bool = True
    qa_mode: bool = False
    forced_variations: Mapping[str, Any] = field(default_factory=dict)
    forced_features: Mapping[str, Any] = field(default_factory=dict)
    sticky: StickyDocuments | None = None
    exposures: Exposures | None = None

    @classmethod
    def from_json(
        cls, source: Any, *, sticky: StickyDocuments | None = None, exposures: Exposures | None = None
    ) -> "Context":
        """Read a context as the SDKs write it; whatever is malformed counts as absent."""
        given = mapping(source)
        documents = given.get("stickyBucketAssignmentDocs")
        if sticky is None and isinstance(documents, Mapping):
            sticky = MemoryStickyDocuments.of(documents.values())
        return cls(
            attributes=mapping(given.get("attributes")),
            features=mapping(given.get("features")),
            saved_groups=mapping(given.get("savedGroups")),
            contextual_bandits=mapping(given.get("contextualBandits")),
            url=text(given.get("url")),
            enabled=given.get("enabled") is not False,
            qa_mode=given.get("qaMode") is True,
            forced_variations=mapping(given.get("forcedVariations")),
            forced_features=forced_features(given.get("forcedFeatures", given.get("forcedFeatureValues"))),
            sticky=sticky,
            exposures=exposures,
        )


def forced_features(source: Any) -> Mapping[str, Any]:
    """Read forced values: an object, or the list of pairs that remote evaluation is asked with."""
    if isinstance(source, Mapping):
        return source
    return dict(_pairs(source)) if isinstance(source, (list, tuple)) else NO_OBJECT


def _pairs(source: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    for pair in source:
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str):
            yield pair[0], pair[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One evaluation under way: the flags it is inside of, those it has finished, and the work that is left.

    ``evaluate`` answers for a parent flag, so that an experiment can ask without knowing of features.
    """

    context: Context
    evaluate: "Callable[[str, Session], FeatureResult]"
    inside: frozenset[str] = frozenset()
    finished: dict[str, FeatureResult] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)

    def entering(self, key: str) -> "Session":
        """Return the session as the parents of this flag see it."""
        return replace(self, inside=self.inside | {key})
