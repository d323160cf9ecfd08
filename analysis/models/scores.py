"""What a model predicted for units, where apps send it with the exposure."""

from django.db import models

from experiments.models import Experiment


class UnitScore(models.Model):
    """One unit's first predicted score on one UTC day: its exposures of a day go together, and count once.

    ``value`` is rounded to four significant digits. A unit's variant is that of its enrolment. No foreign-key
    constraints, as on ``Enrolment``.
    """

    pk = models.CompositePrimaryKey("experiment_id", "unit", "day")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    unit = models.TextField()
    day = models.DateField()
    at = models.DateTimeField()
    value = models.DecimalField(max_digits=40, decimal_places=10)

    def __str__(self) -> str:
        return f"{self.unit} on {self.day}: {self.value}"
