"""Who is known under which ids, read for pages, the API and erasures (rollup/identities.py keeps it)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from analysis.models import Identity, Link
from analysis.rollup import identities, sql
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project

MERGED = """
SELECT count(*), count(*) FILTER (WHERE e.quarantined)
FROM (SELECT DISTINCT person FROM analysis_identity WHERE project_id = %(project)s) i
JOIN analysis_enrolment e ON e.experiment_id = %(experiment)s AND e.unit = i.person
"""
# What leads to an id, by the links that count.
LEADING = """
WITH RECURSIVE upward AS (
    SELECT %(id)s::text AS alias
    UNION
    SELECT k.alias FROM upward t JOIN analysis_link k ON k.project_id = %(project)s AND k.user_id = t.alias
    JOIN analysis_identity i ON i.project_id = k.project_id AND i.alias = k.alias AND i.person = %(person)s
)
SELECT alias FROM upward
"""
TOGETHER = """
WITH p AS (
    SELECT coalesce(i.person, g.id) AS person FROM unnest(%(ids)s::text[]) AS g(id)
    LEFT JOIN analysis_identity i ON i.project_id = %(project)s AND i.alias = g.id
)
SELECT person FROM p
UNION
SELECT i.alias FROM p JOIN analysis_identity i ON i.project_id = %(project)s AND i.person = p.person
"""
ALSO_CLAIMED = """
SELECT count(*) FROM (
    SELECT FROM analysis_link WHERE project_id = %(project)s GROUP BY alias HAVING count(*) > 1
) one
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Units of an experiment that are known under several ids, and how many of them were in two variants."""

    units: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A project's aliases, the people that they count for, and how many aliases several users claim."""

    aliases: int
    people: int
    contested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """Whom an id counts for: the person, all ids that count for it, and every link that names the id."""

    id: str
    person: str
    ids: list[str]
    links: list[tuple[str, str, datetime]]


def merged(experiment: Experiment) -> Merged:
    """Count the units of an experiment that events of several ids count for."""
    fallback = UnitType(experiment.fallback_unit_type) if experiment.fallback_unit_type else None
    takes_links = experiment.unit_type == UnitType.USER and fallback in (None, UnitType.DEVICE)
    if not takes_links or not Identity.objects.filter(project=experiment.project_id).exists():
        return Merged()
    parameters: dict[str, sql.Parameter] = {"project": experiment.project_id, "experiment": experiment.pk}
    ((units, quarantined),) = sql.rows(MERGED, parameters)
    return Merged(units=units, quarantined=quarantined)


def known(project: Project) -> Known:
    """Count a project's links."""
    aliases = Identity.objects.filter(project=project)
    return Known(
        aliases=aliases.count(),
        people=aliases.values("person").distinct().count(),
        contested=sql.number(ALSO_CLAIMED, {"project": project.pk}),
    )


def who_is(project: Project, one: str) -> Somebody:
    """Say whom an id counts for; an id without links is a person of its own."""
    person = person_of(project, one)
    aliases = Identity.objects.filter(project=project, person=person).order_by("alias")
    links = Link.objects.filter(project=project)
    said = (links.filter(alias=one) | links.filter(user_id=one)).order_by("linked_at", "user_id", "alias")
    return Somebody(
        id=one,
        person=person,
        ids=[person, *aliases.values_list("alias", flat=True)[:1000]],
        links=list(said.values_list("alias", "user_id", "linked_at")[:1000]),
    )


def person_of(project: Project, one: str) -> str:
    """Return the person that an id counts for: itself where nothing links it."""
    found = Identity.objects.filter(project=project, alias=one).first()
    return found.person if found is not None else one


def leading_to(project: Project, one: str) -> set[str]:
    """Return the id and all that count for a person through it."""
    parameters: dict[str, sql.Parameter] = {"project": project.pk, "id": one, "person": person_of(project, one)}
    return {alias for (alias,) in sql.rows(LEADING, parameters)}


def together(project: int, ids: list[str]) -> list[str]:
    """Return all ids of the people that some ids count for, their own among them."""
    return sorted(one for (one,) in sql.rows(TOGETHER, {"project": project, "ids": ids}))


def forget(project: Project, ids: Collection[str]) -> None:
    """Forget the links of ids whose events are gone; what other events still say of them stays."""
    identities.relearn(project.pk, sorted(ids))
