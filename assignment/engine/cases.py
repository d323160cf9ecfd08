"""The SDKs' shared cases: questions and answers that every implementation must agree with.

Where the compiled engine can be asked the same question, it is; another answer than the interpreter's is a problem.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assignment.engine.hashing import hash_share
from assignment.engine.program import Options, compile_features
from assignment.engine.rules import passes as holds
from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.decrypting import decrypt
from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment
from assignment.engine.sdk.features import OF_AN_EXPERIMENT
from assignment.engine.sdk.overrides import query_string_override
from assignment.engine.sdk.redirects import redirect_of
from assignment.engine.sdk.results import FeatureResult
from assignment.engine.sdk.shares import choose_variation, equal_weights, share_ranges
from assignment.engine.sdk.sticky import MemoryStickyDocuments, document_key
from assignment.engine.sdk.units import in_namespace, ranges_of, weights_of
from assignment.engine.sdk.values import array, finite, is_number, mapping, number_text, same, text, unit_text
from assignment.engine.targeting import Preparer

DECIMALS = 8
UNNAMED = ("hash", "getEqualWeights")

RULE_FIELDS = OF_AN_EXPERIMENT | {"key", "variations", "coverage", "parentConditions"}

Ask = Callable[[Context, str], FeatureResult]
Question = Callable[..., Any]
"""Called with what a case gives, without its name and its expected answer; returns the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One case with its answer. ``problem`` says why there is none."""

    section: str
    name: str
    got: Any
    expected: Any
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is the expected one; numbers agree to eight decimals."""
        return not self.problem and same(_rounded(self.got), _rounded(self.expected))


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    return round(value, DECIMALS) if isinstance(value, float) else value


def check(cases: Mapping[str, Any], prefix: str = "") -> Iterator[Checked]:
    """Answer every case of a file, section by section; a section of sections is entered."""
    for section, content in cases.items():
        if isinstance(content, Mapping):
            yield from check(content, f"{prefix}{section}.")
        elif isinstance(content, list):
            for case in content:
                yield _checked(f"{prefix}{section}", section, case)


def _checked(path: str, section: str, case: Any) -> Checked:
    shape = SECTIONS.get(section)
    if shape is None or not isinstance(case, list) or len(case) < shape.shortest:
        problem = "this section is not known" if shape is None else "the case is too short"
        return Checked(section=path, name=str(case)[:80], got=None, expected=None, problem=problem)
    named = section not in UNNAMED
    name = str(case[0]) if named else ", ".join(map(repr, case[:-1]))
    expected = case[shape.answer : shape.shortest] if shape.answers > 1 else case[shape.answer]
    asked = [*case[1 if named else 0 : shape.answer], *case[shape.shortest :]]
    expected = shape.read(expected)
    try:
        got = shape.read(shape.ask(*asked))
        compiled = got if shape.compiled is None else shape.read(shape.compiled(*asked))
        problem = "" if same(_rounded(got), _rounded(compiled)) else f"the compiled engine answers {compiled!r}"
        return Checked(section=path, name=name, got=got, expected=expected, problem=problem)
    except Exception as error:
        # One case in an unusual shape must not hide the answers to all others.
        return Checked(section=path, name=name, got=None, expected=expected, problem=f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a section's cases are laid out: who answers, where the answers stand, and how many there are.

    ``compiled`` asks the compiled engine the same; ``read`` leaves out of an answer what says nothing.
    """

    ask: Question
    answer: int
    answers: int = 1
    compiled: Question | None = None
    read: Callable[[Any], Any] = lambda answer: answer

    @property
    def shortest(self) -> int:
        """How many fields a case has at least."""
        return self.answer + self.answers


def _condition(condition: Any, attributes: Any, saved_groups: Any = None) -> bool:
    return passes(attributes, condition, mapping(saved_groups))


def _condition_compiled(condition: Any, attributes: Any, saved_groups: Any = None) -> bool:
    prepared = Preparer(mapping(saved_groups)).prepare(condition)
    return holds(prepared.test, attributes, Effort())


def _ranges(arguments: Any) -> list[list[float]]:
    variations, coverage, weights = arguments
    found = share_ranges(variations, finite(coverage, 1.0), weights_of(weights, variations))
    return [list(bounds) for bounds in found]


def _feature(context: Any, key: str) -> Any:
    return evaluate_feature(Context.from_json(context), key).as_json()


def _run(context: Any, experiment: Any) -> list[Any]:
    result = run_experiment(Context.from_json(context), experiment)
    return [result.value, result.in_experiment, result.hash_used]


def _feature_compiled(context: Any, key: str) -> Any:
    return _evaluate_compiled(Context.from_json(context), key).as_json()


def _evaluate_compiled(context: Context, key: str) -> FeatureResult:
    program = compile_features(context.features, context.saved_groups, context.contextual_bandits)
    return program.evaluate(key, context.attributes, **_wishes(context))


def _wishes(context: Context) -> Options:
    return {
        "url": context.url,
        "enabled": context.enabled,
        "qa_mode": context.qa_mode,
        "forced_variations": context.forced_variations,
        "forced_features": context.forced_features,
        "sticky": context.sticky,
    }


def _says_the_same_as_a_rule(context: Context, experiment: Mapping[str, Any]) -> bool:
    # A rule asks filters and parents before it looks for a variation chosen by hand, an experiment after it.
    first = experiment.get("filters") is not None or experiment.get("parentConditions") is not None
    if first and (context.url or context.forced_variations):
        return False
    passes_on = any(mapping(meta).get("passthrough") for meta in array(experiment.get("meta")))
    return experiment.keys() <= RULE_FIELDS and not passes_on


def _run_compiled(context: Any, experiment: Any) -> list[Any]:
    """Ask for the experiment as the only rule of a feature, where a rule can say the same."""
    read = Context.from_json(context)
    if not _says_the_same_as_a_rule(read, mapping(experiment)):
        return _run(context, experiment)
    key = text(experiment.get("key"))
    features = {**read.features, key: {"defaultValue": None, "rules": [experiment]}}
    result = _evaluate_compiled(replace(read, features=features), key).experiment_result
    variations = array(experiment.get("variations"))
    outside = [variations[0] if variations else None, False, False]
    return outside if result is None else [result.value, result.in_experiment, result.hash_used]


def _sticky(context: Any, documents: Any, key: str, ask: Ask = evaluate_feature) -> list[Any]:
    listed = (mapping(context).get("stickyBucketAssignmentDocs"), documents)
    given = (one for some in listed for one in (some.values() if isinstance(some, Mapping) else array(some)))
    store = MemoryStickyDocuments.of(given)
    result = ask(Context.from_json(context, sticky=store), key).experiment_result
    attributes = mapping(mapping(context).get("attributes"))
    own = {document_key(name, unit_text(value)) for name, value in attributes.items()}
    kept = {name: document for name, document in store.by_unit.items() if name in own}
    return [result.as_json() if result else None, kept]


def _sticky_compiled(context: Any, documents: Any, key: str) -> list[Any]:
    return _sticky(context, documents, key, _evaluate_compiled)


def _redirects(context: Any) -> list[Any]:
    read = Context.from_json(context)
    experiments = array(mapping(context).get("experiments"))
    return [redirect_of(read, experiment).as_json() for experiment in experiments]


def _redirected(answer: Any) -> Any:
    """Leave out empty addresses: where the unit stays, a case may give "", null or nothing."""
    return [
        {name: value for name, value in redirect.items() if value not in ("", None)}
        if isinstance(redirect, Mapping)
        else redirect
        for redirect in array(answer)
    ]


def _hash(seed: str, value: Any, version: Any) -> float | None:
    written = number_text(value) if is_number(value) else str(value)
    return hash_share(seed, written, version) if is_number(version) else None


SECTIONS: dict[str, Shape] = {
    "evalCondition": Shape(_condition, 3, compiled=_condition_compiled),
    "hash": Shape(_hash, 3),
    "getBucketRange": Shape(_ranges, 2),
    "chooseVariation": Shape(lambda share, ranges: choose_variation(share, ranges_of(ranges)), 3),
    "getQueryStringOverride": Shape(query_string_override, 4),
    "inNamespace": Shape(lambda unit, namespace: in_namespace(unit_text(unit), namespace), 3),
    "getEqualWeights": Shape(equal_weights, 1),
    "decrypt": Shape(decrypt, 3),
    "feature": Shape(_feature, 3, compiled=_feature_compiled),
    "contextualBandit": Shape(_feature, 3, compiled=_feature_compiled),
    "run": Shape(_run, 3, answers=3, compiled=_run_compiled),
    "stickyBucket": Shape(_sticky, 4, answers=2, compiled=_sticky_compiled),
    "urlRedirect": Shape(_redirects, 2, read=_redirected),
}
