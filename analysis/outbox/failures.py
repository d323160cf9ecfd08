"""What can become of a message that did not arrive for certain.

DeliveryError
├── TryLater   nothing was accepted: try again later
├── Refused    it will never be accepted
└── Lost       nobody knows whether it was accepted
"""

from datetime import timedelta


class DeliveryError(Exception):
    """A message did not leave. ``code`` is what the other side answered, if it answered."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class TryLater(DeliveryError):  # noqa: N818 - the name says what to do
    """Nothing was accepted; the same message may be accepted later, not before ``after`` where the other side says."""

    def __init__(self, message: str, *, code: int | None = None, after: timedelta | None = None) -> None:
        super().__init__(message, code=code)
        self.after = after


class Refused(DeliveryError):  # noqa: N818 - the name says what happened
    """It will never be accepted. ``is_gone`` says that the other side wants no message at all any more."""

    def __init__(self, message: str, *, code: int | None = None, is_gone: bool = False) -> None:
        super().__init__(message, code=code)
        self.is_gone = is_gone


class Lost(DeliveryError):  # noqa: N818 - the name says what happened
    """The connection broke while the message was being handed over."""
