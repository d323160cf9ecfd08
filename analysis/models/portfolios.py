"""Sets of experiments that somebody wants one e-mail about."""

from django.db import models
from django.utils import timezone

from experiments.models import Experiment, Project, User


class Portfolio(models.Model):
    """Experiments chosen one by one, or all that one person owns, or all with a tag: the last two grow."""

    class Kind(models.TextChoices):
        CHOSEN = "chosen", "Chosen experiments"
        OWNER = "owner", "All of one owner"
        TAG = "tag", "All with a tag"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="portfolios")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    experiments = models.ManyToManyField(Experiment, blank=True, related_name="portfolios")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    tag = models.CharField(max_length=40, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="portfolio_name_once_per_project"),
            models.CheckConstraint(
                condition=(models.Q(kind="owner") ^ models.Q(owner__isnull=True))
                & (models.Q(kind="tag") ^ models.Q(tag="")),
                name="a_portfolio_is_of_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name
