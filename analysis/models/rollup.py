"""What the workers fold the event log into: who is enrolled, and each unit's totals by day."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Experiment, Metric, Project, Variant


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

    ``bucket`` (0 to 49) is a fixed hash of the unit, for jackknife and cross-fold estimates. A unit seen in two
    variants is quarantined: counted, shown, and left out of the analysis. ``triggered_at`` is its first exposure at
    which the app found that its variants' outputs differ; ``reports_difference`` says whether the app has said so, or
    the contrary, at all: both populations are kept.

    No foreign-key constraints here and on ``UnitDay``: the fold joins these very tables to write rows by the million,
    and a queued check for each would cost more than the row.
    """

    pk = models.CompositePrimaryKey("experiment_id", "unit")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    unit = models.TextField()
    variant = models.ForeignKey(
        Variant, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    first_at = models.DateTimeField()
    bucket = models.SmallIntegerField()
    quarantined = models.BooleanField(default=False)
    triggered_at = models.DateTimeField(null=True)
    reports_difference = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.unit} in {self.variant_id} since {self.first_at}"


class UnitDay(models.Model):
    """One unit's raw total for one metric on one UTC day after its exposure.

    ``numerator`` counts events or adds a property, refunds subtracted; ``denominator`` counts the denominator events or
    adds their property (ratio), or counts the events that carry the property (mean, quantile), and is 0 for the other
    kinds. Of a distinct count it is the values seen for the first time, of a funnel 1 on the day of its last step.
    Exact decimals, so that folding bit by bit and recomputing at once give the same row. ``missing`` counts events
    whose property was absent or not a number: they add nothing, and they are not forgotten.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "unit", "day")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    unit = models.TextField()
    day = models.DateField()
    numerator = models.DecimalField(max_digits=40, decimal_places=10)
    denominator = models.DecimalField(max_digits=40, decimal_places=10)
    missing = models.IntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.unit} on {self.day}: {self.numerator}/{self.denominator}"


class UnitBefore(models.Model):
    """One unit's total for one metric in the days before its first exposure: the covariate of adjusted results.

    ``numerator`` and ``denominator`` are as in ``UnitDay``. A unit that sent none of the metric's events has no row.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "unit")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    unit = models.TextField()
    numerator = models.DecimalField(max_digits=40, decimal_places=10)
    denominator = models.DecimalField(max_digits=40, decimal_places=10)

    def __str__(self) -> str:
        return f"{self.unit} before: {self.numerator}/{self.denominator}"


class UnitValue(models.Model):
    """How often one unit had one value on one UTC day: what quantiles and distinct counts follow from.

    A quantile's values are rounded to four significant digits, so that a unit has not a row for each event; a distinct
    count's are 64-bit hashes of the value's text, so that no row grows with the text.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "unit", "day", "value")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    unit = models.TextField()
    day = models.DateField()
    value = models.DecimalField(max_digits=40, decimal_places=10)
    events = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.unit} on {self.day}: {self.value} × {self.events}"


class UnitFunnel(models.Model):
    """When one unit reached each step of a funnel, in order; ``latest`` is its newest event of any step.

    An event that is not newer than ``latest`` may change earlier steps: then the unit is read from the log again.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "unit")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+")
    unit = models.TextField()
    reached = ArrayField(models.DateTimeField())
    latest = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.unit} reached {len(self.reached)} steps"


class FoldedExperiment(models.Model):
    """What an experiment's enrolments and unit totals were folded under.

    ``started_at``, ``stopped_at`` and ``plan`` (a digest of its metrics and overrides) are as they were at the last
    fold. When they differ from the experiment's own, the fold rebuilds its state from the log. ``changes`` grows with
    every fold that read rows of the experiment; ``shown_changes`` is its value when the newest snapshot was made.
    ``reads_from`` is the oldest moment of the log that folding it anew needs.
    """

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, primary_key=True, related_name="folded")
    started_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    plan = models.CharField(max_length=32)
    changes = models.PositiveBigIntegerField(default=0)
    shown_changes = models.PositiveBigIntegerField(null=True)
    rebuilt_at = models.DateTimeField()
    reads_from = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.experiment_id} after {self.changes} changes"


class FoldedProject(models.Model):
    """How new the folded events of a project are.

    ``data_up_to`` never lies after the event's arrival; ``newest_at`` is the newest time of an event as its client's
    clock had it, which may be in the future.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="folded")
    data_up_to = models.DateTimeField()
    newest_at = models.DateTimeField()
    events = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.project_id} folded up to {self.data_up_to}"


class StrayExposure(models.Model):
    """Exposures that the fold could not use, by what they named and why: an app's spelling mistake shows here."""

    class Reason(models.TextChoices):
        NO_EXPERIMENT = "no experiment", "No experiment of the project has this key"
        NO_VARIANT = "no variant", "The experiment has no variant with this key"
        NO_UNIT = "no unit", "The event does not carry the id of the experiment's unit"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    experiment = models.CharField(max_length=80)
    variant = models.CharField(max_length=80)
    reason = models.CharField(max_length=13, choices=Reason.choices)
    exposures = models.PositiveBigIntegerField()
    newest_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "experiment", "variant", "reason"], name="stray_exposures_once_per_name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.exposures} exposures of {self.experiment}/{self.variant}: {self.reason}"


class LateDay(models.Model):
    """A day of the log in which, by corrected clocks, something happened after the day was over (rollup/days.py)."""

    day = models.DateField(primary_key=True)
    newest_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.day} holds events up to {self.newest_at}"
