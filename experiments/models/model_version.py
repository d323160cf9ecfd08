"""Model versions: what was trained from what, and how good it looked offline."""

from django.db import models
from django.utils import timezone

from experiments.domain.metrics import Direction
from experiments.domain.offline import LONGEST_NAME, Named, Origin, VersionStatus, named
from experiments.models.accounts import Project, User


class ModelVersion(models.Model):
    """One version of a model. ``parent`` is the version that it was made from; ``trained_until`` is the first day
    that its training data do not hold any more.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    name = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    owner = models.CharField(max_length=120, blank=True, default="")
    artefact = models.CharField(max_length=500, blank=True, default="")
    trained_from = models.DateField(null=True, blank=True)
    trained_until = models.DateField(null=True, blank=True)
    status = models.CharField(
        max_length=10,
        choices=[(s.value, s.value.capitalize()) for s in VersionStatus],
        default=VersionStatus.CANDIDATE.value,
    )
    notes = models.CharField(max_length=2000, blank=True)
    origin = models.CharField(max_length=10, choices=[(o.value, o.value) for o in Origin], default=Origin.PAGE.value)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "created_at"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "version"], name="model_version_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(status__in=[s.value for s in VersionStatus]), name="model_version_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(trained_from__isnull=True)
                | models.Q(trained_until__isnull=True)
                | models.Q(trained_from__lt=models.F("trained_until")),
                name="training_begins_before_it_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(parent__isnull=True) | ~models.Q(parent=models.F("id")),
                name="no_model_version_is_its_own_parent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def headline(self) -> "OfflineMetric | None":
        """Return the offline metric that speaks for the version: the first that was given."""
        return next(iter(self.offline.all()), None)

    @property
    def offline_metric(self) -> str:
        """Return the name of the metric that speaks for it, empty where it has none."""
        return self.headline.name if self.headline else ""

    @property
    def offline_value(self) -> float | None:
        """Return that metric's value."""
        return self.headline.value if self.headline else None

    @property
    def artefact_link(self) -> str:
        """Return the artefact's address where a browser can open it."""
        return self.artefact if self.artefact.startswith(("https://", "http://")) else ""


class OfflineMetric(models.Model):
    """How good a version looked on one evaluation set, by one metric."""

    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="offline")
    name = models.CharField(max_length=LONGEST_NAME)
    value = models.FloatField()
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    method = models.CharField(max_length=120, blank=True, default="")
    evaluation_set = models.CharField(max_length=120, blank=True, default="")
    size = models.PositiveBigIntegerField(null=True, blank=True)
    direction = models.CharField(max_length=10, choices=[(d.value, d.value) for d in Direction])
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "name", "evaluation_set"], name="offline_metric_once_per_set"
            ),
            models.CheckConstraint(
                condition=models.Q(low__isnull=True, high__isnull=True)
                | models.Q(low__lte=models.F("value"), high__gte=models.F("value")),
                name="offline_interval_holds_its_value",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.model_version_id}"

    @property
    def known(self) -> Named:
        """Return what the name says."""
        return named(self.name)
