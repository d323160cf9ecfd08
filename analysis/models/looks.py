"""The looks at experiments that are read while they run."""

from django.db import models

from experiments.models import Experiment


class Look(models.Model):
    """One look, at most one a UTC day of an experiment's phase: the day's last snapshot counts.

    ``units`` is the information it had. ``is_last``: the planned number of units or the planned end was reached, so
    that all of the risk is spent and later units are not read.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="looks")
    phase = models.PositiveIntegerField()
    day = models.DateField()
    units = models.PositiveBigIntegerField()
    is_last = models.BooleanField(default=False)

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["experiment", "phase", "day"], name="one_look_a_day")]

    def __str__(self) -> str:
        return f"{self.experiment} on {self.day}: {self.units} units"
