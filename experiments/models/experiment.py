"""Experiments, their variants and the metrics that decide them."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.utils import timezone

from experiments.domain.conclusions import LONGEST_TAG
from experiments.domain.environments import all_environments
from experiments.domain.kinds import DESIGNED, ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.domain.shares import WHOLE as WHOLE
from experiments.domain.units import UnitType
from experiments.models.accounts import Project, User
from experiments.models.layer import Layer
from experiments.models.metric import Defined, Metric, MetricVersion
from experiments.models.model_version import ModelVersion
from experiments.models.salt import new_salt as new_salt

UNIT_TYPES = [(u.value, u.value.capitalize()) for u in UnitType]


class Experiment(models.Model):
    """A comparison of variants on randomised units. Once started, its salt, unit and weights stay.

    ``ramp`` is empty, or ``{"steps": [{"share", "after_hours"}…], "step", "stepped_at", "held_because"}``: of the
    traffic while the experiment runs, of ``shipped_share`` once a variant is shipped. ``layer_ranges`` are the places
    ``[start, end)`` of 10,000 that it holds in its layer. ``phase`` counts re-randomisations; what came before
    ``phase_started_at`` belongs to an earlier phase. A holdback's ``parent`` is the experiment that was shipped.
    ``planned_units`` in all variants together is what early readings are tuned for. ``matters`` is the smallest change
    of a primary metric that is worth acting on, in ten-thousandths of the control's value. ``owner`` answers for it;
    ``page_address`` is where people can see it. ``tags`` file it; what is archived is out of the lists, and
    nothing else changes about it. ``design`` is what a kind needs beyond that (``experiments.domain.designs``).
    ``monthly_cost`` is what the treatment costs more to run than the control, in
    hundredths of the project's currency, ``monthly_units`` how many units come in a month once everyone gets it,
    ``value_of_one`` what one of the business metric is worth where that is no money.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="experiments")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    hypothesis = models.TextField(max_length=2000, blank=True)
    kind = models.CharField(
        max_length=16,
        choices=[(k.value, k.value.capitalize().replace("_", "-")) for k in ExperimentKind],
        default=ExperimentKind.STANDARD.value,
    )
    design = models.JSONField(default=dict, db_default={}, blank=True)
    unit_type = models.CharField(max_length=12, choices=UNIT_TYPES, default=UnitType.USER.value)
    fallback_unit_type = models.CharField(max_length=12, choices=UNIT_TYPES, blank=True, default="")
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value.capitalize()) for s in Status], default=Status.DRAFT.value
    )
    allocation = models.PositiveIntegerField(default=WHOLE)
    salt = models.CharField(max_length=32, default=new_salt)
    targeting = models.JSONField(default=dict, blank=True)
    environments = ArrayField(models.CharField(max_length=12), default=all_environments)
    respects_holdout = models.BooleanField(default=True)
    layer = models.ForeignKey(Layer, on_delete=models.RESTRICT, null=True, blank=True, related_name="experiments")
    layer_ranges = models.JSONField(default=list, blank=True)
    phase = models.PositiveIntegerField(default=1)
    phase_started_at = models.DateTimeField(null=True, blank=True)
    bucket_version = models.PositiveIntegerField(default=0)
    min_bucket_version = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    ramp = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="follow_ups")
    # Restricted, and not set to null: the experiment and its variants go together or not at all.
    shipped_variant = models.ForeignKey(
        "Variant", on_delete=models.RESTRICT, null=True, blank=True, related_name="shipped_by"
    )
    shipped_at = models.DateTimeField(null=True, blank=True)
    shipped_share = models.PositiveIntegerField(default=0)
    holdback_share = models.PositiveIntegerField(default=0)
    planned_days = models.PositiveIntegerField(default=14)
    reading = models.CharField(
        max_length=16,
        choices=[(r.value, r.value) for r in ReadingPlan],
        default=ReadingPlan.FIXED.value,
        db_default=ReadingPlan.FIXED.value,
    )
    planned_units = models.PositiveBigIntegerField(null=True, blank=True)
    matters = models.PositiveIntegerField(null=True, blank=True)
    adjusted = models.BooleanField(default=False, db_default=False)
    page_address = models.CharField(max_length=500, blank=True, default="", db_default="")
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="owned_experiments")
    tags = ArrayField(models.CharField(max_length=LONGEST_TAG), default=list, blank=True, db_default=[])
    archived_at = models.DateTimeField(null=True, blank=True)
    monthly_cost = models.BigIntegerField(null=True, blank=True)
    monthly_units = models.PositiveBigIntegerField(null=True, blank=True)
    value_of_one = models.PositiveBigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    words = models.GeneratedField(
        expression=SearchVector("name", weight="A", config="english")
        + SearchVector("hypothesis", weight="C", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="experiment_key_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(status__in=[s.value for s in Status]), name="experiment_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(allocation__gte=0, allocation__lte=WHOLE), name="allocation_is_a_share"
            ),
            models.CheckConstraint(
                condition=models.Q(status=Status.DRAFT.value) ^ models.Q(started_at__isnull=False),
                name="a_started_experiment_says_when",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=[k.value for k in ExperimentKind]), name="experiment_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=[k.value for k in DESIGNED]) | models.Q(design={}),
                name="designed_kinds_alone_have_a_design",
            ),
            models.CheckConstraint(
                condition=models.Q(layer__isnull=False) | models.Q(layer_ranges=[]), name="only_layers_give_places"
            ),
            models.CheckConstraint(
                condition=models.Q(kind=ExperimentKind.HOLDBACK.value) ^ models.Q(parent__isnull=True),
                name="holdback_alone_follows_another",
            ),
            models.CheckConstraint(
                condition=models.Q(shipped_variant__isnull=True) ^ models.Q(shipped_at__isnull=False),
                name="what_is_shipped_says_when",
            ),
            models.CheckConstraint(
                condition=models.Q(shipped_variant__isnull=True) | models.Q(status=Status.STOPPED.value),
                name="only_a_stopped_experiment_is_shipped",
            ),
            models.CheckConstraint(
                condition=models.Q(shipped_share__lte=WHOLE, holdback_share__lte=WHOLE),
                name="shipped_shares_are_shares",
            ),
            models.CheckConstraint(
                condition=models.Q(starts_at__isnull=True)
                | models.Q(ends_at__isnull=True)
                | models.Q(starts_at__lt=models.F("ends_at")),
                name="experiment_starts_before_it_ends",
            ),
            models.CheckConstraint(condition=models.Q(phase__gte=1), name="phases_count_from_one"),
            models.CheckConstraint(
                condition=models.Q(archived_at__isnull=True) | ~models.Q(status__in=[s.value for s in LIVE]),
                name="only_what_does_not_run_is_archived",
            ),
            models.CheckConstraint(
                condition=models.Q(reading__in=[r.value for r in ReadingPlan]), name="reading_plan_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(reading=ReadingPlan.FIXED.value) | models.Q(planned_units__gte=1),
                name="early_readings_plan_their_units",
            ),
            models.CheckConstraint(
                condition=models.Q(matters__isnull=True) | models.Q(matters__gte=1, matters__lte=WHOLE),
                name="what_matters_is_a_share",
            ),
            models.UniqueConstraint(
                fields=["project", "unit_type"],
                condition=models.Q(kind=ExperimentKind.HOLDOUT.value, status__in=[s.value for s in LIVE]),
                name="one_live_holdout_per_unit_type",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def counts_from(self) -> datetime | None:
        """Return when what counts began: the start, or the phase in which every unit was dealt anew."""
        return self.phase_started_at or self.started_at


class Variant(models.Model):
    """One of the things compared. Position 0 is the control."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField()
    weight = models.PositiveIntegerField()
    value = models.JSONField(null=True, blank=True)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "key"], name="variant_key_once_per_experiment"),
            models.UniqueConstraint(fields=["experiment", "position"], name="variant_position_once_per_experiment"),
            models.CheckConstraint(condition=models.Q(weight__lte=WHOLE), name="weight_is_a_share"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_control(self) -> bool:
        """Say whether the other variants are compared with this one."""
        return self.position == 0

    @property
    def served_value(self) -> object:
        """Return what an app receives: the value set by hand, or the variant's key."""
        return self.key if self.value is None else self.value


class ExperimentMetric(models.Model):
    """What a metric is for in an experiment; a guardrail has a margin it must not cross.

    ``version`` is the definition that counts, fixed with the start: a draft has none and follows the newest.
    ``version_chosen_at`` says when a person chose another one after the start.
    ``stands_for`` is what was declared, empty where the metric's words must do. ``declared_at`` is set where that was
    declared after the start.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="plan")
    metric = models.ForeignKey(Metric, on_delete=models.PROTECT, related_name="uses")
    role = models.CharField(max_length=10, choices=[(r.value, r.value.capitalize()) for r in MetricRole])
    margin = models.PositiveIntegerField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    version = models.ForeignKey(MetricVersion, on_delete=models.RESTRICT, null=True, blank=True, related_name="uses")
    version_chosen_at = models.DateTimeField(null=True, blank=True)
    stands_for = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in StandsFor], blank=True, default=""
    )
    declared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "metric"], name="metric_once_per_experiment"),
            models.CheckConstraint(
                condition=models.Q(role=MetricRole.GUARDRAIL.value) ^ models.Q(margin__isnull=True),
                name="guardrail_alone_has_a_margin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} as {self.role} of {self.experiment}"

    @property
    def counted(self) -> Defined:
        """Return what the metric counts here: the version that was fixed, or else the newest."""
        return self.version or self.metric

    @property
    def number(self) -> int:
        """Return the number of the version that counts here."""
        return self.version.number if self.version is not None else self.metric.version
