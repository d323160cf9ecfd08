"""Every answer that another test gets from the door is checked too (tests/assignment/asking.py)."""

import jsonschema
import pytest

from assignment.ofrep import FLAGS
from tests.assignment import contract

pytestmark = pytest.mark.skipif(not contract.DOCUMENT.exists(), reason=contract.MISSING)
ONE = f"{FLAGS}/ranker"
GOOD = {"key": "ranker", "value": 1, "variant": "a", "reason": "SPLIT", "metadata": {"outcome": "assigned"}}


@pytest.mark.parametrize(
    ("path", "status"),
    [(ONE, 200), (ONE, 400), (ONE, 404), (ONE, 500), (FLAGS, 200), (FLAGS, 400), (FLAGS, 500)],
)
def test_contract__every_answer_with_a_schema__is_checked(path, status):
    assert contract.describes(path, status)


@pytest.mark.parametrize("value", [True, "b", 3, 1.5, {"size": 3}])
def test_contract__a_good_answer_of_each_type__passes(value):
    contract.check(ONE, 200, {**GOOD, "value": value})
    contract.check(FLAGS, 200, {"flags": [{**GOOD, "value": value}]})


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (ONE, 200, {**GOOD, "reason": "DEFAULT"}),
        (ONE, 200, {**GOOD, "metadata": {"nested": {}}}),
        (ONE, 200, {"value": 1, "variant": "a", "reason": "SPLIT"}),
        (ONE, 400, {"key": "ranker", "errorCode": "FLAG_NOT_FOUND"}),
        (ONE, 404, {"errorCode": "FLAG_NOT_FOUND"}),
        (FLAGS, 200, {"flags": [{"key": "ranker"}]}),
        (FLAGS, 400, {"errorDetails": "words"}),
    ],
)
def test_contract__an_answer_against_the_document__fails(path, status, body):
    with pytest.raises(jsonschema.ValidationError):
        contract.check(path, status, body)
