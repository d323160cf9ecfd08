"""The product's server, but that commits the events of each request alone: what group commit is worth."""

from events import sink

sink.MOST_GROUP_BYTES = 0

from config.server import app  # noqa: E402  (the limit goes first)

__all__ = ["app"]
