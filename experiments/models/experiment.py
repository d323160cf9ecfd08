"""Experiments, their variants and the metrics that decide them."""

import secrets

from django.db import models
from django.utils import timezone

from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.domain.units import UnitType
from experiments.models.accounts import Project, User
from experiments.models.metric import Metric
from experiments.models.model_version import ModelVersion

WHOLE = 10_000
"""Weights, allocation and margins are integers in ten-thousandths of the whole."""


def new_salt() -> str:
    """Return a random salt, so that no two experiments split the same units alike."""
    return secrets.token_hex(8)


class Experiment(models.Model):
    """A comparison of variants on randomised units. Once started, its salt, unit and weights stay."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="experiments")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    hypothesis = models.TextField(max_length=2000, blank=True)
    unit_type = models.CharField(
        max_length=12, choices=[(u.value, u.value.capitalize()) for u in UnitType], default=UnitType.USER.value
    )
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value.capitalize()) for s in Status], default=Status.DRAFT.value
    )
    allocation = models.PositiveIntegerField(default=WHOLE)
    salt = models.CharField(max_length=32, default=new_salt)
    planned_days = models.PositiveIntegerField(default=14)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="experiment_key_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(status__in=[s.value for s in Status]), name="experiment_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(allocation__gte=0, allocation__lte=WHOLE), name="allocation_is_a_share"
            ),
            models.CheckConstraint(
                condition=models.Q(status=Status.DRAFT.value) ^ models.Q(started_at__isnull=False),
                name="a_started_experiment_says_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One of the things compared. Position 0 is the control."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField()
    weight = models.PositiveIntegerField()
    value = models.JSONField(null=True, blank=True)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "key"], name="variant_key_once_per_experiment"),
            models.UniqueConstraint(fields=["experiment", "position"], name="variant_position_once_per_experiment"),
            models.CheckConstraint(condition=models.Q(weight__lte=WHOLE), name="weight_is_a_share"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_control(self) -> bool:
        """Say whether the other variants are compared with this one."""
        return self.position == 0

    @property
    def served_value(self) -> object:
        """Return what an app receives: the value set by hand, or the variant's key."""
        return self.key if self.value is None else self.value


class ExperimentMetric(models.Model):
    """What a metric is for in an experiment; a guardrail has a margin it must not cross."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="plan")
    metric = models.ForeignKey(Metric, on_delete=models.PROTECT, related_name="uses")
    role = models.CharField(max_length=10, choices=[(r.value, r.value.capitalize()) for r in MetricRole])
    margin = models.PositiveIntegerField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "metric"], name="metric_once_per_experiment"),
            models.CheckConstraint(
                condition=models.Q(role=MetricRole.GUARDRAIL.value) ^ models.Q(margin__isnull=True),
                name="guardrail_alone_has_a_margin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} as {self.role} of {self.experiment}"
