"""Register a model version from a training job: one call, which may be repeated."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import httpx

from assignment.client.definition import ClientError

ATTEMPTS = 4
FIRST_PAUSE = 0.5
TIMEOUT_SECONDS = 30.0
_PASSES = frozenset((408, 425, 429, 500, 502, 503, 504))

Measured = float | Mapping[str, Any]


def register_model(
    name: str,
    version: str,
    *,
    metrics: Mapping[str, Measured] | Sequence[Mapping[str, Any]] = (),
    parent: str | None = None,
    owner: str | None = None,
    artefact: str | None = None,
    trained_from: date | str | None = None,
    trained_until: date | str | None = None,
    status: str | None = None,
    notes: str | None = None,
    url: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Register a version, or bring it up to date where it is there already; sent again it changes nothing.

    Parameters
    ----------
    name, version
        Of the model, such as ``"ranker"`` and ``"v9"``.
    metrics
        Offline metrics by name: a number, or a mapping with ``value`` and any of ``low``, ``high`` (the 95 % interval),
        ``method``, ``evaluation_set``, ``size`` and ``direction``. A list of mappings with ``name`` takes one metric on
        several evaluation sets. Metrics that are registered and not given here stay.
    parent
        The version of the same model that it was made from.
    owner, artefact, trained_from, trained_until, status, notes
        What else is known; None leaves it as it is. ``trained_until`` is the first day after the data.
    url, key
        The server's address and an API key with the scope *write*; else TRUELIFT_URL and TRUELIFT_KEY say them.

    Returns
    -------
    dict
        The version as the REST API shows it.

    Raises
    ------
    ClientError
        When the server refuses, or does not answer within some attempts. The message says why.
    """
    body: dict[str, Any] = {"name": name, "version": version, "metrics": list(_metrics(metrics))}
    said = {
        "parent": parent, "owner": owner, "artefact": artefact, "trained_from": _day(trained_from),
        "trained_until": _day(trained_until), "status": status, "notes": notes,
    }  # fmt: skip
    body |= {field: value for field, value in said.items() if value is not None}
    return _put("/api/v1/model-versions", body, _address(url), _key(key))


def _metrics(given: Mapping[str, Measured] | Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    if not isinstance(given, Mapping):
        yield from (dict(one) for one in given)
        return
    for name, measured in given.items():
        # A number of numpy or torch is no float, but becomes one.
        value = dict(measured) if isinstance(measured, Mapping) else {"value": float(measured)}
        yield {"name": name, **value}


def _day(given: date | str | None) -> str | None:
    return given.isoformat()[:10] if isinstance(given, date) else given


def _address(url: str) -> str:
    found = url or os.environ.get("TRUELIFT_URL", "")
    if not found.startswith(("http://", "https://")):
        raise ClientError(f"url is {found!r}; give the server's address, or set TRUELIFT_URL to it.")
    return found.rstrip("/")


def _key(key: str) -> str:
    found = key or os.environ.get("TRUELIFT_KEY", "")
    if not found:
        raise ClientError("key is empty; give an API key with the scope write, or set TRUELIFT_KEY to it.")
    return found


def _put(path: str, body: dict[str, Any], url: str, key: str) -> dict[str, Any]:
    last = ""
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers={"authorization": f"Bearer {key}"}) as http:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            try:
                answer = http.put(f"{url}{path}", json=body)
            except httpx.TransportError as error:
                last = f"{url} does not answer: {error}"
                continue
            if answer.is_success:
                return _read(answer)
            last = _refusal(answer)
            if answer.status_code not in _PASSES:
                break
    raise ClientError(f"{body['name']} {body['version']} was not registered. {last}")


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClientError(f"{answer.url.host} answered without a version; is that a Truelift server?")
    return found


def _refusal(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["error"]
        return str(detail["message"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered {answer.status_code}."
