"""A client of the REST API that holds each answer to the OpenAPI document."""

import re
from typing import Any

import jsonschema
import msgspec
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analysis.api.urls import OPERATIONS
from experiments.api.document import document
from experiments.api.operations import ROOT

DOCUMENT = document(OPERATIONS)
PLACES = [
    (re.compile(re.sub(r"{\w*id}", r"\\d+", re.sub(r"{(?!\w*id})\w+}", "[^/]+", path))), path)
    for path in sorted(DOCUMENT["paths"], key=lambda path: ("{" in path, path))
]


class Api:
    """Asks with one key; ``done`` remembers which operations succeeded."""

    def __init__(self, plain: str = "") -> None:
        self.client = Client()
        self.headers = {"authorization": f"Bearer {plain}"} if plain else {}
        self.done: set[tuple[str, str]] = set()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask, hold the answer to the document, and return it."""
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.generic(method, f"{ROOT}{path}", **_encoded(sent), headers={**self.headers, **names})
        self.check(method, path.partition("?")[0], response)
        return response

    def upload(self, path: str, file: bytes, file_name: str = "scores.csv", /, **fields: str) -> Any:
        """Send a file in a form, hold the answer to the document, and return it."""
        sent = {**fields, "file": SimpleUploadedFile(file_name, file)}
        response = self.client.post(f"{ROOT}{path}", sent, headers=self.headers)
        self.check("POST", path, response)
        return response

    def check(self, method: str, path: str, response: Any) -> None:
        place = next(template for pattern, template in PLACES if pattern.fullmatch(ROOT + path))
        described = DOCUMENT["paths"][place].get(method.lower())
        if described is None:
            assert response.status_code == 405
            return
        assert str(response.status_code) in described["responses"], (method, path, response.status_code)
        content = described["responses"][str(response.status_code)].get("content")
        if content is None:
            assert not response.content
        else:
            schema = {**content["application/json"]["schema"], "components": DOCUMENT["components"]}
            jsonschema.Draft202012Validator(schema).validate(response.json())
        if response.status_code < 300:
            self.done.add((method, place.removeprefix(ROOT)))

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask for what must succeed, and return its JSON."""
        response = self(method, path, body, **headers)
        assert response.status_code < 300, response.content
        return response.json() if response.content else None


def _encoded(sent: dict[str, Any]) -> dict[str, Any]:
    if "data" in sent and not isinstance(sent["data"], (bytes, str)):
        sent["data"] = msgspec.json.encode(sent["data"])
    return sent


def error(response: Any) -> tuple[int, str, str | None]:
    """Return a refusal's status, word and field."""
    detail = response.json()["error"]
    return response.status_code, detail["code"], detail.get("field")
