"""Layers: experiments in one layer share no unit."""

from django.db import models
from django.utils import timezone

from experiments.domain.units import OFFERED, UnitType
from experiments.models.accounts import Project, User
from experiments.models.salt import new_salt


class Layer(models.Model):
    """A division of all units into 10,000 places, of which each experiment in the layer holds its own."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="layers")
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    unit_type = models.CharField(
        max_length=12, choices=[(u.value, u.value.capitalize()) for u in OFFERED], default=UnitType.USER.value
    )
    salt = models.CharField(max_length=32, default=new_salt)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="layer_key_once_per_project")]

    def __str__(self) -> str:
        return self.name
