"""Moments with the products across metrics, kept for good: what effects' covariances follow from later."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Experiment


class MomentSet(models.Model):
    """An experiment's moments in cells of its units: ``analysis.stats.moment_matrix.MomentMatrix``, packed.

    One row for each way to make cells, phase and definition of the metrics. It is replaced as data arrives; another
    definition of a metric begins a new row, and the old one stays.

    ``columns`` names a unit's numbers (``analysis.unit_values.columns``). ``horizon`` is how far events were folded: a
    unit whose window ended later is not counted for a metric that has one. ``cells``
    holds (variant id, label) one after the other; the label is the hash bucket, the exposure day (as in
    ``date.toordinal``), or whether the app found the outputs to differ (1) or not (0). ``values`` holds the cells'
    packed rows one after the other. ``changes`` is ``FoldedExperiment.changes`` of what was read.
    """

    class By(models.TextChoices):
        BUCKET = "bucket"
        DAY = "day"
        TRIGGER = "trigger"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="moment_sets")
    phase = models.PositiveIntegerField()
    by = models.CharField(max_length=7, choices=By.choices)
    definition = models.CharField(max_length=32)
    as_of = models.DateTimeField()
    changes = models.PositiveBigIntegerField(null=True)
    horizon = models.DateTimeField(null=True)
    columns = ArrayField(models.CharField(max_length=80))
    cells = ArrayField(models.BigIntegerField())
    values = ArrayField(models.FloatField())

    class Meta:
        ordering = ["-as_of"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "phase", "by", "definition"], name="one_moment_set_per_definition"
            )
        ]

    def __str__(self) -> str:
        return f"{self.experiment} by {self.by} as of {self.as_of:%Y-%m-%d}"
