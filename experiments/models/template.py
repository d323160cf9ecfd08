"""Templates: set-ups that a project begins its experiments from."""

from django.db import models
from django.utils import timezone

from experiments.models.accounts import Project, User


class ExperimentTemplate(models.Model):
    """A set-up to begin from. ``content`` is ``experiments.domain.templates.Content`` as JSON; metrics stand by key."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="templates")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    content = models.JSONField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="template_key_once_per_project")]

    def __str__(self) -> str:
        return self.name
