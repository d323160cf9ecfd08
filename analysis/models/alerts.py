"""What is wrong right now: one open row for each thing, however often it is found."""

from django.db import models
from django.utils import timezone

from analysis.alerts.kinds import TITLES, AlertKind, Severity
from experiments.models import Experiment, Project, User

KINDS = [(kind.value, TITLES[kind]) for kind in AlertKind]
SEVERITIES = [(severity.value, severity.value.capitalize()) for severity in Severity]


class Alert(models.Model):
    """One thing that is wrong, from when it was first found until it is over.

    ``key`` names the thing within its kind and project; while it is open there is one row for it. ``seen_at`` is when
    it was last found again. ``reopened`` counts how often it came back soon after it was over. Who acknowledged it has
    taken it on: it stays open, and asks nobody else.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alerts")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")
    kind = models.CharField(max_length=24, choices=KINDS)
    key = models.CharField(max_length=200)
    severity = models.CharField(max_length=8, choices=SEVERITIES)
    sentence = models.CharField(max_length=300)
    what_to_do = models.CharField(max_length=500, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    closed_because = models.CharField(max_length=300, blank=True)
    reopened = models.PositiveIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    acknowledged_why = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind", "key"],
                condition=models.Q(closed_at__isnull=True),
                name="one_open_alert_for_each_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in AlertKind]), name="alert_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=[one.value for one in Severity]), name="alert_severity_is_known"
            ),
        ]
        indexes = [models.Index(fields=["project", "closed_at"], name="open_alerts")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.sentence}"


class AlertMute(models.Model):
    """A thing that nobody wants to hear of until then, or with None at all. It is still found, listed and closed."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alert_mutes")
    kind = models.CharField(max_length=24, choices=KINDS)
    key = models.CharField(max_length=200)
    until = models.DateTimeField(null=True)
    why = models.CharField(max_length=300, blank=True)
    muted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    muted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "key"], name="one_mute_for_each_thing")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} muted until {self.until or 'for good'}"
