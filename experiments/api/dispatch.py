"""From a request to an operation and back: the key, the body, one transaction a change, the ETag, the refusal."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt

from experiments import audit
from experiments.api import idempotency
from experiments.api.access import key_of
from experiments.api.answers import ApiError, bad_value, conflict, etag_of, json_answer, refusal
from experiments.api.bodies import LARGEST_BODY, LARGEST_FILE, converted, decoded, read_body, refuse_other_type
from experiments.api.operations import NUMBERS, ROOT, Call, Operation
from experiments.api.refusing import as_api_error
from experiments.names import lock_names
from experiments.refusals import RefusedError
from experiments.setup import PlanError

View = Callable[..., HttpResponse]


def patterns(operations: Sequence[Operation]) -> list[URLPattern]:
    """Return one address pattern a path, numbers and fixed words before keys."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [path(_route(one), _view(by_path[one])) for one in sorted(by_path, key=lambda one: ("{" in one, one))]


def _route(template: str) -> str:
    parts = template.removeprefix("/").split("/")
    named = (f"<{'int' if part[1:-1] in NUMBERS else 'str'}:{part[1:-1]}>" if "{" in part else part for part in parts)
    return f"{ROOT.removeprefix('/')}/{'/'.join(named)}"


def _view(operations: Sequence[Operation]) -> View:
    by_method = {operation.method: operation for operation in operations}

    @csrf_exempt  # no cookie is read here, so none can be abused
    def view(request: HttpRequest, **args: object) -> HttpResponse:
        operation = by_method.get(request.method or "")
        if operation is None:
            return _wrong_method(request, sorted(by_method))
        try:
            return _answered(operation, request, args)
        except (RefusedError, PlanError) as error:
            return refusal(as_api_error(error))
        except ApiError as error:
            return refusal(error)

    return view


def _answered(operation: Operation, request: HttpRequest, args: dict[str, object]) -> HttpResponse:
    if operation.apart:
        return _apart(operation, request, args)
    body = read_body(request, LARGEST_FILE if operation.takes_file else LARGEST_BODY)
    call = Call(request=request, key=key_of(request, operation.needs), args=args)
    if operation.query is not None:
        call.query = converted(request.GET.dict(), operation.query)
    if operation.writes:
        return _changed(operation, call, body)
    response = _response(operation, operation.handle(call))
    return _unchanged(request, response) or response


def _apart(operation: Operation, request: HttpRequest, args: dict[str, object]) -> HttpResponse:
    """Answer what reads its own body, or waits for others and must hold no lock meanwhile."""
    call = Call(request=request, key=key_of(request, operation.needs), args=args)
    if operation.takes is None:
        return _response(operation, operation.handle(call))
    body = read_body(request)
    if body:
        refuse_other_type(request)
    return _response(operation, operation.handle(call, decoded(body, operation.takes)))


def _changed(operation: Operation, call: Call, body: bytes) -> HttpResponse:
    taken: tuple[object, ...] = (body,) if operation.takes_file else ()
    if operation.takes is not None:
        if body:
            refuse_other_type(call.request)
        taken = (decoded(body, operation.takes),)
    with transaction.atomic(), audit.by_key(call.key.name):
        lock_names(call.project)  # changes of one project come one after the other, and so do repeated requests
        once = idempotency.asked_for(call.request, call.key, body)
        if once is not None and (stored := idempotency.recall(once)):
            return stored
        _refuse_stale(operation, call)
        response = _response(operation, operation.handle(call, *taken))
        if once is not None:
            idempotency.remember(once, response)
    return response


def _response(operation: Operation, made: object) -> HttpResponse:
    if isinstance(made, HttpResponse):
        return made
    if made is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    body = msgspec.json.encode(made)
    response = json_answer(body, operation.status)
    response["ETag"] = etag_of(body)
    return response


def _refuse_stale(operation: Operation, call: Call) -> None:
    header = call.request.headers.get("If-Match")
    if operation.current is None or header is None:
        return
    wanted = _etags(header)
    if not wanted:
        raise bad_value('If-Match holds no ETag; it is one in quotes, as the answer gave it: "…".', "If-Match")
    if "*" in wanted:
        return
    if etag_of(msgspec.json.encode(operation.current(call))) not in wanted:
        raise conflict("This was changed after you read it. Read it again, then repeat your change.", "stale")


def _unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse | None:
    """Return a 304 where the client has this answer already."""
    if response.status_code != HTTPStatus.OK or not response.has_header("ETag"):
        return None
    known = _etags(request.headers.get("If-None-Match", ""))
    if response["ETag"] not in known and "*" not in known:
        return None
    unchanged = HttpResponse(status=HTTPStatus.NOT_MODIFIED)
    for name in ("ETag", "Cache-Control"):
        unchanged[name] = response[name]
    return unchanged


def _etags(header: str) -> set[str]:
    # A proxy that compresses makes a strong tag weak; the representation is the same.
    return {tag.removeprefix("W/") for tag in parse_etags(header)}


def _wrong_method(request: HttpRequest, allowed: Sequence[str]) -> HttpResponse:
    names = ", ".join(allowed)
    message = f"{str(request.method)[:20]} is not possible here, only {names}."
    response = refusal(ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message))
    response["Allow"] = names
    return response
