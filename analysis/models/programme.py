"""What is kept of each experiment for comparing many: effect vectors, and readings of a whole programme."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from experiments.models import Experiment, Project, Variant


class EffectVector(models.Model):
    """One treatment's effects on every metric with their sampling covariance, for good.

    A row is replaced as data arrives; another definition of a metric begins a new one, and the old one stays. All
    arrays go by ``metrics`` (keys): ``control`` holds the control's values, ``differences`` treatment less control,
    ``log_lifts`` ln(treatment / control), NaN where a value is not above zero. ``covariance`` and ``log_covariance``
    are upper triangles, row by row. ``folds`` holds the log lifts of each of ten folds of hash buckets, fold by fold,
    for estimates that need no covariance. ``trustworthy`` is what the newest result said.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="effect_vectors")
    phase = models.PositiveIntegerField()
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="+")
    definition = models.CharField(max_length=32)
    as_of = models.DateTimeField()
    trustworthy = models.BooleanField()
    units = models.PositiveBigIntegerField()
    control_units = models.PositiveBigIntegerField()
    metrics = ArrayField(models.CharField(max_length=80))
    control = ArrayField(models.FloatField())
    differences = ArrayField(models.FloatField())
    covariance = ArrayField(models.FloatField())
    log_lifts = ArrayField(models.FloatField())
    log_covariance = ArrayField(models.FloatField())
    folds = ArrayField(models.FloatField())

    class Meta:
        ordering = ["-as_of"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "phase", "variant", "definition"], name="one_effect_vector_per_definition"
            )
        ]

    def __str__(self) -> str:
        return f"{self.variant} of {self.experiment} on {len(self.metrics)} metrics as of {self.as_of:%Y-%m-%d}"


class ProgrammeReading(models.Model):
    """What a programme said when it was last asked: made from effect vectors, kept so that pages need not wait.

    ``choice`` names what was asked; ``version`` the data it was answered from, so that a page can say that newer is
    there. It holds nothing that the vectors do not, and may be deleted at any time.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=16)
    choice = models.CharField(max_length=400)
    version = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    seconds = models.FloatField()
    payload = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "topic", "choice"], name="one_programme_reading_per_choice")
        ]

    def __str__(self) -> str:
        return f"{self.topic} of {self.project} ({self.choice}) at {self.made_at:%Y-%m-%d %H:%M}"


class InteractionScan(models.Model):
    """Two experiments that ran at the same time, and whether one changes what the other does.

    ``first`` is the older one. ``seen`` is a digest of what was read; ``tuned_for`` the shared units at which the tests
    are sharpest, fixed at the first scan, because they may be looked at every day. ``reason`` says why nothing could be
    tested; else ``tests`` holds ``programme.schema.InteractionTest``, one a metric and pair of treatments.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    first = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="+")
    seen = models.CharField(max_length=64)
    scanned_at = models.DateTimeField()
    units = models.PositiveBigIntegerField()
    tuned_for = models.PositiveBigIntegerField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    tests = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["first", "second"], name="one_interaction_scan_per_pair")]

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {self.reason or f'{len(self.tests)} tests'}"


class HoldbackWatch(models.Model):
    """What a holdback is held to, declared before it is looked at, and what it has said since.

    ``metric``, ``effect``, ``standard_error``, ``scale``, ``alpha``, ``sign`` and ``block_days`` never change once
    written. Effects are log lifts with better as positive. ``blocks`` and ``covariance`` (upper triangle) are those of
    the finished blocks of time; ``largest`` is the highest bet against a lasting effect so far.
    """

    holdback = models.OneToOneField(Experiment, on_delete=models.CASCADE, primary_key=True, related_name="watch")
    metric = models.CharField(max_length=80)
    declared_at = models.DateTimeField()
    effect = models.FloatField(null=True)
    standard_error = models.FloatField(null=True)
    scale = models.FloatField(null=True)
    alpha = models.FloatField()
    sign = models.SmallIntegerField()
    block_days = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField(null=True)
    blocks = ArrayField(models.FloatField(), default=list)
    covariance = ArrayField(models.FloatField(), default=list)
    largest = models.FloatField(default=1.0)
    decayed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.holdback} held to {self.metric}"
