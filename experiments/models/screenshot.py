"""Pictures of what a variant looks like, kept in the database so that every server has them."""

from django.db import models
from django.utils import timezone

from experiments.models.accounts import User
from experiments.models.experiment import Experiment


class Screenshot(models.Model):
    """One picture of one variant, drawn anew as WebP. The variant goes by its key, because drafts remake theirs."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="screenshots")
    variant_key = models.CharField(max_length=60)
    caption = models.CharField(max_length=120, blank=True)
    content = models.BinaryField()
    digest = models.CharField(max_length=32)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "variant_key", "digest"], name="picture_once_per_variant")
        ]

    def __str__(self) -> str:
        return f"picture of {self.variant_key} in {self.experiment}"
