"""Drop days of the log past their retention, once nothing can need them any more.

A day goes when every row in it is folded and catalogued, and no live experiment reads from before its end (its start,
or the days that it adjusts for): its units may still have to be recomputed. Experiments that stopped before keep the
results they have: from the moment that a day of theirs is dropped they are closed, which means that no fold, check or
rebuild touches them, because a recompute from half a log would be wrong. That moment is kept as the watermark
``retention``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models.functions import Coalesce, Least

from analysis.models import FoldedExperiment, Watermark
from analysis.rollup import watermark
from events import retention
from events.retention import OldPartition
from experiments.domain.lifecycle import LIVE
from experiments.models import Experiment

HORIZON = "retention"
MAX = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An old partition, and why it must stay for now (empty: it can go)."""

    partition: OldPartition
    kept_because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the retention would do: ``others`` counts old rows outside of daily partitions."""

    cutoff: date
    planned: list[Planned]
    others: int

    @property
    def to_drop(self) -> list[OldPartition]:
        """Return the partitions that can go."""
        return [each.partition for each in self.planned if not each.kept_because]


def plan(now: datetime) -> Plan | None:
    """Return what is old and what of it can go; None where events are kept for good."""
    days = retention.retention_days()
    if days <= 0:
        return None
    cutoff = now.astimezone(UTC).date() - timedelta(days=days)
    below = _read_below()
    return Plan(cutoff=cutoff, planned=list(_planned(cutoff, below)), others=retention.count_others(cutoff, below))


def drop_expired(now: datetime) -> list[OldPartition]:
    """Drop what can go, each day in a transaction of its own, and return it."""
    expected = plan(now)
    if expected is None:
        return []
    dropped = [partition for partition in expected.to_drop if _drop(partition, expected.cutoff)]
    if expected.others and not any(each.kept_because for each in expected.planned):
        with transaction.atomic():
            watermark.lock()
            _close_before(expected.cutoff)
            retention.delete_others(expected.cutoff, _read_below())
    return dropped


def _planned(cutoff: date, below: int) -> Iterator[Planned]:
    oldest = _oldest_live()
    for partition in retention.old(cutoff):
        yield Planned(partition=partition, kept_because=_reason(partition, cutoff, below, oldest))


def _reason(partition: OldPartition, cutoff: date, below: int, oldest: Experiment | None) -> str:
    if partition.rows and partition.newest_xid >= below:
        return "not everything in it is folded yet"
    if partition.newest_at is not None and partition.newest_at >= _start_of(cutoff):
        return "a client's clock was wrong: it holds newer events than its name says"
    # The days of earlier phases stay as well, for whoever looks at them.
    if oldest is not None and min(oldest.started_at or MAX, needs_from(oldest)) < _end_of(partition.day):
        return f"experiment {oldest.key!r} reads events from before its end and still runs"
    return ""


def _drop(partition: OldPartition, cutoff: date) -> bool:
    """Drop a partition if it still can go, with every fold and rebuild kept out meanwhile."""
    with transaction.atomic():
        watermark.lock()
        if _reason(partition, cutoff, _read_below(), _oldest_live()):
            return False
        _close_before(partition.day + timedelta(days=1))
        retention.drop(partition)
    return True


def _close_before(day: date) -> None:
    """Close the experiments that began before a day."""
    horizon, _ = Watermark.objects.get_or_create(name=HORIZON)
    start = _start_of(day)
    if horizon.data_up_to is None or horizon.data_up_to < start:
        horizon.data_up_to = start
        horizon.save(update_fields=["data_up_to"])


def _read_below() -> int:
    mark = Watermark.objects.filter(name=watermark.NAME).first()
    return min(mark.xid if mark else 0, retention.catalogued_below())


def _oldest_live() -> Experiment | None:
    live = Experiment.objects.filter(status__in=[status.value for status in LIVE], started_at__isnull=False)
    needed = Least("started_at", Coalesce("folded__reads_from", "started_at"))
    return live.annotate(needed=needed).select_related("folded").order_by("needed").first()


def needs_from(experiment: Experiment) -> datetime:
    """Return the oldest moment of the log that folding an experiment anew needs: its start, or what it adjusts for.

    Raises:
        ValueError: the experiment is a draft.
    """
    began = experiment.counts_from
    if began is None:
        raise ValueError(f"{experiment.key} has not started, so it needs nothing of the log yet")
    folded = FoldedExperiment.objects.filter(experiment=experiment, started_at=began).first()
    known = folded.reads_from if folded is not None else None
    return known or began


def is_closed(experiment: Experiment) -> bool:
    """Say whether the log lacks days that folding the experiment anew would need."""
    horizon = Watermark.objects.filter(name=HORIZON, data_up_to__isnull=False).first()
    if horizon is None or horizon.data_up_to is None or experiment.counts_from is None:
        return False
    return needs_from(experiment) < horizon.data_up_to


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _end_of(day: date) -> datetime:
    return _start_of(day + timedelta(days=1))
