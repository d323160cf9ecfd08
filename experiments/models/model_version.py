"""Model versions: what was trained, and how good it looked offline."""

from django.db import models
from django.utils import timezone

from experiments.models.accounts import Project, User


class ModelVersion(models.Model):
    """One version of a model, with its offline metric."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    name = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    offline_metric = models.CharField(max_length=60, blank=True)
    offline_value = models.FloatField(null=True, blank=True)
    notes = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "created_at"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "version"], name="model_version_once_per_project")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
