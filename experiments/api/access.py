"""Who may ask the API: the holder of a project's key with the scope that the operation needs."""

from http import HTTPStatus

from django.http import HttpRequest

from experiments.api.answers import ApiError
from experiments.domain.access import Scope
from experiments.keys import digest
from experiments.models import ApiKey


def key_of(request: HttpRequest, scope: Scope) -> ApiKey:
    """Return the request's key with its project.

    Raises
    ------
    ApiError
        401 without a key that is in force, 403 where it lacks the scope.
    """
    plain = _plain(request)
    if not plain:
        message = "Send the header 'Authorization: Bearer <key>' or 'X-API-Key: <key>' with a key of yours."
        raise ApiError(HTTPStatus.UNAUTHORIZED, "key_missing", message)
    key = ApiKey.objects.select_related("project").filter(digest=digest(plain), revoked_at__isnull=True).first()
    if key is None:
        message = "This key does not exist or was revoked; make one on the keys page."
        raise ApiError(HTTPStatus.UNAUTHORIZED, "key_unknown", message)
    if scope.value not in key.scopes:
        message = f"This key may {' and '.join(key.scopes)}; this needs a key with the scope {scope.value}."
        raise ApiError(HTTPStatus.FORBIDDEN, "scope_missing", message)
    return key


def _plain(request: HttpRequest) -> str:
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return plain.strip()
    return request.headers.get("X-API-Key", "").strip()
