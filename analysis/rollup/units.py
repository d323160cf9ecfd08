"""Which unit a row of events counts for: the SQL of it, for an experiment's unit and the unit it falls back to.

A row says who its user was by the ids that it carries. Where ids are linked (identities.py) the user is the person
behind them; ``linked`` names the projects that have links at all, so that all others pay nothing for it. Rows of
``fold_event`` know their person already.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.rollup import sql
from experiments.domain.units import UnitType

TAKES_LINKS = "x.unit_type = 'user' AND x.fallback_unit_type IN ('', 'device')"
"""The experiments ``x`` in which linked ids are one unit."""

_PERSON = """coalesce(
    CASE WHEN l.project_id = ANY('{{{projects}}}') THEN (
        SELECT i.person FROM analysis_identity i
        WHERE i.project_id = l.project_id AND i.alias = coalesce(l.user_id, l.anonymous_id)) END, l.user_id)"""
_FOLDED_PERSON = "coalesce(l.person, l.user_id)"

_ROWS = "SELECT l.name, l.at, l.props FROM events_log l WHERE {ids} {condition}"
_OF_ALIASES = """
    SELECT a.name, a.at, a.props FROM analysis_identity i CROSS JOIN LATERAL ({rows} OFFSET 0) a
    WHERE i.project_id = x.project_id AND i.person = e.unit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What an experiment randomises over, and what it falls back to where an event does not name that."""

    unit_type: UnitType
    fallback: UnitType | None = None

    @property
    def takes_links(self) -> bool:
        """Say whether linked ids are one unit."""
        return self.unit_type is UnitType.USER and self.fallback in (None, UnitType.DEVICE)

    @property
    def condition(self) -> str:
        """Return the condition that an experiment ``x`` is of this basis."""
        fallback = self.fallback.value if self.fallback else ""
        return f"x.unit_type = '{self.unit_type.value}' AND x.fallback_unit_type = '{fallback}'"

    @property
    def folded(self) -> str:
        """Return the condition on experiments ``x`` and the rows ``l`` of ``fold_event`` that are new to them."""
        return self.condition if self.takes_links else f"{self.condition} AND NOT l.past"

    def in_fold(self) -> str:
        """Return the unit of a row ``l`` of ``fold_event``."""
        return self._or_fallback(_FOLDED_PERSON if self.takes_links else unit_of(self.unit_type))

    def in_log(self, linked: Sequence[int]) -> str:
        """Return the unit of a row ``l`` of the log."""
        return self._or_fallback(person(linked) if self.takes_links else unit_of(self.unit_type))

    def indexed(self) -> str:
        """Return the condition under which the log's index on the unit holds a row ``l``; none with a fallback."""
        return "" if self.fallback else indexed(self.unit_type)

    def by_index(self, linked: Sequence[int], condition: str) -> str:
        """Return a query of all rows of a unit ``e`` of an experiment ``x``, each found by an index of the log."""
        own, rows = unit_of(self.unit_type), _ROWS.replace("{condition}", condition)
        found = [rows.replace("{ids}", f"{own} = e.unit {indexed(self.unit_type)}")]
        if self.fallback is not None:
            nobody = f"{person(linked) if self.takes_links else own} IS NULL"
            other = f"{unit_of(self.fallback)} = e.unit {indexed(self.fallback)}"
            found.append(rows.replace("{ids}", f"{other} AND {nobody}"))
        if self.takes_links and linked:
            for ids in ("l.user_id = i.alias", "l.anonymous_id = i.alias AND l.user_id IS NULL"):
                found.append(_OF_ALIASES.replace("{rows}", rows.replace("{ids}", ids)))
        return " UNION ALL ".join(f"({one})" for one in found)

    def _or_fallback(self, unit: str) -> str:
        return unit if self.fallback is None else f"coalesce({unit}, {unit_of(self.fallback)})"


def bases(condition: str) -> list[Basis]:
    """Return the bases of the experiments ``x`` of a fold that meet a condition: seldom more than two."""
    found = sql.rows(
        f"SELECT DISTINCT x.unit_type, x.fallback_unit_type FROM fold_experiment x WHERE {condition}"  # noqa: S608
    )
    return [
        Basis(unit_type=UnitType(name), fallback=UnitType(fallback) if fallback else None) for name, fallback in found
    ]


def person(linked: Sequence[int]) -> str:
    """Return the person behind the ids of a row ``l`` of the log; without a user and a link there is none."""
    return _PERSON.format(projects=",".join(map(str, linked))) if linked else "l.user_id"


def unit_of(unit_type: str) -> str:
    """Return the SQL that reads the id of a unit of this type from a row ``l`` of the log."""
    match UnitType(unit_type):
        case UnitType.USER:
            return "l.user_id"
        case UnitType.DEVICE:
            return "l.anonymous_id"
        case other:
            return f"(l.props ->> '{other.value}_id')"


def indexed(unit_type: str) -> str:
    """Return the condition under which the log's index on this unit type holds a row ``l``."""
    name = f"{UnitType(unit_type).value}_id"
    if unit_type in (UnitType.USER, UnitType.DEVICE):
        return ""
    return f"AND l.props ? '{name}' AND char_length(l.props ->> '{name}') <= 255"


def any_in_fold() -> str:
    """Return the unit of a row ``l`` of ``fold_event`` for whatever basis the experiment ``x`` has."""
    return _any(_FOLDED_PERSON)


def any_in_log(linked: Sequence[int]) -> str:
    """Return the unit of a row ``l`` of the log for whatever basis the experiment ``x`` has."""
    return _any(person(linked))


def _any(somebody: str) -> str:
    return (
        f"coalesce(CASE WHEN {TAKES_LINKS} THEN {somebody} WHEN x.unit_type = 'user' THEN l.user_id "
        "WHEN x.unit_type = 'device' THEN l.anonymous_id ELSE l.props ->> (x.unit_type || '_id') END, "
        "CASE x.fallback_unit_type WHEN '' THEN NULL WHEN 'user' THEN l.user_id WHEN 'device' THEN l.anonymous_id "
        "ELSE l.props ->> (x.fallback_unit_type || '_id') END)"
    )
