"""Results as they were at one moment, and the runs that make them."""

from django.db import models
from django.utils import timezone

from experiments.models import Experiment, User


class ResultSnapshot(models.Model):
    """An immutable result (a database trigger refuses any change); ``payload`` is ``results.schema.Results``."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="snapshots")
    created_at = models.DateTimeField(default=timezone.now)
    as_of = models.DateTimeField()
    engine_version = models.CharField(max_length=20)
    payload = models.JSONField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["experiment", "-id"], name="newest_snapshot")]

    def __str__(self) -> str:
        return f"{self.experiment} as of {self.as_of:%Y-%m-%d %H:%M}"


class RefreshRun(models.Model):
    """One refresh of an experiment's results, with the progress that the page shows."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="refresh_runs")
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    step = models.CharField(max_length=120, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A second click on "Refresh now" joins the run that is under way.
            models.UniqueConstraint(
                fields=["experiment"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_refresh_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"refresh of {self.experiment}: {self.state} {self.percent}%"
