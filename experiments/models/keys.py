"""API keys: shown once, kept as a hash."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery
from experiments.models.accounts import Project, User


class ApiKey(models.Model):
    """A key of a project. ``digest`` is the SHA-256 of the whole key (256 random bits need no slow hash)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=16))
    environment = models.CharField(
        max_length=12, choices=[(e.value, e.value.capitalize()) for e in Environment], default=Environment.PRODUCTION
    )
    delivery = models.CharField(
        max_length=10, choices=[(d.value, d.value.capitalize()) for d in Delivery], default=Delivery.PLAIN
    )
    encryption_key = models.CharField(max_length=24, blank=True, default="")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(environment__in=[e.value for e in Environment]), name="key_environment_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(delivery__in=[d.value for d in Delivery]), name="key_delivery_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(delivery=Delivery.ENCRYPTED.value) ^ models.Q(encryption_key=""),
                name="encrypted_delivery_alone_has_a_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
