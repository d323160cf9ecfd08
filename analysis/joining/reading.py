"""Hold an experiment's exposures against the events that its metrics count.

Units that were exposed a day ago or earlier and have sent nothing that counts since are *silent*. Some always are; a
variant in which more are has lost its events, or keeps people from doing anything. The other way round, the newest
events are looked at: whether they carry the experiment's unit at all, and whether any of their units was ever exposed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.counted import data_up_to, of_plan
from analysis.joining.shapes import shape
from analysis.rollup import identities, sql, units
from analysis.stats.left_out import Uneven, uneven
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import Definition
from experiments.domain.units import UnitType
from experiments.models import Experiment

TIME_TO_ACT = timedelta(days=1)
"""Whoever was exposed a minute ago is not silent yet."""
LOOKED_BACK = timedelta(days=2)
NEWEST = 5_000
EXAMPLES = 20
FEWEST_UNITS = 50
"""Below this many on either side that none match may be chance."""
SMALLEST_DIFFERENCE = 0.1
"""An effect on whether people act at all moves the share of silent units too, by a few percent of it; lost events move
it by more. Smaller differences between variants are therefore not called, however certain they are."""

SILENT = """
SELECT v.key, v.name, count(e.unit), count(e.unit) FILTER (
    WHERE NOT EXISTS (SELECT FROM analysis_unitday d WHERE d.experiment_id = e.experiment_id AND d.unit = e.unit
                      AND d.metric_id = ANY(%(metrics)s))
      AND NOT EXISTS (SELECT FROM analysis_unitfunnel f WHERE f.experiment_id = e.experiment_id AND f.unit = e.unit
                      AND f.metric_id = ANY(%(metrics)s)))
FROM experiments_variant v
LEFT JOIN analysis_enrolment e ON e.experiment_id = v.experiment_id AND e.variant_id = v.id AND NOT e.quarantined
 AND e.first_at < %(until)s::timestamptz
WHERE v.experiment_id = %(experiment)s
GROUP BY v.id, v.key, v.name, v.position ORDER BY v.position, v.id
"""
# The other id of an event, where its sender put the unit's by mistake.
MET = """
WITH newest AS (
    SELECT l.name, {unit} AS unit, {other} AS other
    FROM events_log l
    WHERE l.ts >= %(since)s::timestamptz AND l.project_id = %(project)s AND l.name = ANY(%(names)s)
      AND l.environment = 0 AND l.at >= %(began)s::timestamptz
    ORDER BY l.xid DESC LIMIT %(newest)s
)
SELECT count(*), count(*) FILTER (WHERE n.unit IS NULL), count(DISTINCT n.unit), count(DISTINCT n.unit) FILTER (
           WHERE e.unit IS NOT NULL),
       count(*) FILTER (WHERE e.unit IS NULL AND o.unit IS NOT NULL),
       (array_agg(DISTINCT n.unit) FILTER (WHERE n.unit IS NOT NULL AND e.unit IS NULL))[1:%(examples)s]
FROM newest n
LEFT JOIN analysis_enrolment e ON e.experiment_id = %(experiment)s AND e.unit = n.unit
LEFT JOIN analysis_enrolment o ON o.experiment_id = %(experiment)s AND o.unit = n.other
"""
EXPOSED = """
SELECT unit FROM analysis_enrolment WHERE experiment_id = %(experiment)s LIMIT %(examples)s
"""
_FIELDS = {UnitType.USER: "userId", UnitType.DEVICE: "anonymousId"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfVariant:
    """A variant's units that had a day to act, and those of them that sent nothing that counts."""

    key: str
    name: str
    exposed: int
    silent: int

    @property
    def share(self) -> float | None:
        """Return the silent share."""
        return self.silent / self.exposed if self.exposed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """The newest events that metrics count, and whether their units were exposed.

    Attributes:
        events: how many were looked at.
        without_unit: events that carry no unit of the experiment's type.
        units, exposed: distinct units of the events, and those of them that are enrolled.
        by_other_id: events whose unit is not enrolled, but whose other id (user instead of device) is.
        event_ids, exposure_ids: examples of the two, to be looked at and not kept.
    """

    events: int
    without_unit: int
    units: int
    exposed: int
    by_other_id: int
    event_ids: tuple[str, ...]
    exposure_ids: tuple[str, ...]

    @property
    def unexposed(self) -> int:
        """Return the units with events and without an exposure: normal for those outside the experiment."""
        return self.units - self.exposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """How exposures and events of one experiment meet."""

    unit_type: UnitType
    names: tuple[str, ...]
    variants: tuple[OfVariant, ...]
    met: Met
    silence: Uneven | NotComputable

    @property
    def exposed(self) -> int:
        """Return the units that had a day to act."""
        return sum(one.exposed for one in self.variants)

    @property
    def silent(self) -> int:
        """Return those of them that sent nothing that counts."""
        return sum(one.silent for one in self.variants)

    @property
    def never_meet(self) -> bool:
        """Say whether both sides have units and none is the same: then they name units in different ways."""
        both = min(self.exposed, self.met.units) >= FEWEST_UNITS
        return both and self.silent == self.exposed and self.met.exposed == 0

    @property
    def mostly_without_unit(self) -> bool:
        """Say whether most events lack the experiment's unit, so that they can count for nobody."""
        return self.met.events >= FEWEST_UNITS and self.met.without_unit > self.met.events / 2

    @property
    def is_uneven(self) -> bool:
        """Say whether the silent share differs between variants by more than chance, and by more than effects do."""
        if self.never_meet or isinstance(self.silence, NotComputable) or not self.silence.uneven:
            return False
        control, *treatments = self.silence.shares
        return any(abs(share - control) >= SMALLEST_DIFFERENCE * max(share, control) for share in treatments)

    @property
    def is_wrong(self) -> bool:
        """Say whether anything asks for somebody."""
        return self.never_meet or self.mostly_without_unit or self.is_uneven

    @property
    def field(self) -> str:
        """Return where an event carries the experiment's unit."""
        return field_of(self.unit_type)


def field_of(unit_type: UnitType) -> str:
    """Return what a unit's id is called in events."""
    return _FIELDS.get(unit_type, f"the property {unit_type.value}_id")


def read(experiment: Experiment, now: datetime) -> Joining | NotComputable:
    """Return how exposures and events of a started experiment meet."""
    began, newest = experiment.counts_from, data_up_to(experiment, now)
    counted = of_plan(experiment)
    if began is None or newest is None:
        return NotComputable("nothing has arrived yet")
    if not counted:
        return NotComputable("the experiment has no metric whose events could be looked for")
    names = tuple(sorted({name for one in counted for name in _names(one.definition)}))
    asked: dict[str, sql.Parameter] = {
        "experiment": experiment.pk, "metrics": [one.metric for one in counted],
        "until": (newest - TIME_TO_ACT).isoformat(),
    }  # fmt: skip
    variants = tuple(
        OfVariant(key=key, name=name, exposed=exposed, silent=silent)
        for key, name, exposed, silent in sql.rows(SILENT, asked)
    )
    return Joining(
        unit_type=UnitType(experiment.unit_type),
        names=names,
        variants=variants,
        met=_met(experiment, names, began, newest),
        silence=uneven([one.silent for one in variants], [one.exposed for one in variants]),
    )


def _names(definition: Definition) -> list[str]:
    steps = [step.event for step in definition.steps]
    return [name for name in (definition.event, definition.denominator_event, *steps) if name]


def _met(experiment: Experiment, names: tuple[str, ...], began: datetime, newest: datetime) -> Met:
    unit_type = UnitType(experiment.unit_type)
    asked: dict[str, sql.Parameter] = {
        "experiment": experiment.pk, "project": experiment.project_id, "names": list(names), "newest": NEWEST,
        "since": (newest - LOOKED_BACK).isoformat(), "began": began.isoformat(), "examples": EXAMPLES,
    }  # fmt: skip
    other = "l.user_id" if unit_type is UnitType.DEVICE else "l.anonymous_id"
    ((events, without, named, exposed, by_other, ids),) = sql.rows(
        MET.format(unit=_unit_in_log(experiment), other=other), asked
    )
    return Met(
        events=events,
        without_unit=without,
        units=named,
        exposed=exposed,
        by_other_id=by_other,
        event_ids=tuple(ids or ()),
        exposure_ids=tuple(unit for (unit,) in sql.rows(EXPOSED, asked)),
    )


def _unit_in_log(experiment: Experiment) -> str:
    """Return the SQL of the unit that a row of the log counts for, as the fold has it: linked ids are one."""
    fallback = experiment.fallback_unit_type
    basis = units.Basis(unit_type=UnitType(experiment.unit_type), fallback=UnitType(fallback) if fallback else None)
    return basis.in_log(identities.linked_projects() if basis.takes_links else ())


def shapes(met: Met) -> tuple[str, str]:
    """Return what ids of exposures and of events look like."""
    return shape(met.exposure_ids), shape(met.event_ids)
