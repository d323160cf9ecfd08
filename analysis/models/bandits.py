"""The shares that a bandit dealt by, batch after batch: what makes its results valid afterwards."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Experiment


class BanditBatch(models.Model):
    """Units dealt by the same shares, from ``began_at`` to the next batch's. A row never changes (a trigger refuses).

    All lists are in the order of the variants. ``shares`` are in ten-thousandths: the propensity of every assignment of
    the batch. ``best`` is each variant's probability of being the best as it stood when the shares were set, from
    ``means`` and ``errors`` over ``units``; empty for the first batch, whose shares are even.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="bandit_batches")
    phase = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    began_at = models.DateTimeField()
    shares = ArrayField(models.PositiveIntegerField())
    best = ArrayField(models.FloatField(), default=list)
    means = ArrayField(models.FloatField(), default=list)
    errors = ArrayField(models.FloatField(), default=list)
    units = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "phase", "number"], name="bandit_batches_are_numbered")
        ]

    def __str__(self) -> str:
        return f"{self.experiment}, batch {self.number}: {self.shares}"
