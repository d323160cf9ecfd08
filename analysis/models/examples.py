"""Scores by example, and two versions' comparison on them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from experiments.models import ModelVersion, User


class ExampleScores(models.Model):
    """One version's scores on one evaluation set, as packed columns sorted by example. ``digest`` is of the file."""

    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="example_scores")
    evaluation_set = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    examples = models.PositiveIntegerField()
    columns = ArrayField(models.CharField(max_length=120))
    packed = models.BinaryField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model_version", "evaluation_set"], name="scores_once_per_evaluation_set")
        ]

    def __str__(self) -> str:
        return f"{self.model_version_id} on {self.evaluation_set}"


class VersionComparison(models.Model):
    """Two versions compared on the examples that both scored; ``digests`` are of the files that this was made from."""

    old = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    new = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    evaluation_set = models.CharField(max_length=120)
    digests = models.CharField(max_length=130)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["old", "new", "evaluation_set"], name="versions_compared_once_per_set"),
            models.CheckConstraint(condition=~models.Q(old=models.F("new")), name="two_versions_are_compared"),
        ]

    def __str__(self) -> str:
        return f"{self.old_id} and {self.new_id} on {self.evaluation_set}"
