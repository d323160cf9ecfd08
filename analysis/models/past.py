"""Experiments that were run elsewhere, as far as a programme needs them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Project, User


class PastImport(models.Model):
    """One file of summaries of experiments that other tools ran.

    ``correlation`` is what was assumed of the noise that two metrics of one experiment share: such files hold no
    products across metrics. ``metrics`` gives the project's key for each name in the file, ``left`` counts what was
    left out, by reason. A removed import stays, so that removing can be undone.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="past_imports")
    name = models.CharField(max_length=80)
    source = models.CharField(max_length=300)
    file_name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    correlation = models.FloatField()
    treatments = models.PositiveIntegerField()
    metrics = models.JSONField()
    left = models.JSONField(default=dict)
    imported_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    imported_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-imported_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(removed_at=None), name="one_past_import_per_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.file_name})"


class PastEffect(models.Model):
    """One treatment of an experiment that was run elsewhere: its effects on the project's metrics with their noise.

    Arrays go by ``metrics`` (keys) as in ``EffectVector``. ``control`` and ``differences`` are NaN where the file gave
    lifts alone; ``units`` is 0 where it gave no counts.
    """

    past_import = models.ForeignKey(PastImport, on_delete=models.CASCADE, related_name="effects")
    experiment = models.CharField(max_length=120)
    variant = models.CharField(max_length=120)
    family = models.CharField(max_length=100, blank=True)
    ended_at = models.DateTimeField(null=True)
    shipped = models.BooleanField(default=False)
    units = models.PositiveBigIntegerField()
    metrics = ArrayField(models.CharField(max_length=80))
    control = ArrayField(models.FloatField())
    differences = ArrayField(models.FloatField())
    log_lifts = ArrayField(models.FloatField())
    log_variances = ArrayField(models.FloatField())

    class Meta:
        ordering = ["ended_at", "experiment", "variant"]
        constraints = [
            models.UniqueConstraint(
                fields=["past_import", "experiment", "variant"], name="one_past_effect_per_treatment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.variant} of {self.experiment} on {len(self.metrics)} metrics"
