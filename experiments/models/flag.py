"""Flags: a typed value, where it is on, and the rules that change it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from experiments.domain.environments import Environment
from experiments.domain.kinds import RuleKind, ValueType
from experiments.domain.shares import WHOLE
from experiments.domain.units import OFFERED, UnitType
from experiments.models.accounts import Project, User
from experiments.models.experiment import Experiment
from experiments.models.salt import new_salt


class Flag(models.Model):
    """A value that an app asks for by key. Its key is shared by no experiment and no other flag of the project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="flags")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    value_type = models.CharField(max_length=8, choices=[(t.value, t.value.capitalize()) for t in ValueType])
    default_value = models.JSONField()
    archived_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="flag_key_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(key__regex=r"^[A-Za-z0-9._-]+$"), name="flag_key_needs_no_encoding"
            ),
            models.CheckConstraint(
                condition=models.Q(value_type__in=[t.value for t in ValueType]), name="flag_value_type_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FlagEnvironment(models.Model):
    """Whether a flag is on in one environment; off, everyone gets the default value."""

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="in_environments")
    environment = models.CharField(max_length=12, choices=[(e.value, e.value.capitalize()) for e in Environment])
    enabled = models.BooleanField(default=False)

    class Meta:
        ordering = ["environment"]
        constraints = [
            models.UniqueConstraint(fields=["flag", "environment"], name="flag_once_per_environment"),
            models.CheckConstraint(
                condition=models.Q(environment__in=[e.value for e in Environment]), name="flag_environment_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flag} {'on' if self.enabled else 'off'} in {self.environment}"


class FlagRule(models.Model):
    """One rule of a flag; the first that reaches a unit decides. No environment named means every environment."""

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=10, choices=[(k.value, k.value.capitalize()) for k in RuleKind])
    environments = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    targeting = models.JSONField(default=dict, blank=True)
    value = models.JSONField(null=True, blank=True)
    share = models.PositiveIntegerField(default=WHOLE)
    unit_type = models.CharField(
        max_length=12, choices=[(u.value, u.value.capitalize()) for u in OFFERED], default=UnitType.USER.value
    )
    salt = models.CharField(max_length=32, default=new_salt)
    experiment = models.ForeignKey(
        Experiment, on_delete=models.RESTRICT, null=True, blank=True, related_name="flag_rules"
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["flag", "position"],
                name="flag_rule_position_once_per_flag",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=[k.value for k in RuleKind]), name="flag_rule_kind_is_known"
            ),
            models.CheckConstraint(condition=models.Q(share__lte=WHOLE), name="flag_rule_share_is_a_share"),
            models.CheckConstraint(
                condition=models.Q(kind=RuleKind.EXPERIMENT.value) ^ models.Q(experiment__isnull=True),
                name="experiment_rule_alone_names_an_experiment",
            ),
            models.CheckConstraint(
                condition=models.Q(starts_at__isnull=True)
                | models.Q(ends_at__isnull=True)
                | models.Q(starts_at__lt=models.F("ends_at")),
                name="flag_rule_starts_before_it_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"rule {self.position + 1} of {self.flag}"


class Prerequisite(models.Model):
    """What another flag or experiment of the project must serve before its owner does anything but its default."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, related_name="prerequisites")
    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, null=True, related_name="prerequisites")
    parent_key = models.CharField(max_length=80)
    value = models.JSONField()

    class Meta:
        ordering = ["parent_key"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(experiment__isnull=True) ^ models.Q(flag__isnull=True),
                name="prerequisite_has_one_owner",
            ),
            models.UniqueConstraint(fields=["experiment", "parent_key"], name="parent_once_per_experiment"),
            models.UniqueConstraint(fields=["flag", "parent_key"], name="parent_once_per_flag"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment or self.flag} needs {self.parent_key}"
