"""Links that show one experiment's results to whoever has them, and what people write beside results."""

from django.db import models
from django.utils import timezone

from analysis.models.snapshot import ResultSnapshot
from experiments.models import Experiment, User


class ShareLink(models.Model):
    """A link to an experiment's results without an account, until it ends or is revoked.

    ``digest`` is the SHA-256 of its token (256 random bits need no slow hash); the token itself is shown once.
    ``snapshot`` None shows the newest results, whatever they are by then.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="share_links")
    snapshot = models.ForeignKey(ResultSnapshot, on_delete=models.CASCADE, null=True, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=120)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    opened = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"link to {self.experiment} for {self.purpose}"


class Note(models.Model):
    """What somebody wrote beside an experiment's results. A deleted one is kept in the audit alone."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=4000)
    written_at = models.DateTimeField(default=timezone.now)
    edited_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-written_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.author} on {self.experiment}: {self.text[:40]}"
