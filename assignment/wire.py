"""What the doors share: how an answer looks, which key is presented, and whether the client has the answer already."""

from collections.abc import Mapping

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
"""Status, headers and body of a response."""

JSON = ("content-type", "application/json")
BEARER = "bearer "


def presented_key(headers: Mapping[str, str]) -> str | None:
    """Return the API key of a request, from ``Authorization: Bearer`` or ``X-API-Key``, or None."""
    authorization = headers.get("authorization", "")
    if authorization[: len(BEARER)].lower() == BEARER:
        return authorization[len(BEARER) :].strip() or None
    return headers.get("x-api-key", "").strip() or None


def key_of(path: str, prefix: str, headers: Mapping[str, str]) -> str:
    """Return the key that stands in the address behind ``prefix``, or else in the headers, where no log sees it."""
    return path.removeprefix(prefix).rstrip("/") or presented_key(headers) or ""


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Say whether a client already holds the answer with this entity tag (weak comparison, RFC 9110, 13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    offered = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (etag, etag.strip('"')) for tag in offered)
