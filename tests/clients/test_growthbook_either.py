"""Where the JavaScript client and the PyPI client agree, whatever the types, so does the engine.

The shared cases pass in both clients, so what the cases decide is decided alike by both; where they differ
(docs/assignment.md lists it) the engine sides with one of them.
"""

import logging
from collections.abc import Iterator

import pytest
from growthbook.common_types import EvaluationContext, Feature, GlobalContext, Options, StackContext, UserContext
from growthbook.core import eval_feature, evalCondition

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from tests.clients.questions import SAVED
from tests.clients.untyped import Untyped

QUESTIONS = 6_000
SEED = 3


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The PyPI client logs each malformed field."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_conditions__of_any_types__are_answered_as_by_one_of_the_clients(node):
    draw = Untyped(SEED)
    asked = [["condition", draw.condition(), draw.attributes(), SAVED] for _ in range(QUESTIONS)]
    javascript = node.ask("growthbook_oracle.mjs", asked)
    python = [evalCondition(attributes, condition, SAVED) for _, condition, attributes, _ in asked]
    ours = [passes(attributes, condition, SAVED) for _, condition, attributes, _ in asked]
    rows = zip(asked, ours, javascript, python, strict=True)
    assert [row for row in rows if row[1] not in row[2:]] == []
    answers = zip(javascript, python, strict=True)
    assert 0.01 < sum(one != other for one, other in answers) / QUESTIONS < 0.2, (
        "the clients should differ now and then"
    )


def test_features__of_any_types__have_the_value_that_one_of_the_clients_gives(node):
    draw = Untyped(SEED + 1)
    asked = []
    for _ in range(QUESTIONS // 2):
        context = {"attributes": draw.user(), "features": draw.features(), "savedGroups": SAVED}
        asked.append(["feature", context, "f"])
    javascript = [shown(answer) for answer in node.ask("growthbook_oracle.mjs", asked)]
    python = [in_python(context) for _, context, _ in asked]
    ours = [shown(evaluate_feature(Context.from_json(context), "f").as_json()) for _, context, _ in asked]
    rows = zip(asked, ours, javascript, python, strict=True)
    assert [row for row in rows if row[1] not in row[2:]] == []


def shown(answer):
    """Return what apps see of an evaluation: value, source, and the variation where an experiment drew one."""
    result = answer.get("experimentResult") or {}
    drawn = (result["variationId"], result.get("bucket"), result["hashUsed"]) if result.get("inExperiment") else None
    return repr((answer.get("value"), answer.get("source"), drawn))


def in_python(context):
    known = {key: Feature(**feature) for key, feature in context["features"].items()}
    asked = EvaluationContext(
        user=UserContext(attributes=context["attributes"]),
        global_ctx=GlobalContext(options=Options(), features=known, saved_groups=context["savedGroups"]),
        stack=StackContext(evaluated_features=set()),
    )
    try:
        return shown(eval_feature("f", asked).to_dict())
    except Exception as error:
        return f"raised {error!r}"
