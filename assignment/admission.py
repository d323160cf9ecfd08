"""Who may ask the evaluating doors, and of which environment."""

from collections.abc import Mapping

from assignment.context import RequestError
from assignment.edge import Edge
from assignment.table import Opened, Table
from assignment.wire import presented_key
from experiments.domain.access import Scope


def admitted(edge: Edge, headers: Mapping[str, str], scope: Scope) -> tuple[Table, Opened]:
    """Return the table, and what the request's key opens in it.

    Raises
    ------
    RequestError
        503 before the first snapshot, 401 without a good key, 403 for a key without the scope.
    """
    table = edge.table
    if table is None:
        raise RequestError(
            "GENERAL", "No snapshot has been loaded yet; try again.", status=503, headers=[("retry-after", "1")]
        )
    key = presented_key(headers)
    opened = table.opened(key) if key else None
    if opened is None:
        raise _unauthorised(headers)
    if not opened.grant.allows(scope):
        raise RequestError(
            "GENERAL",
            f"The API key has the scopes: {_listed(opened.grant.scopes)}. Make one with {scope.value}.",
            status=403,
        )
    return table, opened


def _unauthorised(headers: Mapping[str, str]) -> RequestError:
    details = (
        "The API key is unknown or revoked."
        if presented_key(headers)
        else "There is no API key. Send it as Authorization: Bearer <key> or as X-API-Key."
    )
    return RequestError("GENERAL", details, status=401, headers=[("www-authenticate", "Bearer")])


def _listed(scopes: frozenset[Scope]) -> str:
    return ", ".join(sorted(scope.value for scope in scopes)) or "none"
