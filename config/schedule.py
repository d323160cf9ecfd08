"""The whole schedule in one place: what Celery beat starts, and how often (seconds)."""

from typing import Any


def every(seconds: float, task: str) -> dict[str, Any]:
    """Start ``task`` every so many seconds; one that no worker took by the next turn is dropped, not piled up."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


SCHEDULE: dict[str, dict[str, Any]] = {
    "move-due-experiments": every(60.0, "experiments.move_due"),
    "forget-old-answers": every(3600.0, "experiments.forget_answers"),
    "keep-partitions-ahead": every(3600.0, "events.keep_partitions"),
    "update-event-catalogue": every(30.0, "events.update_catalogue"),
    "drop-old-events": every(3600.0, "analysis.drop_old_events"),
    "refresh-running-experiments": every(60.0, "analysis.refresh_running"),
    "scan-interactions": every(1800.0, "analysis.scan_interactions"),
    "watch-holdbacks": every(3600.0, "analysis.watch_holdbacks"),
    "renew-programme-readings": every(600.0, "analysis.renew_readings"),
    "move-bandits": every(60.0, "analysis.move_bandits"),
    "queue-due-digests": every(60.0, "analysis.queue_due_digests"),
    "tell-people": every(60.0, "analysis.tell_people"),
    "watch-for-silence": every(600.0, "analysis.watch_for_silence"),
    "watch-volumes": every(900.0, "analysis.watch_volumes"),
    "flag-bots": every(3600.0, "analysis.flag_bots"),
    "watch-drift": every(3600.0, "analysis.watch_drift"),
    "watch-joining": every(3600.0, "analysis.watch_joining"),
    "deliver-outbox": every(60.0, "analysis.deliver_outbox"),
}
