"""What the workers fold the event log into: who is enrolled, and each unit's totals by day."""

from django.db import models

from experiments.models import Experiment, Metric, Variant


class Watermark(models.Model):
    """How far a fold has read the log: every transaction below ``xid`` is in, none at or above it is.

    A transaction id and not a row id, because rows commit out of the order of their ids.
    """

    name = models.CharField(max_length=40, primary_key=True)
    xid = models.PositiveBigIntegerField(default=0)
    data_up_to = models.DateTimeField(null=True)
    advanced_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} has read up to transaction {self.xid}"


class Enrolment(models.Model):
    """A unit's first exposure to an experiment.

    ``bucket`` (0 to 49) is a fixed hash of the unit, for jackknife and cross-fold estimates. A unit seen in two variants
    is quarantined: counted, shown, and left out of the analysis.
    """

    pk = models.CompositePrimaryKey("experiment_id", "unit")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    unit = models.TextField()
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, db_index=False, related_name="+")
    first_at = models.DateTimeField()
    bucket = models.SmallIntegerField()
    quarantined = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.unit} in {self.variant_id} since {self.first_at}"


class UnitDay(models.Model):
    """One unit's raw total for one metric on one UTC day after its exposure.

    ``numerator`` counts events (proportion, count, ratio) or adds a property (sum, average); ``denominator`` counts
    the denominator events (ratio) or the events that carry the property (average), and is 0 for the other kinds.
    Exact decimals, so that folding bit by bit and recomputing at once give the same row.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "unit", "day")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, db_index=False, related_name="+")
    unit = models.TextField()
    day = models.DateField()
    numerator = models.DecimalField(max_digits=40, decimal_places=10)
    denominator = models.DecimalField(max_digits=40, decimal_places=10)

    def __str__(self) -> str:
        return f"{self.unit} on {self.day}: {self.numerator}/{self.denominator}"
