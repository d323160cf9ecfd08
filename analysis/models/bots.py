"""Implausible rates, and the rule by which a project leaves their units out of its results."""

from django.db import models

from experiments.domain.units import UnitType
from experiments.models import Project, User


class BotDay(models.Model):
    """A unit that sent implausibly many events on one UTC day, or in one minute of it. Nothing is kept of others."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    unit_type = models.CharField(max_length=10, choices=[(one.value, one.value) for one in UnitType])
    unit = models.CharField(max_length=255)
    day = models.DateField()
    events = models.PositiveIntegerField()
    busiest = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "unit_type", "unit", "day"], name="a_bots_day_is_kept_once")
        ]
        indexes = [models.Index(fields=["project", "day"], name="bots_by_day")]

    def __str__(self) -> str:
        return f"{self.unit} on {self.day}: {self.events} events, {self.busiest} in a minute"


class BotRule(models.Model):
    """Which units a project leaves out of its results: those with more events than this in a day or a minute.

    Experiments that had stopped before ``switched_on_at`` keep the results they have.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="bot_rule")
    most_a_day = models.PositiveIntegerField()
    most_a_minute = models.PositiveIntegerField()
    switched_on_at = models.DateTimeField()
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"more than {self.most_a_day} a day or {self.most_a_minute} a minute"
