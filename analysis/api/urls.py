"""Addresses of the REST API: every operation, and the document that describes them."""

from functools import cache

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_GET

from analysis.api import (
    alerts,
    beside,
    bots,
    decisions,
    deliveries,
    digests,
    drift,
    evidence,
    experiments,
    identities,
    joining,
    metrics,
    overview,
    past,
    quality,
    recipients,
    refreshes,
    scores,
    webhooks,
)
from experiments.api import table
from experiments.api.answers import etag_of, json_answer
from experiments.api.dispatch import patterns
from experiments.api.document import document

OPERATIONS = [
    *experiments.OPERATIONS,
    *beside.OPERATIONS,
    *metrics.OPERATIONS,
    *refreshes.OPERATIONS,
    *decisions.OPERATIONS,
    *evidence.OPERATIONS,
    *past.OPERATIONS,
    *scores.OPERATIONS,
    *drift.OPERATIONS,
    *digests.OPERATIONS,
    *quality.OPERATIONS,
    *bots.OPERATIONS,
    *identities.OPERATIONS,
    *joining.OPERATIONS,
    *recipients.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *alerts.OPERATIONS,
    *overview.OPERATIONS,
    *table.OPERATIONS,
]


@require_GET
def described(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  (a view's signature)
    """Return the OpenAPI document, for which nobody needs a key."""
    response = json_answer(_document())
    response["ETag"] = etag_of(_document())
    response["Cache-Control"] = "public, max-age=300"
    return response


@cache
def _document() -> bytes:
    return msgspec.json.encode(document(OPERATIONS))


urlpatterns: list[URLPattern] = [path("api/v1/openapi.json", described, name="api_document"), *patterns(OPERATIONS)]
