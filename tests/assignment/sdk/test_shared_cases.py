import io
import json

import pytest
from django.core.management import CommandError, call_command

from assignment.engine.cases import check
from assignment.engine.program import compile_features
from config.paths import REPOSITORY

CASES = REPOSITORY.parent / "shared" / "conformance" / "growthbook_sdk_cases_half.json"


@pytest.mark.skipif(not CASES.exists(), reason=f"the shared SDK cases are not at {CASES}")
def test_shared_cases__every_section__agrees():
    answers = list(check(json.loads(CASES.read_text())))
    assert len(answers) > 200
    assert [(answer.section, answer.name, answer.got) for answer in answers if not answer.passed] == []


def run(tmp_path, content):
    path = tmp_path / "cases.json"
    path.write_text(content)
    written = io.StringIO()
    code = 0
    try:
        call_command("check_sdk_cases", str(path), stdout=written)
    except SystemExit as stop:
        code = stop.code
    return code, written.getvalue().splitlines()


def test_check_sdk_cases__all_pass__counts_and_exits_zero(tmp_path):
    content = {
        "specVersion": "0.8.0",
        "hash": [["", "a", 1, 0.22]],
        "evalCondition": [["one", {"a": 1}, {"a": 1}, True]],
    }
    assert run(tmp_path, json.dumps(content)) == (0, ["2 passed, 0 failed"])


def test_check_sdk_cases__one_differs__prints_it_and_exits_one(tmp_path):
    content = {"outer": {"evalCondition": [["mine", {"a": 1}, {"a": 1}, False]]}}
    code, lines = run(tmp_path, json.dumps(content))
    assert code == 1
    assert lines == ["FAILED outer.evalCondition: mine", "  got      true", "  expected false", "0 passed, 1 failed"]


@pytest.mark.parametrize(
    "content",
    [{"unheardOf": [["case", 1]]}, {"run": [["too short"]]}, {"hash": [3]}, {"inNamespace": [["a", {}, 1, 2, 3]]}, {}],
)
def test_check_sdk_cases__case_that_cannot_be_run__is_no_success(tmp_path, content):
    code, lines = run(tmp_path, json.dumps(content))
    assert code == 1
    assert lines[-1].startswith("0 passed")


@pytest.mark.parametrize("content", ["{", "[]"])
def test_check_sdk_cases__file_that_is_none__says_so(tmp_path, content):
    with pytest.raises(CommandError):
        run(tmp_path, content)


PARENT = [{"id": "none", "condition": {"value": 1}}]


@pytest.mark.parametrize(
    ("context", "experiment", "expected"),
    [
        ({"forcedVariations": {"e": 1}}, {"filters": [{"seed": "s", "ranges": []}]}, [1, True, False]),
        ({"url": "http://x/?e=1"}, {"parentConditions": PARENT}, [1, True, False]),
        ({"url": "http://x/"}, {"parentConditions": PARENT}, [0, False, False]),
        ({}, {"weights": [0, 1], "meta": [{"passthrough": True}] * 2}, [1, True, True]),
    ],
)
def test_cases__experiment_that_a_rule_says_otherwise__is_not_held_against_the_compiled_engine(
    context, experiment, expected
):
    case = ["one", {"attributes": {"id": "1"}, **context}, {"key": "e", "variations": [0, 1], **experiment}, *expected]
    assert [(answer.problem, answer.passed) for answer in check({"run": [case]})] == [("", True)]


@pytest.mark.parametrize("stays", [{"urlRedirect": "", "urlWithParams": ""}, {"urlRedirect": None}, {}])
def test_cases__redirect_of_a_unit_that_stays__may_be_empty_or_left_out(stays):
    experiment = {"key": "e", "variations": [{}, {"urlRedirect": "http://y/"}], "weights": [1, 0]}
    context = {"attributes": {"id": "1"}, "url": "http://x/", "experiments": [experiment]}
    (answer,) = check({"urlRedirect": [["one", context, [{"inExperiment": True, **stays}]]]})
    assert answer.passed
    (answer,) = check({"urlRedirect": [["one", context, [{"inExperiment": True, "urlRedirect": "http://y/"}]]]})
    assert not answer.passed


def test_cases__sticky_documents_in_the_context__count_like_those_beside_it():
    document = {"attributeName": "id", "attributeValue": "1", "assignments": {"f__0": "b"}}
    rule = {"variations": [0, 1], "weights": [1, 0], "meta": [{"key": "a"}, {"key": "b"}]}
    context = {"attributes": {"id": "1"}, "features": {"f": {"rules": [rule]}}}
    kept = {"id||1": document}
    answers = [
        next(check({"stickyBucket": [["one", {**context, **inside}, beside, "f", None, kept]]})).got
        for inside, beside in (({}, [document]), ({"stickyBucketAssignmentDocs": kept}, []))
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["stickyBucketUsed"]


def test_cases__number_in_a_namespace__is_hashed_as_its_text():
    answers = list(check({"inNamespace": [["one", 3, ["namespace2", 0, 0.4], True]]}))
    assert [answer.passed for answer in answers] == [True]


def test_check_sdk_cases__compiled_engine_answers_otherwise__is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("assignment.engine.cases.compile_features", lambda *_: compile_features({}))
    case = ["mine", {"features": {"f": {"defaultValue": 1}}}, "f", {"value": 1, "on": True, "off": False}]
    case[3] |= {"source": "defaultValue", "ruleId": ""}
    code, lines = run(tmp_path, json.dumps({"feature": [case]}))
    assert code == 1
    assert lines[0] == "FAILED feature: mine"
    assert lines[1].startswith("  the compiled engine answers {'value': None")
