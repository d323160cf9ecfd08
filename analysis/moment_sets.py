"""The moments of all metrics together, by hash bucket, exposure day and trigger: made, kept and read back."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from analysis.ages import good_for
from analysis.counted import Counted, data_up_to
from analysis.models import MomentSet
from analysis.moments import NEVER
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Moments
from analysis.unit_values import BUCKETS, STATE, Source, Units, chunks, columns
from experiments.models import Experiment
from experiments.models.metric import columns_of

Labels = NDArray[np.int64]
By = MomentSet.By
"""Below, moments are made anew whenever something changed; above, they may be as many hours old as they have this."""
OLDEST = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Moments in cells of (variant id, label), sorted.

    Attributes:
        names: of a unit's numbers, in the matrix's order.
        keys: shape (cells, 2).
        matrix: one cell a row of ``keys``.
    """

    names: list[str]
    keys: Labels
    matrix: MomentMatrix

    def of(self, variant: int, label: int | None = None) -> Moments:
        """Return a variant's moments, of one label or of all."""
        chosen = self.keys[:, 0] == variant
        if label is not None:
            chosen &= self.keys[:, 1] == label
        places = np.flatnonzero(chosen)
        return self.matrix.take(places).merge(np.zeros(len(places), dtype=np.int64), 1).cell(0)

    def place(self, metric: str) -> list[int]:
        """Return where a metric's numbers are: numerator and, for a ratio, denominator; nothing if it is not there."""
        return [self.names.index(name) for name in (metric, f"{metric}/") if name in self.names]

    def buckets(self, variant: int) -> MomentMatrix:
        """Return a variant's moments with one cell a bucket, empty ones included (for cells by bucket)."""
        places = np.flatnonzero(self.keys[:, 0] == variant)
        return self.matrix.take(places).merge(self.keys[places, 1], BUCKETS)


Sets = dict[MomentSet.By, Cells]


def collect(
    experiment: Experiment, metrics: Sequence[Counted], horizon: datetime | None = None, source: Source = STATE
) -> Sets:
    """Read all units once and add them up in each kind of cell, as they stood at ``horizon`` (now, without one)."""
    until = horizon or data_up_to(experiment, timezone.now()) or NEVER
    parts: dict[MomentSet.By, list[Cells]] = {by: [] for by in By}
    names = columns(metrics)
    for units in chunks(experiment, metrics, until, source):
        said = units.trigger >= 0
        for by, labels, chosen in (
            (By.BUCKET, units.bucket, None),
            (By.DAY, units.day, None),
            (By.TRIGGER, units.trigger, said),
        ):
            parts[by].append(_cells(names, units, labels, chosen))
    return {by: _joined(names, found) for by, found in parts.items()}


def current(
    experiment: Experiment,
    metrics: Sequence[Counted],
    changes: int | None,
    as_of: datetime,
    horizon: datetime | None = None,
) -> Sets:
    """Return the experiment's moments: those kept, where nothing was folded since, else fresh ones, which are kept.

    Of many units older ones are good enough (``good_for``): checks and covariances move with the day, not the minute.
    """
    own = definition(metrics)
    waits = any(one.matures for one in metrics)
    there = _kept(experiment, own)
    until = as_of - good_for(max(map(_units, there), default=0)) if experiment.stopped_at is None else as_of
    kept = {
        one.by: one
        for one in there
        if ((changes is not None and one.changes == changes) or one.as_of > until)
        and (not waits or one.horizon == horizon)
    }
    if len(kept) == len(By):
        return {by: unpacked(kept[by]) for by in By}
    fresh = collect(experiment, metrics, horizon)
    for by, cells in fresh.items():
        MomentSet.objects.update_or_create(
            experiment=experiment, phase=experiment.phase, by=by, definition=own,
            defaults={"as_of": as_of, "changes": changes, "horizon": horizon, **_packed(cells)},
        )  # fmt: skip
    return fresh


def newest(experiment: Experiment, by: MomentSet.By = By.BUCKET) -> Cells | None:
    """Return the moments that are kept of the present phase, under the newest definition of the metrics."""
    found = MomentSet.objects.filter(experiment=experiment, phase=experiment.phase, by=by).first()
    return None if found is None else unpacked(found)


def unpacked(kept: MomentSet) -> Cells:
    """Return what a row of the table holds."""
    keys = np.asarray(kept.cells, dtype=np.int64).reshape(-1, 2)
    p = len(kept.columns)
    width = 1 + 2 * p + p * (p + 1) // 2
    if not len(keys):
        return Cells(names=list(kept.columns), keys=keys, matrix=_nothing(p))
    matrix = MomentMatrix.from_packed(np.asarray(kept.values).reshape(-1, width))
    return Cells(names=list(kept.columns), keys=keys, matrix=matrix)


def definition(metrics: Sequence[Counted]) -> str:
    """Return a digest of what the metrics count: another one begins a new set, and the old one stays."""
    meant = [(one.key, one.adjusted, columns_of(one.definition)) for one in metrics]
    return hashlib.md5(json.dumps(meant, default=str, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def differences(kept: MomentSet, fresh: Cells) -> str | None:
    """Say how a kept set differs from one made anew, beyond rounding; None where they agree."""
    old = unpacked(kept)
    if old.names != fresh.names or not np.array_equal(old.keys, fresh.keys):
        return f"other columns or cells: {len(old.keys)} kept, {len(fresh.keys)} fresh"
    before, after = old.matrix.packed(), fresh.matrix.packed()
    scale = np.maximum(np.abs(before), np.abs(after)) + 1e-6
    worst = float(np.max(np.abs(before - after) / scale)) if len(before) else 0.0
    return None if worst < 1e-6 else f"a number is off by {worst:.2g} of itself"


def _kept(experiment: Experiment, own: str) -> list[MomentSet]:
    return list(MomentSet.objects.filter(experiment=experiment, phase=experiment.phase, definition=own))


def _units(kept: MomentSet) -> int:
    """Return how many units a set holds: of those by trigger only the ones whose app has said, and often none."""
    return int(sum(kept.values[:: len(kept.values) // (len(kept.cells) // 2)])) if kept.cells else 0


def _packed(cells: Cells) -> dict[str, object]:
    packed = cells.matrix.packed() if len(cells.keys) else np.zeros(0)
    return {"columns": cells.names, "cells": cells.keys.ravel().tolist(), "values": packed.ravel().tolist()}


def _cells(names: list[str], units: Units, labels: Labels, chosen: NDArray[np.bool_] | None) -> Cells:
    pairs = np.column_stack([units.variant, labels])
    values = units.values
    if chosen is not None:
        pairs, values = pairs[chosen], values[chosen]
    if not len(pairs):
        return Cells(names=names, keys=np.zeros((0, 2), dtype=np.int64), matrix=_nothing(len(names)))
    keys, place = _numbered(pairs)
    return Cells(names=names, keys=keys, matrix=MomentMatrix.from_values(values, place, len(keys)))


def _joined(names: list[str], parts: list[Cells]) -> Cells:
    pairs = np.concatenate([part.keys for part in parts])
    if not len(pairs):
        return parts[0]
    keys, place = _numbered(pairs)
    matrix = MomentMatrix.concat([part.matrix for part in parts])
    return Cells(names=names, keys=keys, matrix=matrix.merge(place, len(keys)))


def _numbered(pairs: Labels) -> tuple[Labels, Labels]:
    """Return the pairs that occur, sorted, and which of them each row is; as ``np.unique`` by rows, but much faster."""
    variants = np.unique(pairs[:, 0])
    lowest = int(pairs[:, 1].min())
    span = int(pairs[:, 1].max()) - lowest + 1
    code = np.searchsorted(variants, pairs[:, 0]) * span + pairs[:, 1] - lowest
    there = np.flatnonzero(np.bincount(code, minlength=len(variants) * span))
    number = np.zeros(len(variants) * span, dtype=np.int64)
    number[there] = np.arange(len(there))
    return np.column_stack([variants[there // span], there % span + lowest]), number[code]


def _nothing(p: int) -> MomentMatrix:
    return MomentMatrix(
        n=np.zeros(0, dtype=np.int64), mean=np.zeros((0, p)), products=np.zeros((0, p * (p + 1) // 2)),
        third=np.zeros((0, p)),
    )  # fmt: skip
