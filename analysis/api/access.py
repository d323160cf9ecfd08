"""Who may ask the API: the holder of a project's key with the scope ``read``."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from analysis.api.answers import ApiError, refusal
from experiments.domain.access import Scope
from experiments.keys import digest
from experiments.models import ApiKey, Experiment, Project

View = Callable[..., HttpResponse]


def with_key(*methods: str) -> Callable[[View], View]:
    """Give a view the key's project instead of a user; refuse other methods and answer every ``ApiError`` as JSON."""

    def decorate(view: View) -> View:
        @csrf_exempt  # no cookie is read here, so none can be abused
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            try:
                project = project_of(request)
                if request.method not in methods:
                    return _wrong_method(request, methods)
                return view(request, project, *args, **kwargs)
            except ApiError as error:
                return refusal(error)

        return guarded

    return decorate


def project_of(request: HttpRequest) -> Project:
    """Return the project that the request's key opens for reading.

    Raises:
        ApiError: 401 without a key that is in force, 403 without the scope ``read``.
    """
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise ApiError(
            HTTPStatus.UNAUTHORIZED, "key_missing", "Send the header 'Authorization: Bearer <key>' with a key of yours."
        )
    key = ApiKey.objects.select_related("project").filter(digest=digest(plain.strip()), revoked_at__isnull=True).first()
    if key is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED, "key_unknown", "This key does not exist or was revoked; make one on the keys page."
        )
    if Scope.READ.value not in key.scopes:
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "scope_missing",
            f"This key may {' and '.join(key.scopes)}; results need a key with the scope {Scope.READ.value}.",
        )
    return key.project


def experiment_of(project: Project, key: str) -> Experiment:
    """Return an experiment of the project.

    Raises:
        ApiError: 404 when the project has none of this key.
    """
    experiment = Experiment.objects.filter(project=project, key=key).first()
    if experiment is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"Project {project.slug} has no experiment {key!r}.")
    experiment.project = project
    return experiment


def _wrong_method(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse:
    allowed = ", ".join(methods)
    response = refusal(
        ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            f"{request.method} is not possible here, only {allowed}.",
        )
    )
    response["Allow"] = allowed
    return response
