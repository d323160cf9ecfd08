"""The compiled engine: a feature document prepared once, asked many times.

Its answers are those of the reference interpreter ``assignment.engine.sdk``. What is rare is left to the interpreter:
cycles, contextual bandits, sticky documents, values and variations forced by the app.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

from assignment.engine.compiling import compiled_flag, interpreted_flag
from assignment.engine.explaining import explain
from assignment.engine.flags import CompiledFlag, Configuration
from assignment.engine.rules import Attributes
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.exposures import Exposures
from assignment.engine.sdk.features import DEEPEST_CHAIN
from assignment.engine.sdk.results import FeatureResult, Source
from assignment.engine.sdk.sticky import StickyDocuments
from assignment.engine.sdk.values import array, is_object, mapping
from assignment.engine.targeting import OverBudgetError, Preparer, TooLargeError
from assignment.engine.terminals import Explanation, Exposure

MOST_ABOVE = 1_000
_UNKNOWN = FeatureResult(value=None, source=Source.UNKNOWN_FEATURE)


class Options(TypedDict, total=False):
    """What an app may wish beside the attributes, as in the interpreter's ``Context``."""

    url: str
    enabled: bool
    qa_mode: bool
    forced_variations: Mapping[str, Any]
    forced_features: Mapping[str, Any]
    sticky: StickyDocuments | None
    exposures: Exposures | None


class Program:
    """All flags of one feature document, compiled; immutable, and safe to share between threads."""

    __slots__ = ("_configuration", "flags")

    def __init__(self, configuration: Configuration, flags: Mapping[str, CompiledFlag]) -> None:
        self._configuration = configuration
        self.flags = flags

    def flag(self, key: str) -> CompiledFlag | None:
        """Return a flag by its feature's key, or None."""
        return self.flags.get(key)

    def evaluate(self, key: str, attributes: Attributes, **options: Unpack[Options]) -> FeatureResult:
        """Return the value of a feature and where it comes from, as ``sdk.evaluating.evaluate_feature`` does.

        Parameters
        ----------
        key
            The feature's key; an unknown one has the value None.
        attributes
            The unit's attributes, JSON values by name.
        options
            The app's wishes; with any of them but a plain ``url`` the interpreter answers.
        """
        if options and not _is_plain(options):
            return evaluate_feature(self._configuration.context(attributes, **options), key)
        flag = self.flags.get(key)
        return _UNKNOWN if flag is None else flag.evaluate(attributes)

    def exposures(self, key: str, attributes: Attributes, **options: Unpack[Options]) -> list[Exposure]:
        """Return every exposure that an evaluation causes, in order: of parent flags and holdouts as well."""
        flag = self.flags.get(key)
        if flag is None or flag.interpreted or flag.traced or not _is_plain(options):
            return self._reported(key, attributes, options)
        run = flag.start()
        try:
            index = flag.decide(attributes, run)
        except OverBudgetError:
            return self._reported(key, attributes, options)
        ends = [*((self.flags[parent], end) for parent, end in run.parents.items()), (flag, index)]
        found: dict[tuple[str, ...], Exposure] = {}
        for asked, end in ends:
            drawn, experiment = asked.drawn(end, attributes), asked.terminals[end].experiment
            if drawn is not None and experiment is not None:
                seen = (drawn.hash_attribute, drawn.hash_value, str(experiment["key"]), str(drawn.variation_id))
                found.setdefault(seen, Exposure(experiment=experiment, result=drawn.as_json()))
        return list(found.values())

    def _reported(self, key: str, attributes: Attributes, options: Options) -> list[Exposure]:
        found: list[Exposure] = []
        collector = Exposures(lambda experiment, result: found.append(Exposure(experiment=experiment, result=result)))
        wishes: dict[str, Any] = {**options, "exposures": collector}
        evaluate_feature(self._configuration.context(attributes, **wishes), key)
        return found

    def explain(self, key: str, attributes: Attributes, **options: Unpack[Options]) -> Explanation:
        """Return how a feature's value comes about: each rule in order, what it decided, and why not."""
        return explain(self._configuration.context(attributes, **options), key)


def _is_plain(options: Options) -> bool:
    """Say whether the options leave the evaluation as it is without any."""
    return (
        options.get("enabled") is not False
        and "?" not in (options.get("url") or "")
        and not any(options.get(name) for name in ("qa_mode", "forced_variations", "forced_features"))
        and options.get("sticky") is None
        and options.get("exposures") is None
    )


def compile_features(
    features: Mapping[str, Any],
    saved_groups: Mapping[str, Any] | None = None,
    contextual_bandits: Mapping[str, Any] | None = None,
) -> Program:
    """Compile a feature document of the SDK protocol; nothing is raised.

    Parameters
    ----------
    features
        Features by key.
    saved_groups
        Saved groups by id.
    contextual_bandits
        Contextual bandits by id.

    Returns
    -------
    Program
        Answers as the interpreter does; whatever is malformed lets nobody in.
    """
    configuration = Configuration(
        features=mapping(features),
        saved_groups=mapping(saved_groups),
        contextual_bandits=mapping(contextual_bandits),
    )
    preparer = Preparer(configuration.saved_groups)
    compiled: dict[str, CompiledFlag] = {}
    heights: dict[str, int] = {}
    for key in parents_first(configuration.features):
        flag = _compiled(key, configuration, preparer, compiled, heights)
        if flag is not None:
            compiled[key] = flag
    flags = {key: compiled.get(key) or interpreted_flag(key, configuration) for key in configuration.features}
    return Program(configuration, flags)


def _compiled(
    key: str,
    configuration: Configuration,
    preparer: Preparer,
    compiled: Mapping[str, CompiledFlag],
    heights: dict[str, int],
) -> CompiledFlag | None:
    """Return the flag, or None where the interpreter is to be asked."""
    parents = parents_of(configuration.features[key])
    heights[key] = 1 + max((heights.get(parent, 0) for parent in parents), default=-1)
    left_out = any(parent in configuration.features and parent not in compiled for parent in parents)
    if left_out or heights[key] > DEEPEST_CHAIN or _asks_a_bandit(configuration, key):
        return None
    try:
        flag = compiled_flag(key, configuration, preparer, compiled)
    except TooLargeError:
        return None
    return flag if len(flag.above) <= MOST_ABOVE else None


def _asks_a_bandit(configuration: Configuration, key: str) -> bool:
    bandits = configuration.contextual_bandits
    references = [mapping(rule).get("contextualBanditRef") for rule in _rules(configuration.features[key])]
    return any(isinstance(one, str) and bandits.get(one) is not None for one in references)


def _rules(feature: Any) -> Iterable[Any]:
    return array(mapping(feature).get("rules"))


def parents_of(feature: Any) -> frozenset[str]:
    """Return the keys of the features that a feature's rules ask for."""
    conditions = (one for rule in _rules(feature) for one in array(mapping(rule).get("parentConditions")))
    return frozenset(key for one in conditions if is_object(one) and isinstance(key := one.get("id"), str))


def parents_first(features: Mapping[str, Any]) -> list[str]:
    """Return the features' keys with every parent before its children; those on or behind a cycle are left out."""
    waiting = {
        key: {parent for parent in parents_of(feature) if parent in features} for key, feature in features.items()
    }
    children: dict[str, list[str]] = {key: [] for key in features}
    for key, parents in waiting.items():
        for parent in parents:
            children[parent].append(key)
    ready = deque(key for key, parents in waiting.items() if not parents)
    ordered = []
    while ready:
        key = ready.popleft()
        ordered.append(key)
        for child in children[key]:
            waiting[child].discard(key)
            if not waiting[child]:
                ready.append(child)
    return ordered
