"""Metrics: from a unit's events to one number. Definitions have versions, so that no number changes in silence."""

import builtins
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from experiments.domain import definitions, filters
from experiments.domain.definitions import COVARIATE_DAYS, LONGEST_EVENT, Definition, FunnelStep
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, StandsFor
from experiments.domain.shares import WHOLE
from experiments.models.accounts import Project, User

NEEDS_PROPERTY = [kind.value for kind in definitions.NEEDS_PROPERTY]
CAPPED = [kind.value for kind in definitions.CAPPED]
LONGEST_NOTE = 300


class Defined(models.Model):
    """The columns of a definition; what they mean says ``experiments.domain.definitions.Definition``."""

    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in MetricKind])
    event = models.CharField(max_length=LONGEST_EVENT)
    property = models.CharField(max_length=128, blank=True, default="")
    filters = models.JSONField(default=list, blank=True)
    denominator_event = models.CharField(max_length=LONGEST_EVENT, blank=True, default="")
    denominator_property = models.CharField(max_length=128, blank=True, default="")
    denominator_filters = models.JSONField(default=list, blank=True)
    refund_event = models.CharField(max_length=LONGEST_EVENT, blank=True, default="")
    refund_property = models.CharField(max_length=128, blank=True, default="")
    steps = models.JSONField(default=list, blank=True)
    level = models.PositiveIntegerField(null=True, blank=True)
    delay_hours = models.PositiveIntegerField(default=0)
    window_hours = models.PositiveIntegerField(null=True, blank=True)
    minimum_hours = models.PositiveIntegerField(default=0)
    cap_value = models.DecimalField(max_digits=28, decimal_places=10, null=True, blank=True)
    cap_share = models.PositiveIntegerField(null=True, blank=True)
    covariate_days = models.PositiveSmallIntegerField(default=COVARIATE_DAYS)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in MetricKind]), name="%(class)s_kind_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=NEEDS_PROPERTY) | ~Q(property=""), name="%(class)s_names_the_property_it_needs"
            ),
            models.CheckConstraint(
                condition=Q(kind=MetricKind.RATIO.value) ^ Q(denominator_event=""),
                name="%(class)s_ratio_alone_has_a_denominator",
            ),
            models.CheckConstraint(
                condition=Q(kind=MetricKind.QUANTILE.value, level__gt=0, level__lt=WHOLE)
                | (~Q(kind=MetricKind.QUANTILE.value) & Q(level__isnull=True)),
                name="%(class)s_quantile_alone_has_a_level",
            ),
            models.CheckConstraint(
                condition=Q(kind=MetricKind.FUNNEL.value) ^ Q(steps=[]), name="%(class)s_funnel_alone_has_steps"
            ),
            models.CheckConstraint(
                condition=~Q(kind=MetricKind.RETENTION.value) | Q(window_hours__isnull=False),
                name="%(class)s_retention_has_a_window",
            ),
            models.CheckConstraint(
                condition=Q(cap_value__isnull=True, cap_share__isnull=True)
                | (Q(kind__in=CAPPED) & (Q(cap_value__isnull=True) | Q(cap_share__isnull=True))),
                name="%(class)s_has_one_cap_at_most",
            ),
        ]

    def definition(self) -> Definition:
        """Return the definition as one value."""
        columns: dict[str, Any] = {name: getattr(self, name) for name in PLAIN}
        return Definition(
            kind=MetricKind(self.kind),
            filters=filters.read(self.filters),
            denominator_filters=filters.read(self.denominator_filters),
            steps=tuple(FunnelStep(event=step["event"], filters=filters.read(step["filters"])) for step in self.steps),
            cap_value=None if self.cap_value is None else Decimal(self.cap_value).normalize(),
            **columns,
        )


PLAIN = (
    "event", "property", "denominator_event", "denominator_property", "refund_event", "refund_property", "level",
    "delay_hours", "window_hours", "minimum_hours", "cap_share", "covariate_days",
)  # fmt: skip
"""Columns that are kept just as the definition has them."""


def columns_of(given: Definition) -> dict[str, Any]:
    """Return a definition as the columns of ``Defined``."""
    return {
        **{name: getattr(given, name) for name in PLAIN},
        "kind": given.kind.value,
        "filters": filters.stored(given.filters),
        "denominator_filters": filters.stored(given.denominator_filters),
        "steps": [{"event": step.event, "filters": filters.stored(step.filters)} for step in given.steps],
        "cap_value": given.cap_value,
    }


class Metric(Defined):
    """A metric of a project, defined on events by form and not by SQL.

    Its own columns of a definition are those of its newest version, whose number is ``version``; every version is
    kept as a ``MetricVersion``. ``certified_version`` is the one that a person vouched for. ``stands_for`` is what it
    stands for on the way to the business, empty where nobody said.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="metrics")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    direction = models.CharField(max_length=10, choices=[(d.value, d.value) for d in Direction])
    display_unit = models.CharField(max_length=14, choices=[(u.value, u.value) for u in DisplayUnit])
    stands_for = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in StandsFor], blank=True, default=""
    )
    version = models.PositiveIntegerField(default=1)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="owned_metrics")
    certified_version = models.PositiveIntegerField(null=True, blank=True)
    certified_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    certified_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(Defined.Meta):
        ordering = ["name"]
        constraints = [
            *Defined.Meta.constraints,
            models.UniqueConstraint(fields=["project", "key"], name="metric_key_once_per_project"),
            models.CheckConstraint(
                condition=Q(certified_version__isnull=True) ^ Q(certified_at__isnull=False),
                name="a_certified_metric_says_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @builtins.property
    def is_certified(self) -> bool:
        """Say whether a person vouched for the newest version."""
        return self.certified_version == self.version


class MetricVersion(Defined):
    """One definition that a metric has or had. It never changes: experiments count by it."""

    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=LONGEST_NOTE, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(Defined.Meta):
        ordering = ["-number"]
        constraints = [
            *Defined.Meta.constraints,
            models.UniqueConstraint(fields=["metric", "number"], name="metric_versions_are_numbered"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} version {self.number}"
