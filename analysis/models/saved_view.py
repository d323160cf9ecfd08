"""Lists of experiments that people want to see again."""

from django.db import models
from django.utils import timezone

from experiments.models import Project, User


class SavedView(models.Model):
    """A list of experiments with its search, filters and order, as the address has them in ``query``.

    A shared one is there for all members. Without an owner an API key made it. The default one opens for its owner
    where an address asks for nothing in particular.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="saved_views")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True)
    is_shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "owner", "name"], nulls_distinct=False, name="view_name_once_per_person"
            ),
            models.UniqueConstraint(
                fields=["project", "owner"], condition=models.Q(is_default=True), name="one_default_view_per_person"
            ),
            models.CheckConstraint(
                condition=models.Q(owner__isnull=False) | models.Q(is_shared=True, is_default=False),
                name="a_view_of_nobody_is_shared",
            ),
        ]

    def __str__(self) -> str:
        return self.name
