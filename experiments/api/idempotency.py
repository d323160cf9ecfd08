"""Idempotency-Key: what a client sends twice because it saw no answer is done once, and answered alike."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from experiments.api.answers import bad_value, json_answer
from experiments.models import ApiKey, IdempotentAnswer

KEPT = timedelta(hours=24)
LONGEST = 255
HEADERS = ("ETag", "Location")


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A request that is to be done once: whose, under which name, and what it asks."""

    key: ApiKey
    name: str
    fingerprint: str


def asked_for(request: HttpRequest, key: ApiKey, body: bytes) -> Once | None:
    """Return what the request's Idempotency-Key asks for, or None where it has none or is no POST."""
    name = request.headers.get("Idempotency-Key")
    if name is None or request.method != "POST":
        return None
    if not 0 < len(name) <= LONGEST or not name.isprintable():
        raise bad_value(f"An Idempotency-Key has 1 to {LONGEST} characters that can be printed.", "Idempotency-Key")
    asked = b"\n".join([request.get_full_path().encode(), body])
    return Once(key=key, name=name, fingerprint=hashlib.sha256(asked).hexdigest())


def recall(once: Once) -> HttpResponse | None:
    """Return the answer that the same request got, if it was done within the last day.

    Call it under ``lock_names``: two at once come here one after the other.

    Raises
    ------
    ApiError
        422 when the same key came with another request.
    """
    oldest = timezone.now() - KEPT
    found = IdempotentAnswer.objects.filter(api_key=once.key, name=once.name, created_at__gt=oldest).first()
    if found is None:
        return None
    if found.fingerprint != once.fingerprint:
        message = "This Idempotency-Key was used for another request; take a new one for each."
        raise bad_value(message, "Idempotency-Key")
    response = json_answer(found.body.encode(), found.status) if found.body else HttpResponse(status=found.status)
    for header, value in found.headers.items():
        response[header] = value
    response["Idempotent-Replayed"] = "true"
    return response


def remember(once: Once, response: HttpResponse) -> None:
    """Keep the answer. What was refused changed nothing, so it is not kept and may be tried again."""
    IdempotentAnswer.objects.update_or_create(
        api_key=once.key,
        name=once.name,
        defaults={
            "fingerprint": once.fingerprint,
            "status": response.status_code,
            "body": response.content.decode(),
            "headers": {name: response[name] for name in HEADERS if response.has_header(name)},
            "created_at": timezone.now(),
        },
    )


def forget(now: datetime) -> int:
    """Delete answers that are older than a day; return how many."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lte=now - KEPT).delete()
    return deleted
