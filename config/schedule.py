"""The whole schedule in one place: what Celery beat starts, and how often (seconds)."""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "keep-partitions-ahead": {"task": "events.keep_partitions", "schedule": 3600.0},
    "refresh-running-experiments": {"task": "analysis.refresh_running", "schedule": 60.0},
    "queue-due-digests": {"task": "analysis.queue_due_digests", "schedule": 60.0},
    "deliver-outbox": {"task": "analysis.deliver_outbox", "schedule": 60.0},
}
