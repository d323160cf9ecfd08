"""The sums that an evaluation needs, made by the database in a few passes over the decisions."""

from dataclasses import dataclass

import numpy as np

from analysis.offpolicy.decisions import MOST_CELLS, Decisions
from analysis.stats.moments import Array
from analysis.stats.offpolicy.rewards import FOLDS, RewardTable
from analysis.stats.offpolicy.tally import BUCKETS, CLIPS, Tally
from analysis.stats.unavailable import NotComputable

SUMS_TO_ONE = 0.01
"""How far a context's probabilities may be from 1 in sum before some action is taken to be missing."""
SAME = 1e-6
"""Two probabilities of the same action in the same context that differ by more come from a finer look than contexts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Decisions whose weight lies in [low, high), and their share of all weight."""

    low: float
    high: float
    rows: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One context: its rows, what they are worth to the candidate, and how much weight it should have had."""

    name: str
    rows: int
    effective: float
    mean_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySums:
    """Everything about one candidate. ``unmodelled`` says why there is no model of rewards, where there is none."""

    tally: Tally
    bins: tuple[Bin, ...]
    segments: tuple[Segment, ...]
    unmodelled: str


def fine(position: int) -> str:
    """Return SQL that says whether a row can be used for a candidate."""
    return f"coalesce(p > 0 AND p <= 1 AND t{position} >= 0 AND isfinite(t{position}) AND isfinite(r), false)"


def policy_sums(decisions: Decisions, position: int) -> PolicySums:
    """Sum the log for one candidate."""
    ok = fine(position)
    weighed = (
        f"SELECT b, f, c, a, {ok} AS fine, CASE WHEN {ok} THEN t{position} / p ELSE 0 END AS w, "
        f"CASE WHEN {ok} THEN r ELSE 0 END AS r FROM d"
    )
    modelled = _model(decisions, position)
    if isinstance(modelled, NotComputable):
        scored = f"SELECT *, 0.0 AS s FROM ({weighed})"
    else:
        scored = (
            f"SELECT x.*, v.v + x.w * (x.r - q.q) AS s FROM ({weighed}) x "
            f"JOIN q{position} q USING (f, c, a) JOIN v{position} v USING (f, c)"
        )
    return PolicySums(
        tally=_tally(decisions, scored, doubly=not isinstance(modelled, NotComputable)),
        bins=_bins(decisions, weighed),
        segments=_segments(decisions, weighed),
        unmodelled=modelled.reason if isinstance(modelled, NotComputable) else "",
    )


def _tally(decisions: Decisions, scored: str, *, doubly: bool) -> Tally:
    clips = ", ".join(
        f"sum(least(w, {c})), sum(least(w, {c}) * r), sum(least(w, {c}) ** 2), sum((least(w, {c}) * r) ** 2), "
        f"sum(least(w, {c}) ** 2 * r)"
        for c in CLIPS
    )
    row = [
        float(str(value or 0))
        for value in decisions.query(
            "SELECT count(*), count(*) FILTER (NOT fine), max(w), sum(w), sum(w * r), sum(s), sum(r), "
            f"sum(w * w), sum((w * r) ** 2), sum(w * w * r), sum(s * s), {clips} FROM ({scored})"
        )[0]
    ]
    buckets = np.zeros((BUCKETS, 5))
    for bucket, *sums in decisions.query(
        f"SELECT b, count(*), sum(w), sum(w * r), sum(s), sum(r) FROM ({scored}) GROUP BY b"
    ):
        buckets[int(str(bucket))] = [float(str(value)) for value in sums]
    return Tally(
        rows=int(row[0]),
        broken=int(row[1]),
        largest=row[2],
        sums=np.array(row[3:7]),
        squares=np.array(row[7:11]),
        clipped=np.array(row[11:]).reshape(len(CLIPS), 5),
        buckets=buckets,
        doubly=doubly,
    )


def _model(decisions: Decisions, position: int) -> NotComputable | None:
    """Make the tables ``q`` and ``v`` of modelled rewards, of the action taken and of the candidate; or say why not."""
    shape = (decisions.contexts, decisions.actions)
    if decisions.actions < 2:
        return NotComputable("the log names no actions")
    if shape[0] * shape[1] > MOST_CELLS:
        return NotComputable(f"{shape[0]:,} contexts times {shape[1]:,} actions are too many to model their rewards")
    policy = _policy(decisions, position, shape)
    if isinstance(policy, NotComputable):
        return policy
    table = RewardTable(counts=np.zeros((FOLDS, *shape)), totals=np.zeros((FOLDS, *shape)))
    ok = fine(position)
    for f, c, a, count, total in decisions.query(
        f"SELECT f, c, a, count(*), sum(r) FROM d WHERE {ok} GROUP BY f, c, a"
    ):
        cell = int(str(f)), int(str(c)), int(str(a))
        table.counts[cell], table.totals[cell] = float(str(count)), float(str(total))
    _store(decisions, position, table.means(), policy)
    return None


def _policy(decisions: Decisions, position: int, shape: tuple[int, int]) -> Array | NotComputable:
    """Return the candidate's probabilities by context and action, shape (contexts, actions), as the log shows them."""
    found = np.zeros(shape)
    for c, a, low, high in decisions.query(
        f"SELECT c, a, min(t{position}), max(t{position}) FROM d WHERE {fine(position)} GROUP BY c, a"
    ):
        if float(str(high)) - float(str(low)) > SAME:
            return NotComputable(
                "the candidate looks at more than the logged context, so that its other choices are not known"
            )
        found[int(str(c)), int(str(a))] = float(str(high))
    if (np.abs(found.sum(axis=1) - 1) > SUMS_TO_ONE).any():
        return NotComputable("the log does not show the candidate's probability of every action in every context")
    return found


def _store(decisions: Decisions, position: int, means: Array, policy: Array) -> None:
    valued = np.einsum("fca,ca->fc", means, policy)
    folds, contexts, _ = means.shape
    f, c, a = np.indices(means.shape).reshape(3, -1)
    connection = decisions.connection
    cells = {"f": f.astype(np.int32), "c": c.astype(np.int32), "a": a.astype(np.int32), "q": means.ravel()}
    connection.register("cells", cells)
    connection.execute(f"CREATE TABLE q{position} AS SELECT * FROM cells")
    connection.unregister("cells")
    f, c = np.indices((folds, contexts)).reshape(2, -1)
    connection.register("values_", {"f": f.astype(np.int32), "c": c.astype(np.int32), "v": valued.ravel()})
    connection.execute(f"CREATE TABLE v{position} AS SELECT * FROM values_")
    connection.unregister("values_")


def _bins(decisions: Decisions, weighed: str) -> tuple[Bin, ...]:
    """Return how weights are spread: those of 0, then by powers of two."""
    rows = decisions.query(
        "SELECT CASE WHEN w > 0 THEN greatest(-5, least(10, floor(log2(w)))) END AS k, count(*), sum(w) "
        f"FROM ({weighed}) WHERE fine GROUP BY k ORDER BY k NULLS FIRST"
    )
    whole = sum(float(str(row[2])) for row in rows) or 1.0
    return tuple(
        Bin(
            low=0.0 if k is None or float(str(k)) == -5 else 2.0 ** float(str(k)),
            high=0.0 if k is None else 2.0 ** (float(str(k)) + 1),
            rows=int(str(count)),
            share=float(str(weight)) / whole,
        )
        for k, count, weight in rows
    )


def _segments(decisions: Decisions, weighed: str, most: int = 12) -> tuple[Segment, ...]:
    if decisions.contexts < 2:
        return ()
    rows = decisions.query(
        "SELECT c, count(*), sum(w) ** 2 / nullif(sum(w * w), 0), avg(w) "
        f"FROM ({weighed}) WHERE fine GROUP BY c ORDER BY count(*) DESC LIMIT {most}"
    )
    return tuple(
        Segment(
            name=decisions.named[int(str(c))],
            rows=int(str(count)),
            effective=float(str(effective or 0)),
            mean_weight=float(str(mean)),
        )
        for c, count, effective, mean in rows
    )
