"""Short-lived tokens for addresses: a browser's event stream sends no headers, and a key must not stand in a log."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

import msgspec
from msgspec import Struct

from experiments.domain.environments import Environment

PERIOD_SECONDS = 1800
PERIODS = 2
_PURPOSE = b"truelift event stream token"
_SIGNATURE_BYTES = 16


class Stream(Struct, frozen=True, array_like=True):
    """What a token opens: the changes of one environment, until the end of ``last_period``."""

    project_id: int
    environment: Environment
    last_period: int


_decoder = msgspec.json.Decoder(Stream)


class Tokens:
    """Signs and reads tokens with a key derived from the installation's secret.

    Within one period of half an hour everyone gets the same token for an environment, and it is good for that period
    and the next one: whoever asks again at least twice an hour always holds a good one.
    """

    def __init__(self, secret: str, clock: Callable[[], float]) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
        self._clock = clock

    @property
    def period(self) -> int:
        """The number of the present period."""
        return int(self._clock() // PERIOD_SECONDS)

    def issue(self, project_id: int, environment: Environment) -> str:
        """Return a token for the changes of an environment, fit for an address as it is."""
        payload = msgspec.json.encode(Stream(project_id, environment, self.period + PERIODS - 1))
        return f"{_text(payload)}.{_text(self._signature(payload))}"

    def read(self, token: str) -> Stream | None:
        """Return what a token opens, or None when it is none of ours or its time is over."""
        payload_text, _, signature_text = token.partition(".")
        try:
            payload, signature = _bytes(payload_text), _bytes(signature_text)
            if not hmac.compare_digest(signature, self._signature(payload)):
                return None
            stream = _decoder.decode(payload)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            return None
        return stream if self.period <= stream.last_period else None

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
