"""Quantiles as they were read from every value of every unit."""

import math
from typing import TypedDict

from django.db import models

from analysis.stats.estimates import Estimate
from analysis.stats.unavailable import NotComputable
from experiments.models import Experiment


class Columns(TypedDict):
    """What a reading found: an estimate, or the reason why there is none."""

    units: int
    value: float | None
    variance: float | None
    reason: str


class QuantileReading(models.Model):
    """A quantile of one metric in one variant as it was at ``read_at``.

    ``level`` in ten-thousandths, ``hours`` after its exposure a unit counts, ``until`` the last day that was read (the
    end of time where that is open). ``values``: how many there were in all variants. ``units`` of this variant.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "variant_id")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    metric_id = models.BigIntegerField()
    variant_id = models.BigIntegerField()
    read_at = models.DateTimeField()
    level = models.IntegerField()
    hours = models.IntegerField()
    until = models.DateField()
    values = models.BigIntegerField()
    units = models.BigIntegerField()
    value = models.FloatField(null=True)
    variance = models.FloatField(null=True)
    reason = models.TextField()

    def __str__(self) -> str:
        return f"{self.metric_id} of {self.experiment_id} in {self.variant_id}: {self.value}"

    @staticmethod
    def columns_of(found: Estimate | NotComputable) -> Columns:
        """Return an estimate, or why there is none, as columns."""
        if isinstance(found, NotComputable):
            return Columns(units=0, value=None, variance=None, reason=found.reason)
        return Columns(units=found.n, value=found.value, variance=found.variance, reason="")

    @property
    def estimate(self) -> Estimate | NotComputable:
        """The quantile, or why there is none."""
        if self.value is None or self.variance is None:
            return NotComputable(self.reason)
        return Estimate(n=self.units, value=self.value, variance=self.variance, df=math.inf)
