"""The OpenAPI 3.1 document, made from the table of operations and the types that the code itself reads and writes."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from experiments.api.answers import ErrorAnswer
from experiments.api.operations import NUMBERS, ROOT, Operation

JSON = "application/json"
FILE = "application/octet-stream"
FORM = "multipart/form-data"
PARAMETER = re.compile(r"{(\w+)}")
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON, or the cursor is none of this list",
    HTTPStatus.UNAUTHORIZED: "No key, or one that is not in force",
    HTTPStatus.FORBIDDEN: "The key lacks the scope",
    HTTPStatus.NOT_FOUND: "There is none in the key's project",
    HTTPStatus.METHOD_NOT_ALLOWED: "Another method is",
    HTTPStatus.CONFLICT: "It does not fit what is there, or what is there was changed since it was read",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not said to be JSON",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value is missing, unknown or wrong; field says which",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document of these operations."""
    found = (kind for one in operations for kind in (one.takes, one.answers, one.form) if kind)
    types: set[type[Struct]] = {ErrorAnswer, *found}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(ROOT + one.path, {})[one.method.lower()] = _operation(one, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Truelift", "version": "1", "description": "Everything that the pages do, for programs."},
        "paths": paths,
        "security": [{"bearer": []}, {"header": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(one: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _identity(one),
        "summary": one.summary,
        "description": f"Needs a key with the scope {one.needs.value}.",
        "tags": [one.tag],
        "parameters": [*_in_path(one), *_in_query(one), *_in_header(one)],
        "responses": _responses(one, refs),
    }
    if one.takes is not None:
        required = any(field.required for field in msgspec.structs.fields(one.takes))
        described["requestBody"] = {"required": required, "content": {JSON: {"schema": refs[one.takes]}}}
    if one.takes_file:
        described["requestBody"] = {"required": True, "content": {FILE: {"schema": {"type": "string"}}}}
    if one.form is not None:
        described["requestBody"] = {"required": True, "content": {FORM: {"schema": refs[one.form]}}}
    return described


def _identity(one: Operation) -> str:
    words = PARAMETER.sub("", one.path).replace("/", " ").replace("-", " ").split()
    of_one = "_one" if one.path.endswith("}") else ""
    return "_".join([one.method.lower(), *words]) + of_one


def _in_path(one: Operation) -> list[dict[str, Any]]:
    number, key = {"type": "integer", "minimum": 0}, {"type": "string"}
    return [
        {"name": name, "in": "path", "required": True, "schema": number if name in NUMBERS else key}
        for name in PARAMETER.findall(one.path)
    ]


def _in_query(one: Operation) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    schema = msgspec.json.schema(one.query, ref_template="#/components/schemas/{name}")
    properties = schema["$defs"][one.query.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": shape} for name, shape in properties.items()]


def _in_header(one: Operation) -> list[dict[str, Any]]:
    names = []
    if one.method == "GET":
        names.append(("If-None-Match", "The ETag that you have: 304 where it is still so"))
    if one.current is not None:
        names.append(("If-Match", "The ETag that you read: 409 where it was changed since"))
    if one.writes and one.method == "POST":
        names.append(("Idempotency-Key", "Done once for each, however often it is sent within a day"))
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in names
    ]


def _responses(one: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": one.summary}
    if one.answers is not None:
        success["content"] = {JSON: {"schema": refs[one.answers]}}
    responses = {str(one.status.value): success}
    if one.method == "GET":
        responses["304"] = {"description": "You have it already"}
    error = {JSON: {"schema": refs[ErrorAnswer]}}
    return responses | {
        str(status.value): {"description": text, "content": error} for status, text in _refusals(one).items()
    }


def _refusals(one: Operation) -> dict[HTTPStatus, str]:
    left_out = set()
    named = {field.name for shape in (one.takes, one.query) if shape for field in fields(shape)}
    if "{" not in one.path and not named & {"experiment", "experiments", "portfolio"}:
        left_out.add(HTTPStatus.NOT_FOUND)
    return {status: text for status, text in REFUSALS.items() if status not in left_out}
