"""The most that one unit counts, where that is a percentile of all units: found anew, or as it was found a while ago.

What the percentile is moves with every unit, and to find it is to read them all. Of many units the amount that was
found stays the cap for a while (``good_for``), in every variant alike, and so the fold can keep the sums under it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils import timezone

from analysis.ages import good_for
from analysis.counted import Counted, kept_units
from analysis.models import SumRule
from analysis.rollup import sql
from experiments.models import Experiment

# The total at a percentile of all units that count, counted from the top: those without events are zeros.
PERCENTILE = """
WITH counted AS (
    SELECT unit FROM analysis_enrolment
    WHERE experiment_id = %(experiment)s AND NOT quarantined
      AND (%(hours)s = 0 OR first_at + make_interval(hours => %(hours)s) <= %(horizon)s::timestamptz)
)
SELECT sum(u.numerator)::float8 AS total
FROM analysis_unitday u JOIN counted e ON e.unit = u.unit
WHERE u.experiment_id = %(experiment)s AND u.metric_id = %(metric)s
GROUP BY u.unit ORDER BY total DESC
OFFSET (SELECT count(*) - ceil(count(*) * %(share)s::numeric / 10000) FROM counted) LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that one unit counts; None where a percentile is no amount.

    ``found_at``: since when a percentile that stays for a while is this. ``stays``: the sums under it can be kept.
    """

    most: float | None
    found_at: datetime | None = None
    stays: bool = True


def current(
    experiment: Experiment, metrics: Sequence[Counted], horizon: datetime, *, only_staying: bool = False
) -> dict[int, Cap]:
    """Return metric -> its cap, for metrics that have one; percentiles of many units as they were a while ago.

    ``only_staying``: do not find those that do not stay what they are; they are None.
    """
    found = {one.metric: Cap(most=one.limit) for one in metrics if one.definition.is_capped}
    moving = [one for one in metrics if one.definition.cap_share is not None]
    if not moving:
        return found
    now = timezone.now()
    # What a stopped experiment comes to is read for years: it is not left to the last look.
    age = good_for(kept_units(experiment)) if experiment.stopped_at is None else timedelta(0)
    kept = SumRule.objects.filter(experiment=experiment, found_at__gt=now - age) if age else SumRule.objects.none()
    there = {rule.slot: rule for rule in kept}
    for one in moving:
        if one.metric in there:
            found[one.metric] = _as_it_was(there[one.metric])
        elif age or not only_staying:
            most = percentile(experiment, one, horizon)
            found[one.metric] = Cap(most=most, found_at=now if age else None, stays=bool(age))
        else:
            found[one.metric] = Cap(most=None, stays=False)
    return found


def as_kept(experiment: Experiment, one: Counted) -> Counted:
    """Return the metric with its cap, where that is a percentile which stays what it was for a while."""
    rule = SumRule.objects.filter(experiment=experiment, slot=one.metric, found_at__isnull=False).first()
    return one if rule is None else replace(one, cap=_as_it_was(rule).most)


def percentile(experiment: Experiment, one: Counted, horizon: datetime) -> float | None:
    """Return the metric's percentile of all units that count by now; None where it is no amount."""
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk, "metric": one.metric, "hours": one.matures, "horizon": horizon.isoformat(),
        "share": one.definition.cap_share or 0,
    }  # fmt: skip
    found = sql.rows(PERCENTILE, parameters)
    return found[0][0] if found and found[0][0] > 0 else None


def amounts(caps: Mapping[int, Cap]) -> dict[int, float | None]:
    """Return metric -> the most that one unit counts."""
    return {metric: cap.most for metric, cap in caps.items()}


def _as_it_was(rule: SumRule) -> Cap:
    return Cap(most=None if rule.most is None else float(rule.most), found_at=rule.found_at)
