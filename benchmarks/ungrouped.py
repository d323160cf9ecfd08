"""The product's server, but that commits the events of each request alone: what group commit is worth."""

import os

from events import sink

sink.MOST_GROUP_BYTES = 0
defaults = sink.Sink.__init__.__kwdefaults__
assert defaults is not None
defaults["writers"] = int(os.environ.get("UNGROUPED_WRITERS", sink.WRITERS))

from config.server import app  # noqa: E402  (the limits go first)

__all__ = ["app"]
