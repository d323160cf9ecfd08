"""API keys: shown once, kept as a hash."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from experiments.models.accounts import Project, User


class ApiKey(models.Model):
    """A key of a project. ``digest`` is the SHA-256 of the whole key (256 random bits need no slow hash)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=16))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
