"""Answers of the API that are kept for a day, so that a request that is sent twice is done once."""

from django.db import models
from django.utils import timezone

from experiments.models.keys import ApiKey


class IdempotentAnswer(models.Model):
    """What one request got, by the Idempotency-Key that came with it. ``fingerprint`` is of its address and body."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="idempotent_answers")
    name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "name"], name="idempotency_key_once_per_api_key")]

    def __str__(self) -> str:
        return f"{self.status} for {self.name}"
