"""Effect vectors: made from an experiment's moments with every result, kept for good, read back by the thousand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from analysis import moment_sets
from analysis.effect_covariance import EffectCovariance, between
from analysis.models import EffectVector, MomentSet, PastEffect
from analysis.moment_sets import Cells
from analysis.stats.moments import Array
from analysis.unit_values import BUCKETS
from experiments.models import Experiment, Project, Variant

FOLDS = 10
"""Folds of five hash buckets each: enough pairs for estimates across folds, few enough to keep of everything."""
LEAST_UNITS = 2


def keep(experiment: Experiment, *, trustworthy: bool) -> None:
    """Write the experiment's effect vectors from the moments kept; call it where a result is written."""
    kept = MomentSet.objects.filter(experiment=experiment, phase=experiment.phase, by=MomentSet.By.BUCKET).first()
    if kept is None:
        return
    rows = EffectVector.objects.filter(experiment=experiment, phase=experiment.phase, definition=kept.definition)
    variants = list(experiment.variants.all())
    if rows.filter(as_of=kept.as_of).update(trustworthy=trustworthy) == len(variants) - 1 > 0:
        return  # the same moments as at the last result
    cells = moment_sets.unpacked(kept)
    for variant in variants[1:]:
        columns = _columns(cells, variants[0], variant)
        if columns is not None:
            EffectVector.objects.update_or_create(
                experiment=experiment, phase=experiment.phase, variant=variant, definition=kept.definition,
                defaults={"project_id": experiment.project_id, "as_of": kept.as_of, "trustworthy": trustworthy}
                | columns,
            )  # fmt: skip


def _columns(cells: Cells, control: Variant, treatment: Variant) -> dict[str, object] | None:
    base, changed = cells.of(control.pk), cells.of(treatment.pk)
    if min(base.n, changed.n) < LEAST_UNITS:
        return None
    found = between(cells, base, changed, treatment.key)
    upper = np.triu_indices(len(found.metrics))
    return {
        "units": changed.n,
        "control_units": base.n,
        "metrics": found.metrics,
        "control": _values(cells, base.mean, found.metrics).tolist(),
        "differences": found.differences.tolist(),
        "covariance": found.covariance[upper].tolist(),
        "log_lifts": found.log_lifts.tolist(),
        "log_covariance": found.log_covariance[upper].tolist(),
        "folds": folded(cells, (control, treatment), found).ravel().tolist(),
    }


def folded(cells: Cells, variants: tuple[Variant, Variant], found: EffectCovariance) -> Array:
    """Return the log lifts of each fold of hash buckets, shape (FOLDS, metrics).

    Each arm's metric is linearised at its value over all folds, so that a fold without a single order still has an
    effect, and the folds' effects, weighed by units, average to the whole's. To first order a fold's effect carries
    that fold's noise alone: 1/n of it stays, as with any value estimated on the same units.
    """
    off = np.zeros((FOLDS, len(found.metrics)))
    for sign, variant in ((-1.0, variants[0]), (1.0, variants[1])):
        buckets = cells.buckets(variant.pk)
        folds = buckets.merge(np.arange(BUCKETS) % FOLDS, FOLDS)
        whole = folds.merge(np.zeros(FOLDS, dtype=np.int64), 1).mean[0]
        for column, metric in enumerate(found.metrics):
            off[:, column] += sign * _relative(folds.mean, whole, cells.place(metric))
        off[folds.n == 0] = np.nan
    return np.asarray(found.log_lifts + off)


def _relative(means: Array, whole: Array, place: list[int]) -> Array:
    """Return how far each fold's value lies from the whole's, relative to it: of a ratio, by its linear part."""
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = means[:, place] / whole[place] - 1
    return np.asarray(parts[:, 0] - (parts[:, 1] if len(place) > 1 else 0.0))


def _values(cells: Cells, means: Array, metrics: list[str]) -> Array:
    places = [cells.place(metric) for metric in metrics]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array([means[p[0]] / means[p[1]] if len(p) > 1 else means[p[0]] for p in places])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vector:
    """A treatment of one experiment as a programme sees it.

    Attributes:
        id: of the ``EffectVector``.
        key, name: of the experiment; ``treatment`` is the variant's name where there are several.
        model: id of the treatment's model version, ``control_model`` of the control's; None where none is named.
        family: name of the treatment's model.
        metrics: keys, in the order of the arrays.
        log_lifts, log_covariance: shapes (p,) and (p, p).
        folds: shape (FOLDS, p).
        units: in both variants.
        past: name of the import that it came with; empty where it was run here.
    """

    id: int
    experiment: int
    key: str
    name: str
    variant: int
    treatment: str
    model: int | None
    control_model: int | None
    family: str
    started_at: datetime
    ended_at: datetime | None
    planned_end: datetime
    stopped_early: bool
    shipped: bool
    as_of: datetime
    metrics: tuple[str, ...]
    log_lifts: Array
    log_covariance: Array
    folds: Array
    control: Array
    differences: Array
    variances: Array
    units: int
    past: str = ""

    def past_plan(self, now: datetime) -> bool:
        """Say whether the planned days are over."""
        return now >= self.planned_end

    def place(self, metric: str) -> int | None:
        """Return where a metric stands, or None if the experiment does not have it."""
        return self.metrics.index(metric) if metric in self.metrics else None


# The newest vector of each treatment of the present phase. Arrays leave the database in binary: as text, a thousand
# experiments of ten metrics would take Python half a second to read.
LOAD = """
SELECT DISTINCT ON (v.experiment_id, v.variant_id)
       v.id, e.id, e.key, e.name, w.id, CASE WHEN n.treatments > 1 THEN w.name ELSE '' END,
       w.model_version_id, c.model_version_id, coalesce(m.name, ''),
       coalesce(e.phase_started_at, e.started_at), e.stopped_at,
       coalesce(e.phase_started_at, e.started_at) + e.planned_days * interval '1 day',
       e.stopped_at IS NOT NULL AND e.stopped_at
           < coalesce(e.phase_started_at, e.started_at) + (e.planned_days - 1) * interval '1 day',
       coalesce(e.shipped_variant_id = w.id, false), v.as_of, v.metrics, v.units + v.control_units,
       array_send(v.log_lifts), array_send(v.log_covariance), array_send(v.folds),
       array_send(v.control), array_send(v.differences), array_send(v.covariance)
FROM analysis_effectvector v
JOIN experiments_experiment e ON e.id = v.experiment_id AND e.phase = v.phase
JOIN experiments_variant w ON w.id = v.variant_id
JOIN experiments_variant c ON c.experiment_id = e.id AND c.position = 0
LEFT JOIN experiments_modelversion m ON m.id = w.model_version_id
CROSS JOIN LATERAL (
    SELECT count(*) AS treatments FROM experiments_variant o WHERE o.experiment_id = e.id AND o.position > 0
) n
WHERE v.project_id = %(project)s AND v.trustworthy AND e.kind = ANY(%(kinds)s)
  AND (%(unfinished)s OR e.status = 'stopped'
       OR coalesce(e.phase_started_at, e.started_at) + e.planned_days * interval '1 day' <= %(now)s)
ORDER BY v.experiment_id, v.variant_id, v.as_of DESC
"""
COMPARING = ("standard",)
"""Kinds of experiments whose treatments are changes that were tried; a holdout measures what was launched."""
_ITEMS = np.dtype([("length", ">i4"), ("value", ">f8")])
_HEADER = 20  # bytes of a one-dimensional array's head: dimensions, flags, type, length, lower bound


def load(
    project: Project, now: datetime, *, kinds: Sequence[str] = COMPARING, unfinished: bool = False
) -> list[Vector]:
    """Return every trustworthy treatment of experiments that are over or past their plan, oldest experiment first.

    Args:
        project: whose.
        now: to tell what is past its plan.
        kinds: of experiments.
        unfinished: those that still run under their plan as well.
    """
    parameters: dict[str, Any] = {"project": project.pk, "kinds": list(kinds), "now": now, "unfinished": unfinished}
    with connection.cursor() as cursor:
        cursor.execute(LOAD, parameters)
        return [_vector(row) for row in cursor.fetchall()]


def families(project: Project) -> list[str]:
    """Return the names of the models that the project's experiments have tried, here or before."""
    tried = Variant.objects.filter(experiment__project=project, position__gt=0, model_version__isnull=False)
    past = PastEffect.objects.filter(past_import__project=project, past_import__removed_at=None).exclude(family="")
    names = (
        tried.values_list("model_version__name", flat=True)
        .order_by()
        .distinct()
        .union(past.values_list("family", flat=True))
    )
    return sorted(names)


def broken(project: Project) -> int:
    """Return how many treatments are left out because their experiment's newest result must not be believed."""
    own = EffectVector.objects.filter(project=project, trustworthy=False, experiment__kind__in=COMPARING)
    return own.values("experiment", "variant").distinct().count()


VERSION = """
SELECT count(*)::text || '.' || coalesce(extract(epoch FROM max(v.as_of)), 0)::text || '.'
       || count(*) FILTER (WHERE v.trustworthy)::text || '.' || (
           SELECT count(*) FILTER (WHERE e.status = 'stopped')::text || '.'
               || count(e.shipped_variant_id)::text || '.' || coalesce(sum(e.revision), 0)::text
           FROM experiments_experiment e WHERE e.project_id = %(project)s
       ) || '.' || (
           SELECT count(*)::text || '.' || coalesce(sum(i.id), 0)::text
           FROM analysis_pastimport i WHERE i.project_id = %(project)s AND i.removed_at IS NULL
       )
FROM analysis_effectvector v WHERE v.project_id = %(project)s
"""


def version(project: Project) -> str:
    """Return a word that changes when the programme's vectors or its experiments' states do."""
    with connection.cursor() as cursor:
        cursor.execute(VERSION, {"project": project.pk})
        return hashlib.blake2b(cursor.fetchone()[0].encode(), digest_size=12).hexdigest()


def _vector(row: tuple[Any, ...]) -> Vector:
    (pk, experiment, key, name, variant, treatment, model, control_model, family, started, ended, planned, early,
     shipped, as_of, metrics, units, *arrays) = row  # fmt: skip
    lifts, log_covariance, folds, control, differences, covariance = (_floats(one) for one in arrays)
    p = len(metrics)
    return Vector(
        id=pk, experiment=experiment, key=key, name=name, variant=variant, treatment=treatment, model=model,
        control_model=control_model, family=family, started_at=started, ended_at=ended, planned_end=planned,
        stopped_early=early,
        shipped=shipped, as_of=as_of, metrics=tuple(metrics), units=units, log_lifts=lifts,
        log_covariance=_square(log_covariance, p), folds=folds.reshape(-1, p), control=control,
        differences=differences, variances=covariance[_diagonal(p)],
    )  # fmt: skip


def _floats(sent: bytes) -> Array:
    """Return the numbers of an array as ``array_send`` writes it; none of them is null."""
    held = bytes(sent)[_HEADER:]  # an empty array's head is shorter, and has nothing behind it
    return np.frombuffer(held, dtype=_ITEMS)["value"].astype(np.float64)


def _square(upper: Array, p: int) -> Array:
    full = np.empty((p, p))
    rows, columns = _upper(p)
    full[rows, columns] = upper
    full[columns, rows] = upper
    return full


@cache
def _upper(p: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.triu_indices(p)
    return rows, columns


@cache
def _diagonal(p: int) -> NDArray[np.int64]:
    """Return where the diagonal stands in an upper triangle written row by row."""
    rows = np.arange(p)
    return np.asarray(rows * p - rows * (rows - 1) // 2, dtype=np.int64)
