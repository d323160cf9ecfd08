"""The definition that a client evaluates: fetched, checked, compiled, and kept on disk for a start without network."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from assignment.engine.program import Program, compile_features
from assignment.engine.sdk.decrypting import SECTIONS, decrypt_payload
from assignment.engine.sdk.values import mapping


class ClientError(Exception):
    """The definition cannot be had; the message says what was got and what to do."""


class Definition(Struct, frozen=True, kw_only=True):
    """A compiled feature document and when it became what it is."""

    program: Program
    date_updated: str
    source: bytes


def read_definition(source: bytes, decryption_key: str = "") -> Definition:
    """Return a payload of the server as a definition.

    Raises
    ------
    ClientError
        When it is no payload, or encrypted by another key than the one given.
    """
    try:
        payload = msgspec.json.decode(source)
    except msgspec.DecodeError as error:
        raise ClientError(f"The server's answer is not JSON ({error}). Is the address one of Truelift?") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("features"), dict):
        raise ClientError("The server's answer holds no features. Is the address one of Truelift?")
    return Definition(
        program=_compiled(payload, decryption_key),
        date_updated=str(payload.get("dateUpdated", "")),
        source=source,
    )


def _compiled(payload: dict[str, Any], decryption_key: str) -> Program:
    if any(payload.get(name) for name in SECTIONS.values()):
        if not decryption_key:
            raise ClientError("The definition is encrypted: give the key's encryption key as decryption_key.")
        opened = decrypt_payload(payload, decryption_key)
        if opened is None:
            raise ClientError("The definition cannot be decrypted: decryption_key is not this key's encryption key.")
        payload = opened
    return compile_features(
        mapping(payload.get("features")), mapping(payload.get("savedGroups")), mapping(payload.get("contextualBandits"))
    )


class Fetcher:
    """Asks the server for the definition, and for nothing when it has not changed."""

    def __init__(self, url: str, key: str, decryption_key: str, http: httpx.Client) -> None:
        # The key goes into a header: addresses end in logs, those of proxies and of the HTTP library among them.
        self._address = f"{url.rstrip('/')}/api/features/"
        self._headers = {"authorization": f"Bearer {key}"}
        self._decryption_key = decryption_key
        self._http = http
        self._etag = ""

    def fetch(self) -> Definition | None:
        """Return the definition, or None when it is still the one that was returned last.

        Raises
        ------
        ClientError
            When the server cannot be reached, refuses the key or sends something else.
        """
        headers = {**self._headers, "if-none-match": self._etag} if self._etag else self._headers
        try:
            answer = self._http.get(self._address, headers=headers)
        except (httpx.TransportError, OSError) as error:
            raise ClientError(f"The server cannot be reached: {error or type(error).__name__}.") from error
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return None
        if answer.status_code != httpx.codes.OK:
            raise ClientError(f"The server answered {answer.status_code}: {_reason(answer)}")
        found = read_definition(answer.content, self._decryption_key)
        self._etag = answer.headers.get("etag", "")
        return found


def _reason(answer: httpx.Response) -> str:
    try:
        return str(mapping(answer.json()).get("error") or answer.text[:200])
    except ValueError:
        return answer.text[:200]


def load(path: Path, decryption_key: str) -> Definition | None:
    """Return the definition that was kept on disk, or None where there is none that can be read."""
    try:
        return read_definition(path.read_bytes(), decryption_key)
    except (OSError, ClientError):
        return None


def keep(path: Path, definition: Definition) -> None:
    """Keep the definition on disk, whole or not at all; a full disk costs nothing but the copy."""
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(definition.source)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
