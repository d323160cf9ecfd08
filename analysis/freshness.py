"""How new the folded data are, and what could not be used of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from analysis.models import FoldedProject, StrayExposure, Watermark
from analysis.rollup import sql, watermark
from experiments.models import Project

LATE_AFTER = timedelta(minutes=5)
"""The schedule folds every minute: an event that waits longer means that no worker runs, or a transaction hangs."""

# By transaction and not by time: the index on xid gives the first row at once, and it arrived first but for moments.
OLDEST_UNFOLDED = "SELECT received_at FROM events_log WHERE xid >= %(lo)s::xid8 ORDER BY xid LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far the log is folded. ``lag_seconds`` is how long the oldest unfolded event has waited, 0 when none does."""

    data_up_to: datetime | None
    folded_at: datetime | None
    lag_seconds: float

    @property
    def is_late(self) -> bool:
        """Say whether events wait longer than a working installation ever lets them."""
        return self.lag_seconds > LATE_AFTER.total_seconds()


def freshness(project: Project | None = None, now: datetime | None = None) -> Freshness:
    """Return how fresh the folded data are, of one project or of the whole installation."""
    mark = Watermark.objects.filter(name=watermark.NAME).first()
    waiting = sql.rows(OLDEST_UNFOLDED, {"lo": str(mark.xid if mark else 0)})
    folded = FoldedProject.objects.order_by("-data_up_to")
    if project is not None:
        folded = folded.filter(project=project)
    lag = (now or timezone.now()) - waiting[0][0] if waiting else timedelta(0)
    return Freshness(
        data_up_to=folded.values_list("data_up_to", flat=True).first(),
        folded_at=mark.advanced_at if mark else None,
        lag_seconds=max(0.0, lag.total_seconds()),
    )


def strays(project: Project, limit: int = 20) -> list[StrayExposure]:
    """Return the exposures that could not be used, the most frequent first."""
    return list(StrayExposure.objects.filter(project=project).order_by("-exposures")[:limit])
