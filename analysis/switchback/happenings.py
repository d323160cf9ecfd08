"""What happened in each region's block, with the first minutes apart, added up by the database that holds the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from experiments.domain.designs.switchback import SwitchbackDesign
from experiments.domain.metrics import MetricKind
from experiments.models.metric import Defined

CLOCKS = timedelta(days=7)
"""The log is cut by the client's own time: how far that may be from the corrected one before an event is missed."""

_HAPPENED = """
SELECT region, block, moment - block * %(length)s < %(burn_in)s AS early, count(*), coalesce(sum(value), 0)::float8,
       count(value)
FROM (
    SELECT {region} AS region, floor(extract(epoch FROM l.at) / %(length)s)::bigint AS block,
           extract(epoch FROM l.at)::float8 AS moment, {value} AS value
    FROM events_log l
    WHERE l.project_id = %(project)s AND l.name = %(event)s AND l.environment = 0
      AND l.ts >= %(first)s AND l.ts < %(last)s AND l.at >= %(since)s AND l.at < %(until)s
    OFFSET 0
) x
GROUP BY region, block, early
"""

Cell = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Events of one name in a part of a block: how many, the total of a property, how many carried it."""

    events: int
    total: float
    valued: int

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            events=self.events + other.events, total=self.total + other.total, valued=self.valued + other.valued
        )


NOTHING = Amount(events=0, total=0.0, valued=0)
Parts = dict[Cell, dict[bool, Amount]]
"""By region and block, and by whether it was within the first minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of which project and time."""

    project: int
    design: SwitchbackDesign
    since: datetime
    until: datetime


def happened(asked: Asked, event: str, name: str) -> Parts:
    """Return the amounts of one event; ``name`` is the property that is added up, or empty."""
    given: dict[str, Any] = {
        "project": asked.project,
        "event": event,
        "property": name,
        "place": asked.design.region_property,
        "length": asked.design.block_minutes * 60,
        "burn_in": asked.design.burn_in_minutes * 60,
        "since": asked.since,
        "until": asked.until,
        "first": asked.since - CLOCKS,
        "last": asked.until + CLOCKS,
    }
    statement = _HAPPENED.format(
        region="coalesce(l.props ->> %(place)s, '')" if asked.design.regions else "''",
        value="analysis_number(l.props -> %(property)s)" if name else "NULL::numeric",
    )
    found: Parts = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        for region, block, early, events, total, valued in cursor.fetchall():
            found.setdefault((region, block), {})[early] = Amount(events=events, total=total, valued=valued)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A metric's parts: what is counted, and what that is divided by (None: by the hours that count)."""

    kind: MetricKind
    top: Parts
    bottom: Parts | None

    def value(self, cell: Cell, *, skip_early: bool, hours: float) -> float | None:
        """Return the metric's value in a block; None where there is nothing to divide by."""
        top = _of(self.top, cell, skip_early=skip_early)
        if self.kind is MetricKind.MEAN:
            return top.total / top.valued if top.valued else None
        if self.kind is MetricKind.RATIO:
            bottom = NOTHING if self.bottom is None else _of(self.bottom, cell, skip_early=skip_early)
            return top.events / bottom.events if bottom.events else None
        return (top.total if self.kind is MetricKind.SUM else top.events) / hours


def _of(parts: Mapping[Cell, Mapping[bool, Amount]], cell: Cell, *, skip_early: bool) -> Amount:
    found = parts.get(cell, {})
    late = found.get(False, NOTHING)
    return late if skip_early else late + found.get(True, NOTHING)


def counted(asked: Asked, definition: Defined) -> Counted:
    """Return what happened of one metric."""
    kind = MetricKind(definition.kind)
    with_property = kind in (MetricKind.SUM, MetricKind.MEAN)
    return Counted(
        kind=kind,
        top=happened(asked, definition.event, definition.property if with_property else ""),
        bottom=happened(asked, definition.denominator_event, "") if kind is MetricKind.RATIO else None,
    )
