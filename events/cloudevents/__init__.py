"""CloudEvents 1.0 over HTTP: structured, batched and binary."""

from events.cloudevents.door import CloudEventsDoor

__all__ = ["CloudEventsDoor"]
