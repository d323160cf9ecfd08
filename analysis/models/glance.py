"""The numbers of an experiment's newest result that lists need, so that no list opens thousands of results."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Standing


class Glance(models.Model):
    """What a row of a list says beside the ``Standing``, which holds the sentence: written with each result.

    ``lift`` with its bounds and standard error is of the primary metric, and of the one treatment, or of the best of
    several, which ``shown_variant`` names then. All are empty where the change is not relative or not to be believed.
    ``change`` is the same in words. ``failed`` names the health checks that fail, ``crossed`` the guardrails that are
    shown to be beyond their margin. ``alpha`` is the risk that the shown comparison bears.
    """

    standing = models.OneToOneField(Standing, on_delete=models.CASCADE, primary_key=True, related_name="glance")
    units = models.BigIntegerField()
    data_up_to = models.DateTimeField(null=True)
    treatments = models.PositiveSmallIntegerField()
    metric = models.CharField(max_length=60, blank=True)
    metric_name = models.CharField(max_length=120, blank=True)
    shown_variant = models.CharField(max_length=120, blank=True)
    reading = models.CharField(max_length=20, blank=True)
    change = models.CharField(max_length=40, blank=True)
    lift = models.FloatField(null=True)
    lift_low = models.FloatField(null=True)
    lift_high = models.FloatField(null=True)
    lift_error = models.FloatField(null=True)
    alpha = models.FloatField(default=0.05)
    failed = ArrayField(models.CharField(max_length=60), default=list)
    crossed = ArrayField(models.CharField(max_length=120), default=list)

    def __str__(self) -> str:
        return f"{self.standing.experiment}: {self.change or 'no number'}"

    @property
    def interval(self) -> tuple[float | None, float | None] | None:
        """Return the bounds of the change, or None where there are none."""
        return None if self.lift is None else (self.lift_low, self.lift_high)
