"""Check answers against OFREP's own OpenAPI document, where it is at hand."""

import copy
from functools import cache
from typing import Any

import jsonschema
import yaml

from assignment.ofrep import FLAGS
from config.paths import REPOSITORY

DOCUMENT = REPOSITORY.parent / "shared" / "conformance" / "ofrep" / "openapi.yaml"
MISSING = f"OFREP's OpenAPI document is not at {DOCUMENT}"


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    # Read strictly, "one of boolean, string, …, code default" admits no value at all: the code default's schema has
    # no constraint and every whole number is also a number. "Any of" is what it means.
    success = document["components"]["schemas"]["evaluationSuccess"]
    success["allOf"] = [{"anyOf": part["oneOf"]} if "oneOf" in part else part for part in success["allOf"]]
    return document


@cache
def _validator(bulk: bool, status: int) -> jsonschema.Draft202012Validator | None:
    document = _document()
    path = FLAGS if bulk else FLAGS + "/{key}"
    described = document["paths"][path]["post"]["responses"].get(str(status), {}).get("content")
    if described is None:
        return None
    schema = copy.deepcopy(described["application/json"]["schema"])
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def describes(path: str, status: int) -> bool:
    """Say whether the document has a schema for this answer."""
    described = path == FLAGS or path.startswith(FLAGS + "/")
    return DOCUMENT.exists() and described and _validator(path == FLAGS, status) is not None


def check(path: str, status: int, body: Any) -> None:
    """Fail when an answer is not as the document describes it; what it does not describe passes."""
    if describes(path, status):
        validator = _validator(path == FLAGS, status)
        assert validator is not None
        validator.validate(body)
