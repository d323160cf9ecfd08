"""What cannot be computed, as data with a reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotComputable:
    """A number that does not exist. ``reason`` is a plain sentence that can be shown as it is."""

    reason: str
