"""Segments: saved answers to "who", used by name in targeting."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from experiments.domain.kinds import SegmentKind
from experiments.models.accounts import Project, User


class Segment(models.Model):
    """A named set of units: a list of values of one attribute, or targeting."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="segments")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=10, choices=[(k.value, k.value.capitalize()) for k in SegmentKind])
    unit_attribute = models.CharField(max_length=80, blank=True)
    values = ArrayField(models.CharField(max_length=256), default=list, blank=True)
    targeting = models.JSONField(default=dict, blank=True)
    archived_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="segment_key_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(kind__in=[k.value for k in SegmentKind]), name="segment_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind=SegmentKind.LIST.value) ^ models.Q(unit_attribute=""),
                name="list_segment_alone_names_an_attribute",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=SegmentKind.LIST.value) | models.Q(values=[]),
                name="condition_segment_lists_nobody",
            ),
        ]

    def __str__(self) -> str:
        return self.name
