"""The capture addresses of PostHog's client libraries."""

from events.posthog.door import PostHogDoor

__all__ = ["PostHogDoor"]
