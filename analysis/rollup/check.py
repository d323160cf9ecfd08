"""Recompute the fold from the whole log beside the incremental state, and compare them row by row."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import transaction

from analysis import moment_sets
from analysis.counted import of_plan
from analysis.models import MomentSet
from analysis.moments import with_caps
from analysis.rollup import crosses, identities, sql, sums, terms, watermark
from analysis.rollup.crosses import SUMS
from analysis.rollup.fold import STATE, Tables, compute_stale, prepare
from analysis.rollup.watermark import Bounds
from analysis.unit_values import Source
from experiments.models import Experiment

FRESH = Tables(
    enrolment="check_enrolment",
    unitday="check_unitday",
    unitbefore="check_unitbefore",
    unitvalue="check_unitvalue",
    unitfunnel="check_unitfunnel",
    unitscore="check_unitscore",
)
ALL = [(getattr(STATE, one.name), getattr(FRESH, one.name)) for one in fields(Tables)]
MAKE = "".join(
    f"DROP TABLE IF EXISTS {fresh}; CREATE TEMP TABLE {fresh} (LIKE {state} INCLUDING ALL) ON COMMIT DROP;"
    for state, fresh in ALL
)

# What was folded under another plan is rebuilt by the next fold: it is behind, not wrong.
CHOOSE = """
DELETE FROM fold_experiment WHERE stale OR NOT experiment_id = ANY(%(experiments)s)
"""
BEHIND = "SELECT count(*) FROM fold_experiment WHERE stale AND experiment_id = ANY(%(experiments)s)"
MARK = "UPDATE fold_experiment SET stale = true"

DIFFERENCES = """
SELECT x.key, coalesce(a.unit, b.unit), {where}, (a.*)::text, (b.*)::text
FROM (SELECT * FROM {state} WHERE experiment_id IN (SELECT experiment_id FROM fold_experiment)) a
FULL JOIN {fresh} b ON b.experiment_id = a.experiment_id AND b.unit = a.unit {also}
JOIN fold_experiment x ON x.experiment_id = coalesce(a.experiment_id, b.experiment_id)
WHERE ROW(a.*) IS DISTINCT FROM ROW(b.*)
"""

MAKE_SUMS = """
DROP TABLE IF EXISTS check_daysum;
CREATE TEMP TABLE check_daysum (LIKE analysis_daysum INCLUDING ALL) ON COMMIT DROP;
"""
MAKE_CROSSES = """
DROP TABLE IF EXISTS check_crosssum;
CREATE TEMP TABLE check_crosssum (LIKE analysis_crosssum INCLUDING ALL) ON COMMIT DROP;
"""
# What was taken out to the last unit is zero, and none when it is added up anew.
CROSS_DIFFERENCES = f"""
SELECT x.key, 'sums of metric ' || coalesce(a.metric_id, b.metric_id) || ' with what was before',
       (a.*)::text, (b.*)::text
FROM (
    SELECT * FROM analysis_crosssum
    WHERE experiment_id IN (SELECT experiment_id FROM fold_experiment)
      AND ROW({", ".join(SUMS)}) <> ROW({", ".join("0" for _ in SUMS)})
) a
FULL JOIN (SELECT * FROM check_crosssum WHERE ROW({", ".join(SUMS)}) <> ROW({", ".join("0" for _ in SUMS)})) b
  ON b.experiment_id = a.experiment_id AND b.metric_id = a.metric_id AND b.variant_id = a.variant_id
 AND b.entered = a.entered
JOIN fold_experiment x ON x.experiment_id = coalesce(a.experiment_id, b.experiment_id)
WHERE ROW(a.*) IS DISTINCT FROM ROW(b.*)
ORDER BY 1, 2 LIMIT %(limit)s
"""  # noqa: S608  (own words)
SUM_DIFFERENCES = """
SELECT x.key, 'sums of slot ' || coalesce(a.slot, b.slot) || ' on ' || coalesce(a.day, b.day), (a.*)::text, (b.*)::text
FROM (SELECT * FROM analysis_daysum WHERE experiment_id IN (SELECT experiment_id FROM fold_experiment)) a
FULL JOIN check_daysum b ON b.experiment_id = a.experiment_id AND b.slot = a.slot AND b.variant_id = a.variant_id
 AND b.entered = a.entered AND b.day = a.day
JOIN fold_experiment x ON x.experiment_id = coalesce(a.experiment_id, b.experiment_id)
WHERE ROW(a.*) IS DISTINCT FROM ROW(b.*)
ORDER BY 1, 2 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that the two do not agree on; None where one of them has no such row."""

    experiment: str
    unit: str
    what: str
    incremental: str | None
    recomputed: str | None

    def __str__(self) -> str:
        there = [self.incremental or "no row", self.recomputed or "no row"]
        return f"{self.experiment}, unit {self.unit}, {self.what}: incremental {there[0]}, recomputed {there[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found: how many experiments and rows it compared, and every difference (the first ``limit``)."""

    experiments: int
    rows: int
    behind: int
    differences: list[Difference]


@transaction.atomic
def check(experiments: Iterable[Experiment], *, limit: int = 1000) -> Checked:
    """Compare the incremental state of started experiments with a recompute up to the same watermark."""
    watermark.make()
    mark = watermark.lock()
    chosen = [experiment.pk for experiment in experiments]
    prepare()
    behind = sql.number(BEHIND, {"experiments": chosen})
    sql.run(CHOOSE, {"experiments": chosen})
    sql.run(terms.LEAVE_OUT_THEIR_TERMS)
    sql.run(MARK)
    sql.run(identities.SPREAD_OVERRIDES)
    sql.run(MAKE)
    compute_stale(Bounds(lo=mark.xid, hi=mark.xid), FRESH)
    for _, fresh in ALL:  # nobody else counts what a temporary table holds: plans for one row took minutes for many
        sql.run(f"ANALYZE {fresh}")
    others = [*_sum_differences(limit), *_moment_differences(), *_link_differences(mark.xid, chosen)]
    return Checked(
        experiments=sql.number("SELECT count(*) FROM fold_experiment"),
        rows=sum(sql.number(f"SELECT count(*) FROM {fresh}") for _, fresh in ALL),  # noqa: S608
        behind=behind,
        differences=[*_differences(limit), *others][:limit],
    )


def _sum_differences(limit: int) -> list[Difference]:
    """Compare the sums that the fold keeps with those of all recomputed units."""
    sql.run(MAKE_SUMS)
    chosen = [pk for (pk,) in sql.rows("SELECT experiment_id FROM fold_experiment")]
    sums.anew(chosen, "check_daysum", FRESH.enrolment, FRESH.unitday)
    sql.run(MAKE_CROSSES)
    named = {"enrolment": FRESH.enrolment, "unitday": FRESH.unitday, "unitbefore": FRESH.unitbefore}
    crosses.anew(chosen, {"crosssum": "check_crosssum", **named})
    return [
        Difference(experiment=key, unit="all", what=what, incremental=kept, recomputed=fresh)
        for differences in (SUM_DIFFERENCES, CROSS_DIFFERENCES)
        for key, what, kept, fresh in sql.rows(differences, {"limit": limit})
    ]


def _moment_differences() -> list[Difference]:
    """Compare the moments kept with those of the recomputed units; those made before the newest fold are behind."""
    source = Source(enrolment=FRESH.enrolment, unitday=FRESH.unitday, unitbefore=FRESH.unitbefore)
    found = []
    chosen = [pk for (pk,) in sql.rows("SELECT experiment_id FROM fold_experiment")]
    for experiment in Experiment.objects.filter(pk__in=chosen, folded__isnull=False).select_related("folded"):
        metrics = of_plan(experiment)
        found_sets = MomentSet.objects.filter(
            experiment=experiment,
            phase=experiment.phase,
            definition=moment_sets.definition(metrics),
            changes=experiment.folded.changes,
        )
        kept = list(found_sets)
        fresh = _collected(experiment, kept[0].horizon, source) if kept else {}
        for one in kept:
            if said := moment_sets.differences(one, fresh[MomentSet.By(one.by)]):
                found.append(_of_moments(experiment.key, one.by, said))
    return found


def _link_differences(below: int, experiments: list[int]) -> list[Difference]:
    """Compare the links of the experiments' projects, and who each alias counts for, with what the log says."""
    found = identities.differences(below, experiments)
    return [
        Difference(experiment=f"project {project}", unit=alias, what=what, incremental=kept, recomputed=fresh)
        for project, alias, what, kept, fresh in found
    ]


def _collected(experiment: Experiment, horizon: datetime | None, source: Source) -> moment_sets.Sets:
    return moment_sets.collect(experiment, with_caps(experiment, horizon), horizon, source)


def _of_moments(experiment: str, by: str, said: str) -> Difference:
    return Difference(experiment=experiment, unit="all", what=f"moments by {by}", incremental=said, recomputed=None)


PARTS = {
    "enrolment": ("'enrolment'", ""),
    "unitday": (
        "'metric ' || coalesce(a.metric_id, b.metric_id) || ' on ' || coalesce(a.day, b.day)",
        "AND b.metric_id = a.metric_id AND b.day = a.day",
    ),
    "unitbefore": ("'metric ' || coalesce(a.metric_id, b.metric_id) || ' before'", "AND b.metric_id = a.metric_id"),
    "unitvalue": (
        "'metric ' || coalesce(a.metric_id, b.metric_id) || ' value ' || coalesce(a.value, b.value) || ' on '"
        " || coalesce(a.day, b.day)",
        "AND b.metric_id = a.metric_id AND b.day = a.day AND b.value = a.value",
    ),
    "unitfunnel": ("'metric ' || coalesce(a.metric_id, b.metric_id) || ' steps'", "AND b.metric_id = a.metric_id"),
    "unitscore": ("'score on ' || coalesce(a.day, b.day)", "AND b.day = a.day"),
}
"""What a row of each table is called in a difference, and which of its columns beside the unit are its key."""


def _differences(limit: int) -> list[Difference]:
    parts = " UNION ALL ".join(
        "(" + DIFFERENCES.format(where=where, state=getattr(STATE, name), fresh=getattr(FRESH, name), also=also) + ")"
        for name, (where, also) in PARTS.items()
    )
    found = sql.rows(f"{parts} ORDER BY 1, 2, 3 LIMIT %(limit)s", {"limit": limit})
    return [
        Difference(experiment=key, unit=unit, what=what, incremental=incremental, recomputed=recomputed)
        for key, unit, what, incremental, recomputed in found
    ]
