"""The durable event log, read through the ORM only by tests and rare look-ups, and the catalogue of what was in it.

The log's table is made by SQL (events/migrations/0001_event_log.py), because Django does not make partitions.
"""

from django.db import models
from django.utils import timezone

from experiments.models import Project


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


class CatalogueMark(models.Model):
    """How far the catalogue has read the log: every transaction below ``xid`` is counted, none at or above it is."""

    name = models.CharField(max_length=40, primary_key=True)
    xid = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} has read up to transaction {self.xid}"


class SeenEvent(models.Model):
    """An event name that a project has sent, from any environment."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="seen_events")
    name = models.CharField(max_length=255)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    events = models.PositiveBigIntegerField()

    volume: list[int]
    kinds: "dict[str, list[SeenProperty]]"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="an_event_is_seen_once")]

    def __str__(self) -> str:
        return self.name


class SeenDay(models.Model):
    """How many events of one name came with one environment's keys on one UTC day."""

    pk = models.CompositePrimaryKey("event_id", "environment", "day")
    event = models.ForeignKey(SeenEvent, on_delete=models.CASCADE, related_name="days")
    environment = models.SmallIntegerField()
    day = models.DateField()
    events = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.events} on {self.day}"


class SeenHour(models.Model):
    """How many events of one name came with production's keys in one hour, of the last weeks alone."""

    pk = models.CompositePrimaryKey("event_id", "hour")
    event = models.ForeignKey(SeenEvent, on_delete=models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    events = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.events} from {self.hour:%Y-%m-%d %H:00}"


class ArrivalDay(models.Model):
    """How production's events of one name came in through one door on one UTC day of arrival.

    ``late``: more than an hour after they happened. ``corrected``: by a clock that was more than ten seconds off and
    was put right, ``farthest`` by how many seconds at most. ``missing``: without a number in a property that one of the
    project's metrics adds up.
    """

    pk = models.CompositePrimaryKey("event_id", "door", "day")
    event = models.ForeignKey(SeenEvent, on_delete=models.CASCADE, related_name="arrivals")
    door = models.SmallIntegerField()
    day = models.DateField()
    events = models.PositiveBigIntegerField()
    late = models.PositiveBigIntegerField()
    corrected = models.PositiveBigIntegerField()
    farthest = models.PositiveBigIntegerField()
    missing = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.events} on {self.day}"


class DuplicateDay(models.Model):
    """How many of production's events came again on one UTC day, and were not kept twice.

    The servers count them beside the log, so a server that is killed loses its last seconds' count; the log loses none.
    """

    pk = models.CompositePrimaryKey("event_id", "door", "day")
    event = models.ForeignKey(SeenEvent, on_delete=models.CASCADE, related_name="duplicates")
    door = models.SmallIntegerField()
    day = models.DateField()
    events = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.events} again on {self.day}"


class SeenProperty(models.Model):
    """A property of an event, of one JSON type; a property that comes as several types has a row for each."""

    event = models.ForeignKey(SeenEvent, on_delete=models.CASCADE, related_name="properties")
    key = models.CharField(max_length=255)
    type = models.CharField(max_length=10)
    example = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "key", "type"], name="a_property_is_seen_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.type}"


class Import(models.Model):
    """How far a file has been imported under one reading of its columns.

    ``digest`` is of the file's bytes, ``reading`` of the options that say what its columns mean. ``refused`` counts
    rows by reason; rows themselves, and so ids of units, are not kept here.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    digest = models.CharField(max_length=32)
    reading = models.CharField(max_length=32)
    file = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    rows_done = models.PositiveBigIntegerField(default=0)
    stored = models.PositiveBigIntegerField(default=0)
    refused = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_import"
        constraints = [
            models.UniqueConstraint(fields=["project", "digest", "reading"], name="a_file_is_imported_once_per_reading")
        ]

    def __str__(self) -> str:
        return f"{self.file}: {self.rows_done} rows"
