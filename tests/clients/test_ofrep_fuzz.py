"""The OFREP door against its own OpenAPI document, with requests that schemathesis makes up."""

import copy
import os

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from tests.assignment.contract import DOCUMENT, MISSING, _document

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = int(os.environ.get("TRUELIFT_EXAMPLES", "20"))


@pytest.fixture(scope="module")
def document() -> dict:
    if not DOCUMENT.exists():
        pytest.skip(MISSING)
    described = copy.deepcopy(_document())
    for path in described["paths"].values():
        # HTTP's own refusals, which the document leaves to HTTP; a body of theirs is held to the shape of an error.
        path["post"]["responses"] |= {"405": {"description": "not POST"}, "413": {"description": "too large"},
                                      "415": {"description": "an encoding that is not gzip"}}  # fmt: skip
    named = described["paths"]["/ofrep/v1/evaluate/flags/{key}"]["post"]["parameters"]
    next(one for one in named if one.get("name") == "key")["schema"] = {"enum": ["new-ranker", "missing", "a b"]}
    return described


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", ["/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"])
def test_ofrep__any_request__is_answered_as_the_document_says(world, document, path, mode):
    schema = schemathesis.openapi.from_dict(document)
    operation = schema[path]["POST"]
    statuses = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
    )
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=world.server.url, headers={"Authorization": f"Bearer {world.key}"})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    ask()
    # A run that never gets as far as an answer, or never sends anything wrong, would say little.
    assert {200} <= statuses if mode is GenerationMode.POSITIVE else {400} <= statuses
    assert httpx.get(f"{world.server.url}/healthz").status_code == 200
