"""What A/A replays on a project's own units said of its metrics."""

from django.db import models
from django.utils import timezone

from experiments.models import Experiment, Metric


class MetricCertificate(models.Model):
    """One replay of one metric: units of ``experiment`` split at random ``draws`` times without any effect.

    ``verdict`` is ``stats.replay.Verdict``; ``false_positives`` with Wilson's interval ``low`` to ``high``,
    ``uniformity`` and ``variance_ratio`` are as in ``stats.replay.Replay``. The newest of a metric counts.
    """

    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="certificates")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    units = models.PositiveBigIntegerField()
    draws = models.PositiveIntegerField()
    alpha = models.FloatField()
    false_positives = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    uniformity = models.FloatField()
    variance_ratio = models.FloatField()
    verdict = models.CharField(max_length=20)
    sentence = models.CharField(max_length=300)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.metric}: {self.verdict} on {self.made_at:%Y-%m-%d}"
