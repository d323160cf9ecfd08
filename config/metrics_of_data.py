"""What Prometheus is told of the data themselves: how far events are folded, and by what clocks they come."""

from collections.abc import Iterable
from datetime import UTC

from django.db import connection
from django.db.models import Max, Sum
from django.utils import timezone

from config.metrics import Family, gauge

ARRIVED = ("events", "late", "corrected")


def of_data() -> Iterable[Family]:
    """Return how fresh the folded data are and how today's events came, over all projects."""
    from analysis.freshness import freshness  # here: a server answers before it has need of them
    from events.models import ArrivalDay

    try:
        now = timezone.now()
        found = freshness(now=now)
        today = ArrivalDay.objects.filter(day=now.astimezone(UTC).date())
        sums = today.aggregate(farthest=Max("farthest"), **{name: Sum(name) for name in ARRIVED})
    finally:
        connection.close()  # a scrape may come in any thread, and none should hold a connection until the next
    yield gauge(
        "truelift_fold_lag_seconds", "How long the oldest event that is not folded has waited.", found.lag_seconds
    )
    up_to = found.data_up_to.timestamp() if found.data_up_to else None
    yield gauge("truelift_folded_up_to_seconds", "Newest event that is folded, as seconds since 1970.", up_to)
    yield Family(
        name="truelift_arrivals_today",
        kind="gauge",
        help="Production's events of this UTC day that the catalogue has seen: all, late, by clocks put right.",
        samples=tuple(("", (("how", name),), float(sums[name] or 0)) for name in ARRIVED),
    )
    yield gauge(
        "truelift_worst_clock_seconds",
        "By how much the worst client's clock of this UTC day was off.",
        float(sums["farthest"] or 0),
    )
