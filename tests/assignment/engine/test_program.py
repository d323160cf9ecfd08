"""The compiled engine answers as the reference interpreter does, whatever the document."""

import doctest

from hypothesis import given, settings
from hypothesis import strategies as st

from assignment.engine.program import compile_features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.exposures import Exposures
from assignment.engine.sdk.results import FeatureResult, Source
from config.paths import REPOSITORY
from tests.assignment.sdk import documents, test_hostile

hostile_features = st.fixed_dictionaries(
    {"f": st.fixed_dictionaries({"rules": st.lists(test_hostile.rules | test_hostile.good_rule, max_size=3)})},
    optional={"a": test_hostile.values, "p": test_hostile.values},
)


def same(one: FeatureResult, other: FeatureResult) -> bool:
    # Not-a-number differs from itself, yet is written as the same text.
    return repr(one) == repr(other)


def interpreted(features, attributes, groups, **fields):
    return evaluate_feature(Context(features=features, attributes=attributes, saved_groups=groups, **fields), "f")


def assert_agrees(features, attributes, groups=documents.GROUPS, bandits=documents.BANDITS):
    program = compile_features(features, groups, bandits)
    expected = interpreted(features, attributes, groups, contextual_bandits=bandits)
    assert same(program.evaluate("f", attributes), expected)

    flag = program.flag("f")
    index = flag.choose(attributes)
    end = flag.terminals[index]
    assert repr((end.value, end.source, end.rule_id)) == repr((expected.value, expected.source, expected.rule_id))
    assert end.variation == (expected.experiment_result.variation_id if expected.experiment_result else -1)
    assert flag.choose_by_interpreter(attributes) == index

    explained = program.explain("f", attributes)
    assert same(explained.result, expected)
    assert explained.outcome is end.outcome
    if end.source is not Source.CYCLIC_PREREQUISITE:
        assert [answer.rule for answer in explained.rules if answer.decided] == ([end.rule] if end.rule >= 0 else [])

    reported = []
    listener = Exposures(lambda experiment, result: reported.append((experiment, result)))
    interpreted(features, attributes, groups, contextual_bandits=bandits, exposures=listener)
    found = [(exposure.experiment, exposure.result) for exposure in program.exposures("f", attributes)]
    assert repr(found) == repr(reported)


@settings(max_examples=200, deadline=None)
@given(documents.documents, documents.attributes)
def test_evaluate__any_document__is_what_the_interpreter_answers(features, attributes):
    assert_agrees(features, attributes)


@settings(max_examples=200, deadline=None)
@given(documents.ordinary_documents, documents.people)
def test_evaluate__document_as_people_publish__is_what_the_interpreter_answers(features, attributes):
    assert not compile_features(features, documents.GROUPS).flag("f").interpreted
    assert_agrees(features, attributes)


@settings(max_examples=150, deadline=None)
@given(hostile_features, st.dictionaries(st.sampled_from(["a", "id"]), test_hostile.values), test_hostile.values)
def test_evaluate__hostile_document__is_what_the_interpreter_answers(features, attributes, groups):
    assert_agrees(features, attributes, groups if isinstance(groups, dict) else {}, {"a": groups})


def test_documentation__its_examples__hold():
    failed, tried = doctest.testfile(str(REPOSITORY / "docs" / "assignment.md"), module_relative=False)
    assert (failed, tried > 10) == (0, True)
