"""Post a stored message to its webhook, and tell apart what may be tried again (``outbox.failures``)."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx
import msgspec
from django.conf import settings
from django.utils import timezone

from analysis import sealing
from analysis.models import OutboxMessage, Webhook
from analysis.outbox.failures import DeliveryError, Lost, Refused, TryLater
from analysis.webhooks import addresses, signing

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
WHOLE_SECONDS = 20.0
MOST_ANSWER = 4096
SHOWN_ANSWER = 160
AGAIN = frozenset({408, 425, 429})
GONE = frozenset({404, 410})
"""404 is what Slack and Teams say of an address that was removed, and 410 what the standard asks for."""


class Line:
    """One HTTP client for a pass over the outbox. ``tired`` holds webhooks that did not answer in this pass."""

    def __init__(self) -> None:
        self._client: httpx.Client | None = None
        self.tired: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, message: OutboxMessage) -> int:
        """Post one message and return the status, or raise what became of it."""
        hook = message.webhook
        if hook is None:
            raise Refused("The webhook of this message was removed.")
        try:
            return self._post(hook, message)
        except (TryLater, Lost):
            self.tired.add(hook.pk)
            raise

    def _post(self, hook: Webhook, message: OutboxMessage) -> int:
        target, ips = _where(hook)
        body = msgspec.json.encode(message.payload)
        request = self._request(target, ips[0], body, _headers(hook, message.message_id, body))
        try:
            status, said, headers = self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise TryLater(f"{target.host} cannot be reached: {error}") from error
        except httpx.TransportError as error:
            raise Lost(f"{type(error).__name__}: {error}") from error
        if 200 <= status < 300:
            return status
        raise _verdict(target, status, said, headers)

    def _request(self, target: addresses.Target, ip: str, body: bytes, headers: dict[str, str]) -> httpx.Request:
        client = self._opened()
        whole = httpx.URL(target.url)
        # To the address that was checked, and as the host that was meant: TLS verifies the name.
        return client.build_request(
            "POST",
            whole.copy_with(host=ip),
            content=body,
            headers={**headers, "Host": whole.netloc.decode()},
            extensions={"sni_hostname": target.host},
        )

    def _exchange(self, request: httpx.Request) -> tuple[int, str, httpx.Headers]:
        until = time.monotonic() + WHOLE_SECONDS
        answer = self._opened().send(request, stream=True)
        try:
            said = b""
            for chunk in answer.iter_raw(1024):
                said += chunk
                if len(said) >= MOST_ANSWER or time.monotonic() > until:
                    break
            return answer.status_code, said.decode("utf-8", "replace"), answer.headers
        finally:
            answer.close()

    def _opened(self) -> httpx.Client:
        if self._client is None:
            # Environment proxies would resolve the name again, past the check.
            self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)
        return self._client


def may_repeat(message: OutboxMessage) -> bool:
    """Say whether the receiver knows by its id a message that comes twice, so that a lost one may be sent again."""
    return message.webhook is not None and message.webhook.kind == Webhook.Kind.GENERIC


def keys_of(hook: Webhook, now: datetime) -> list[str]:
    """Return the secrets that sign now: the new one, and while it is being rotated the old one."""
    keys = [sealing.unseal(hook.sealed_secret)]
    if hook.sealed_old_secret and hook.old_secret_until is not None and hook.old_secret_until > now:
        keys.append(sealing.unseal(hook.sealed_old_secret))
    return keys


def _where(hook: Webhook) -> tuple[addresses.Target, list[str]]:
    private = settings.WEBHOOK_PRIVATE
    try:
        target = addresses.parse(sealing.unseal(hook.sealed_url), private_allowed=private)
        return target, addresses.resolve(target, private_allowed=private)
    except (addresses.AddressError, sealing.SealedError) as error:
        raise Refused(str(error)) from error
    except addresses.UnresolvedError as error:
        raise TryLater(str(error)) from error


def _headers(hook: Webhook, message_id: str, body: bytes) -> dict[str, str]:
    plain = {"Content-Type": "application/json", "User-Agent": "Truelift"}
    if hook.kind != Webhook.Kind.GENERIC:
        return plain
    now = timezone.now()
    try:
        return plain | signing.headers(keys_of(hook, now), message_id, int(now.timestamp()), body)
    except sealing.SealedError as error:
        raise Refused(f"The secret cannot be read. {error}") from error


def _verdict(target: addresses.Target, status: int, said: str, headers: httpx.Headers) -> DeliveryError:
    words = " ".join(said.split())[:SHOWN_ANSWER]
    answered = f"{target.host} answered {status}{': ' + words if words else ''}"
    if 300 <= status < 400:
        return Refused(f"{answered}. Redirects are not followed; enter the address that it leads to.", code=status)
    if status in AGAIN or status >= 500:
        return TryLater(answered, code=status, after=_retry_after(headers.get("Retry-After", "")))
    return Refused(answered, code=status, is_gone=status in GONE)


def _retry_after(value: str) -> timedelta | None:
    """Return how long the other side asks to wait: seconds or a date; None where it says neither."""
    if value.isascii() and value.isdecimal():
        return timedelta(seconds=min(int(value), 86_400))
    try:
        return max(timedelta(0), parsedate_to_datetime(value) - datetime.now(UTC))
    except (ValueError, TypeError):
        return None
