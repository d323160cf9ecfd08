"""Metrics: from a unit's events to one number."""

from django.db import models
from django.utils import timezone

from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
from experiments.models.accounts import Project, User

NEEDS_PROPERTY = [MetricKind.SUM.value, MetricKind.AVERAGE.value]


class Metric(models.Model):
    """A metric of a project, defined on events by form and not by SQL."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="metrics")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in MetricKind])
    event = models.CharField(max_length=128)
    property = models.CharField(max_length=128, blank=True)
    denominator_event = models.CharField(max_length=128, blank=True)
    direction = models.CharField(max_length=10, choices=[(d.value, d.value) for d in Direction])
    display_unit = models.CharField(max_length=14, choices=[(u.value, u.value) for u in DisplayUnit])
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="metric_key_once_per_project"),
            models.CheckConstraint(
                condition=~models.Q(kind__in=NEEDS_PROPERTY) | ~models.Q(property=""),
                name="sum_and_average_name_a_property",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=MetricKind.RATIO.value) ^ models.Q(denominator_event=""),
                name="ratio_alone_names_a_denominator",
            ),
        ]

    def __str__(self) -> str:
        return self.name
