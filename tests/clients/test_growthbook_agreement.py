"""The engine answers as GrowthBook's JavaScript client does, question by question.

Where clients are known to differ (docs/assignment.md lists how) nothing is asked; test_peer asks the PyPI client.
"""

from collections import Counter
from typing import Any

import pytest

from assignment.engine.cases import SECTIONS
from assignment.engine.program import compile_features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.evaluating import evaluate_feature, run_experiment
from assignment.engine.sdk.exposures import Exposures
from assignment.engine.sdk.sticky import document_key
from assignment.engine.sdk.urls import is_targeted
from assignment.engine.sdk.values import same, unit_text
from tests.clients.questions import SAVED, Conditions, Evaluations

QUESTIONS = 2_000
SEED = 20_260_101


def answers(node, questions):
    return node.ask("growthbook_oracle.mjs", questions)


def plain(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a result without what only one of the two writes; a unit that is a number keeps its text."""
    if result is None:
        return None
    shown = {name: value for name, value in result.items() if name != "featureId"}
    return {"value": None, **shown, "hashValue": unit_text(shown["hashValue"])}


def differing(asked, ours, theirs):
    return [(one, mine, other) for one, mine, other in zip(asked, ours, theirs, strict=True) if not same(mine, other)]


def test_conditions__typed_values__pass_for_the_same_units(node):
    draw = Conditions(SEED)
    asked = [["condition", draw.condition(), draw.attributes(), SAVED] for _ in range(3 * QUESTIONS)]
    shape = SECTIONS["evalCondition"]
    assert shape.compiled is not None
    ours = [shape.ask(*one[1:]) for one in asked]
    assert differing(asked, ours, answers(node, asked)) == []
    assert differing(asked, ours, [shape.compiled(*one[1:]) for one in asked]) == []
    assert min(Counter(ours).values()) > QUESTIONS / 2


def test_features__ordinary_rules__give_the_same_value_result_and_exposures(node):
    draw = Evaluations(SEED)
    asked = [["feature", draw.context(), "f"] for _ in range(QUESTIONS)]
    ours, compiled, exposed = [], [], []
    for _, source, key in asked:
        seen: list[list[Any]] = []
        exposures = Exposures(lambda experiment, result, seen=seen: seen.append(exposure(experiment, result)))
        ours.append(feature(evaluate_feature(Context.from_json(source, exposures=exposures), key).as_json()))
        compiled.append(feature(SECTIONS["feature"].compiled(source, key)))
        exposed.append(seen)
    theirs = answers(node, asked)
    assert differing(asked, exposed, [answer.pop("tracks") for answer in theirs]) == []
    assert differing(asked, ours, [feature(answer) for answer in theirs]) == []
    assert differing(asked, ours, compiled) == []
    assert Counter(answer["source"] for answer in ours).keys() >= {"experiment", "force", "cyclicPrerequisite"}


def exposure(experiment, result):
    return [experiment["key"], result["key"], result["hashValue"]]


def feature(answer):
    result = plain(answer.get("experimentResult"))
    return {"value": None, **answer, **({"experimentResult": result} if result else {})}


def test_exposures__of_the_compiled_engine__are_those_that_the_client_reports(node):
    draw = Evaluations(SEED + 1)
    asked = [["feature", draw.context() | {"url": "", "forcedVariations": {}}, "f"] for _ in range(QUESTIONS // 2)]
    ours = []
    for _, source, key in asked:
        read = Context.from_json(source)
        program = compile_features(read.features, read.saved_groups, read.contextual_bandits)
        found = program.exposures(key, read.attributes, enabled=read.enabled, qa_mode=read.qa_mode)
        ours.append([exposure(one.experiment, one.result) for one in found])
    assert differing(asked, ours, [answer["tracks"] for answer in answers(node, asked)]) == []
    assert sum(map(len, ours)) > QUESTIONS / 20


def test_experiments__written_in_the_app__give_the_same_result(node):
    draw = Evaluations(SEED + 2)
    asked = [["run", draw.context(), draw.in_the_app()] for _ in range(QUESTIONS)]
    ours = [plain(run_experiment(Context.from_json(source), one).as_json()) for _, source, one in asked]
    assert differing(asked, ours, [plain(answer) for answer in answers(node, asked)]) == []
    assert min(Counter(answer["inExperiment"] for answer in ours if answer).values()) > QUESTIONS / 20


def test_sticky__documents_of_several_attributes_and_versions__keep_and_write_the_same(node):
    draw = Evaluations(SEED + 3)
    contexts = (one for _ in range(QUESTIONS // 2) for one in (draw.context(), draw.kept_context()))
    asked = [["sticky", context, draw.documents(), "f"] for context in contexts if names_its_fallbacks(context)]
    ours, theirs = [], []
    for (_, source, documents, key), (result, kept) in zip(asked, answers(node, asked), strict=True):
        mine, written = SECTIONS["stickyBucket"].ask(source, documents, key)
        assert SECTIONS["stickyBucket"].compiled(source, documents, key) == [mine, written]
        own = {document_key(name, unit_text(value)) for name, value in source["attributes"].items()}
        ours.append([plain(mine), written])
        theirs.append([plain(result), {name: document for name, document in kept.items() if name in own}])
    assert differing(asked, ours, theirs) == []
    assert sum(bool(one and one["stickyBucketUsed"]) for one, _ in ours) > QUESTIONS / 50


def names_its_fallbacks(context):
    """Leave out what differs on purpose: without a fallback attribute the client reads the document of ``id``."""
    rules = [rule for one in context["features"].values() for rule in one["rules"]]
    return all(rule.get("hashAttribute", "id") == "id" or "fallbackAttribute" in rule for rule in rules)


@pytest.mark.parametrize("targets", [1, 2])
def test_pages__addresses_and_patterns__are_targeted_alike(node, targets):
    draw = Evaluations(SEED + 4)
    pages = [draw.page() for _ in range(QUESTIONS)]
    asked = [["url", page, [draw.target(page) for _ in range(targets)]] for page in pages]
    ours = [is_targeted(page, several, Effort()) for _, page, several in asked]
    assert differing(asked, ours, answers(node, asked)) == []
    assert min(Counter(ours).values()) > QUESTIONS / 10
