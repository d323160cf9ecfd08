"""The REST API against its own OpenAPI document, with requests that schemathesis makes up, on a running server."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from analysis.api.urls import OPERATIONS
from experiments.api.document import document
from experiments.api.operations import ROOT

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 3
KNOWN = {"experiments": ["draft", "running", "missing"], "flags": ["checkout", "missing", "a b"]}


@pytest.fixture(scope="module")
def schema():
    described = document(OPERATIONS)
    for path, methods in described["paths"].items():
        for one in methods.values():
            for parameter in one["parameters"]:
                # Most made-up keys name nothing; these lead further in.
                if parameter["name"] == "key" and (known := KNOWN.get(path.split("/")[3])):
                    parameter["schema"] = {"enum": known}
    return schemathesis.openapi.from_dict(described)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_rest__any_request__is_answered_as_the_document_says(rest, schema, mode):
    statuses: set[int] = set()
    for one in OPERATIONS:
        _fuzz(rest, schema[ROOT + one.path][one.method], mode, statuses)
    # A run that never gets as far as an answer, or never sends anything wrong, would say little.
    assert {200, 201, 404} <= statuses if mode is GenerationMode.POSITIVE else {422} <= statuses
    assert httpx.get(f"{rest.server.url}/healthz").status_code == 200


def _fuzz(rest, operation, mode, statuses: set[int]) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
    )
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=rest.server.url, headers={"Authorization": f"Bearer {rest.key}"})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    ask()
