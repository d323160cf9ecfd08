"""What units add up to, kept by the fold, so that a result need not read every unit again."""

from django.db import models

from experiments.models import Experiment


class SumRule(models.Model):
    """How one metric of an experiment is added up in ``DaySum``. What has no rule is not kept.

    ``slot`` is the metric, or minus the metric where the same is added up without its cap, or 0 for units alone.
    ``divided``: with a denominator. ``hours`` after its exposure a unit counts. ``most``: what one unit counts at most;
    ``found_at``: since when that is so, where it is a percentile.
    """

    pk = models.CompositePrimaryKey("experiment_id", "slot")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    slot = models.BigIntegerField()
    metric_id = models.BigIntegerField()
    divided = models.BooleanField()
    hours = models.IntegerField()
    most = models.DecimalField(max_digits=80, decimal_places=10, null=True)
    found_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.experiment_id} keeps {self.slot}"


class DaySum(models.Model):
    """What one day adds to sums over the units of a variant: y and its powers, x, and their product. Exact.

    ``entered`` is the UTC day from which these units count, or the beginning of time where a metric waits for nothing:
    so units whose window is not over are left out by a comparison. ``day`` is when they counted and had done this.
    ``units`` entered on it, ``unit_days`` rows of ``UnitDay`` were added. Variant 0 stands for units in quarantine.
    """

    pk = models.CompositePrimaryKey("experiment_id", "slot", "variant_id", "entered", "day")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    slot = models.BigIntegerField()
    variant_id = models.BigIntegerField()
    entered = models.DateField()
    day = models.DateField()
    units = models.BigIntegerField()
    unit_days = models.BigIntegerField()
    missing = models.BigIntegerField()
    y = models.DecimalField(max_digits=200, decimal_places=30)
    yy = models.DecimalField(max_digits=200, decimal_places=30)
    yyy = models.DecimalField(max_digits=200, decimal_places=30)
    x = models.DecimalField(max_digits=200, decimal_places=30)
    xx = models.DecimalField(max_digits=200, decimal_places=30)
    xy = models.DecimalField(max_digits=200, decimal_places=30)

    def __str__(self) -> str:
        return f"{self.slot} of {self.experiment_id} on {self.day}"


class CrossRule(models.Model):
    """A metric of an experiment whose sums are kept in ``CrossSum``; its columns are as in ``SumRule``."""

    pk = models.CompositePrimaryKey("experiment_id", "metric_id")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    metric_id = models.BigIntegerField()
    divided = models.BooleanField()
    hours = models.IntegerField()
    most = models.DecimalField(max_digits=80, decimal_places=10, null=True)

    def __str__(self) -> str:
        return f"{self.experiment_id} keeps {self.metric_id} with what came before"


class CrossSum(models.Model):
    """Sums over a variant's units of y and x, after their exposure, with p and q, before it. Exact.

    y and p are above, x and q below where the metric is a ratio; ``had``, in products h, is 1 where a unit did
    something before. ``entered`` is as in ``DaySum``. Units that did nothing at all add nothing.
    """

    pk = models.CompositePrimaryKey("experiment_id", "metric_id", "variant_id", "entered")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, db_index=False, related_name="+")
    metric_id = models.BigIntegerField()
    variant_id = models.BigIntegerField()
    entered = models.DateField()
    had = models.BigIntegerField()
    p = models.DecimalField(max_digits=200, decimal_places=30)
    q = models.DecimalField(max_digits=200, decimal_places=30)
    pp = models.DecimalField(max_digits=200, decimal_places=30)
    qq = models.DecimalField(max_digits=200, decimal_places=30)
    pq = models.DecimalField(max_digits=200, decimal_places=30)
    y = models.DecimalField(max_digits=200, decimal_places=30)
    x = models.DecimalField(max_digits=200, decimal_places=30)
    yy = models.DecimalField(max_digits=200, decimal_places=30)
    xx = models.DecimalField(max_digits=200, decimal_places=30)
    xy = models.DecimalField(max_digits=200, decimal_places=30)
    yp = models.DecimalField(max_digits=200, decimal_places=30)
    yq = models.DecimalField(max_digits=200, decimal_places=30)
    yh = models.DecimalField(max_digits=200, decimal_places=30)
    xp = models.DecimalField(max_digits=200, decimal_places=30)
    xq = models.DecimalField(max_digits=200, decimal_places=30)
    xh = models.DecimalField(max_digits=200, decimal_places=30)

    def __str__(self) -> str:
        return f"{self.metric_id} of {self.experiment_id} with what came before"
