"""The SDKs' shared cases: questions and answers that every implementation must agree with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assignment.engine.hashing import hash_share
from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.decrypting import decrypt
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment
from assignment.engine.sdk.overrides import query_string_override
from assignment.engine.sdk.redirects import redirect_of
from assignment.engine.sdk.shares import choose_variation, equal_weights, share_ranges
from assignment.engine.sdk.sticky import MemoryStickyDocuments, document_key
from assignment.engine.sdk.units import in_namespace, ranges_of, weights_of
from assignment.engine.sdk.values import array, finite, is_number, mapping, number_text, same, unit_text

DECIMALS = 8
UNNAMED = ("hash", "getEqualWeights")

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
    try:
        return Checked(section=path, name=name, got=shape.ask(*asked), expected=expected)
    except Exception as error:
        # One case in an unusual shape must not hide the answers to all others.
        return Checked(section=path, name=name, got=None, expected=expected, problem=f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a section's cases are laid out: who answers, where the answers stand, and how many there are."""

    ask: Question
    answer: int
    answers: int = 1

    @property
    def shortest(self) -> int:
        """How many fields a case has at least."""
        return self.answer + self.answers


def _condition(condition: Any, attributes: Any, saved_groups: Any = None) -> bool:
    return passes(attributes, condition, mapping(saved_groups))


def _ranges(arguments: Any) -> list[list[float]]:
    variations, coverage, weights = arguments
    found = share_ranges(variations, finite(coverage, 1.0), weights_of(weights, variations))
    return [list(bounds) for bounds in found]


def _feature(context: Any, key: str) -> Any:
    return evaluate_feature(Context.from_json(context), key).as_json()


def _run(context: Any, experiment: Any) -> list[Any]:
    result = run_experiment(Context.from_json(context), experiment)
    return [result.value, result.in_experiment, result.hash_used]


def _sticky(context: Any, documents: Any, key: str) -> list[Any]:
    given = documents.values() if isinstance(documents, Mapping) else array(documents)
    store = MemoryStickyDocuments.of(given)
    result = evaluate_feature(Context.from_json(context, sticky=store), key).experiment_result
    attributes = mapping(mapping(context).get("attributes"))
    own = {document_key(name, unit_text(value)) for name, value in attributes.items()}
    kept = {name: document for name, document in store.by_unit.items() if name in own}
    return [result.as_json() if result else None, kept]


def _redirects(context: Any) -> list[Any]:
    read = Context.from_json(context)
    experiments = array(mapping(context).get("experiments"))
    return [redirect_of(read, experiment).as_json() for experiment in experiments]


def _hash(seed: str, value: Any, version: Any) -> float | None:
    written = number_text(value) if is_number(value) else str(value)
    return hash_share(seed, written, version) if is_number(version) else None


SECTIONS: dict[str, Shape] = {
    "evalCondition": Shape(_condition, 3),
    "hash": Shape(_hash, 3),
    "getBucketRange": Shape(_ranges, 2),
    "chooseVariation": Shape(lambda share, ranges: choose_variation(share, ranges_of(ranges)), 3),
    "getQueryStringOverride": Shape(query_string_override, 4),
    "inNamespace": Shape(in_namespace, 3),
    "getEqualWeights": Shape(equal_weights, 1),
    "decrypt": Shape(decrypt, 3),
    "feature": Shape(_feature, 3),
    "contextualBandit": Shape(_feature, 3),
    "run": Shape(_run, 3, answers=3),
    "stickyBucket": Shape(_sticky, 4, answers=2),
    "urlRedirect": Shape(_redirects, 2),
}
