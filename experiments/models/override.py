"""Overrides: units that get a named variant, so that people can look at it."""

from django.db import models
from django.utils import timezone

from experiments.models.accounts import User
from experiments.models.experiment import Experiment, Variant


class Override(models.Model):
    """One unit that sees ``variant`` whatever its hash says, and that no analysis counts."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="overrides")
    unit_id = models.CharField(max_length=256)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="overrides")
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "unit_id"], name="override_once_per_unit"),
            models.CheckConstraint(condition=~models.Q(unit_id=""), name="override_names_a_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} sees {self.variant}"
