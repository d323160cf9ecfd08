"""What a metric's own page shows beside the result, kept so that no page waits for a pass over all units."""

from django.db import models

from experiments.models import Experiment


class MetricDetail(models.Model):
    """One metric of an experiment in depth: ``payload`` is ``details.schema.Detail``. Replaced as data arrives.

    ``definition`` is a digest of what the metric counted then; ``changes`` is ``FoldedExperiment.changes`` of what was
    read. It holds nothing that cannot be counted again, and may be deleted at any time.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="details")
    phase = models.PositiveIntegerField()
    metric = models.CharField(max_length=80)
    definition = models.CharField(max_length=32)
    as_of = models.DateTimeField()
    changes = models.PositiveBigIntegerField(null=True)
    payload = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "phase", "metric"], name="one_detail_per_metric_and_phase")
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.experiment} in depth as of {self.as_of:%Y-%m-%d %H:%M}"
