"""The durable event log, read through the ORM only by tests and rare look-ups.

The table is made by SQL (events/migrations/0001_event_log.py), because Django does not make partitions.
"""

from django.db import models


class LoggedEvent(models.Model):
    """One acknowledged event.

    ``ts`` is the client's own time stamp: it never changes when a client retries, so (project, id, ts) is what makes
    an event unique, and the log is partitioned by it. ``at`` is the same moment corrected for the client's wrong
    clock; analysis uses ``at`` alone, and of ``environment`` production (0) alone. Both codes are explained in
    events/row.py.
    """

    pk = models.CompositePrimaryKey("project_id", "id", "ts")
    project_id = models.IntegerField()
    id = models.UUIDField()
    ts = models.DateTimeField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    name = models.TextField()
    user_id = models.TextField(null=True)  # noqa: DJ001  (absent is not empty)
    anonymous_id = models.TextField(null=True)  # noqa: DJ001  (absent is not empty)
    experiment = models.TextField(null=True)  # noqa: DJ001  (absent is not empty)
    variant = models.TextField(null=True)  # noqa: DJ001  (absent is not empty)
    props = models.JSONField()
    environment = models.SmallIntegerField(db_default=0)
    door = models.SmallIntegerField(db_default=0)

    class Meta:
        managed = False
        db_table = "events_log"

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
