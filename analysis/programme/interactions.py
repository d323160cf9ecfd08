"""Do experiments disturb each other? Every pair that runs at the same time, scanned by and by."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, TypeVar

import msgspec
from django.db import OperationalError
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_others, raise_alert
from analysis.models import FoldedExperiment, InteractionScan
from analysis.programme import cells
from analysis.programme.cells import FORMS, Cell
from analysis.programme.interaction_words import alert_words, reading
from analysis.programme.schema import Interactions, InteractionTest, PairFact
from analysis.stats.confidence_sequence import EARLIEST_UNITS, always_valid_p, boundary
from analysis.stats.estimates import Estimate
from analysis.stats.interaction import Interaction, interaction
from analysis.stats.multiplicity import Correction, correct
from analysis.stats.settings import DEFAULTS
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, Metric, Project, Variant

ALPHA = 0.05
RECENT = timedelta(days=30)
"""How long after its end an experiment still counts as one that may have disturbed others."""
RESCAN = timedelta(hours=20)
MOST_PAIRS = 40
"""Pairs that one run of the task scans of a project; the others wait for the next."""
MOST_TREATMENTS = 2
"""Treatments of an experiment that are paired: every further one makes all tests of the project less sharp."""
FEWEST = EARLIEST_UNITS
Pair = tuple[Experiment, Experiment]
ALWAYS = datetime.max.replace(tzinfo=UTC)
One = TypeVar("One")
SHOWN = (
    "units", "scanned_at", "reason", "first__key", "first__name", "second__key", "second__name", "first_id",
    "second_id",
)  # fmt: skip
"""What a page reads of a pair: an experiment's other columns are many."""


def scan(project: Project, now: datetime, most: int = MOST_PAIRS) -> int:
    """Scan the pairs that are due, those that waited longest first; return how many. Twice does no harm."""
    pairs = list(concurrent(project, now))
    seen = _seen({one.pk for pair in pairs for one in pair})
    kept = {(one.first_id, one.second_id): one for one in InteractionScan.objects.filter(project=project)}
    due = [pair for pair in pairs if _is_due(kept.get((pair[0].pk, pair[1].pk)), _digest(pair, seen), now)]
    due.sort(key=lambda pair: _waited_since(kept.get((pair[0].pk, pair[1].pk))))
    for pair in due[:most]:
        _scan(project, pair, _digest(pair, seen), now)
    if due:
        _tell(project, now)
    return min(len(due), most)


def concurrent(project: Project, now: datetime) -> Iterator[Pair]:
    """Yield the pairs of experiments on the same type of unit whose times overlap, the older one first."""
    spans = ((one, one.unit_type, one.counts_from, one.stopped_at) for one in _lately(project, now))
    return _overlapping(spans, now)


def _lately(project: Project, now: datetime) -> QuerySet[Experiment, Experiment]:
    """Return the experiments that run, or ended only lately."""
    live = Q(status__in=[status.value for status in LIVE])
    return Experiment.objects.filter(
        live | Q(stopped_at__gte=now - RECENT), project=project, kind=ExperimentKind.STANDARD.value,
        started_at__isnull=False,
    ).order_by("pk")  # fmt: skip


def _overlapping(
    spans: Iterable[tuple[One, str, datetime | None, datetime | None]], now: datetime
) -> Iterator[tuple[One, One]]:
    """Yield the pairs of what has a unit type, a beginning and, unless it runs on, an end."""
    found = [(one, unit, begins or now, ends or ALWAYS) for one, unit, begins, ends in spans]
    for place, (first, unit, began, ended) in enumerate(found):
        for second, other, start, end in found[place + 1 :]:
            if unit == other and start < ended and began < end and start < end and began < ended:
                yield first, second


def _seen(ids: set[int]) -> Mapping[int, int]:
    return dict(FoldedExperiment.objects.filter(pk__in=ids).values_list("pk", "changes"))


def _digest(pair: Pair, seen: Mapping[int, int]) -> str:
    state = [(one.pk, one.phase, seen.get(one.pk, 0), str(one.stopped_at)) for one in pair]
    return hashlib.md5(repr(state).encode(), usedforsecurity=False).hexdigest()


def _is_due(kept: InteractionScan | None, digest: str, now: datetime) -> bool:
    return kept is None or (kept.seen != digest and now - kept.scanned_at >= RESCAN)


def _waited_since(kept: InteractionScan | None) -> float:
    return 0.0 if kept is None else kept.scanned_at.timestamp()


def _scan(project: Project, pair: Pair, digest: str, now: datetime) -> None:
    """Read one pair and keep what it says; a pair that the database cannot add up in time is said to be so."""
    kept = InteractionScan.objects.filter(first=pair[0], second=pair[1]).first()
    tuned = kept.tuned_for if kept is not None else None
    units, tests, reason = 0, list[InteractionTest](), _never(pair)
    if not reason:
        try:
            counts = cells.shared(*pair)
            units = sum(counts.values())
            tuned = tuned or _tuned_for(pair, units, now)
            reason = _not_yet(pair, counts)
            tests = [] if reason else list(_tests(pair, counts, tuned))
        except OperationalError:
            reason = "there are more units than can be added up in a minute"
    if not reason and not tests:
        reason = "no primary metric of either can be told for a part of the units"
    InteractionScan.objects.update_or_create(
        first=pair[0],
        second=pair[1],
        defaults={
            "project": project,
            "seen": digest,
            "scanned_at": now,
            "units": units,
            "tuned_for": tuned,
            "reason": reason,
            "tests": [msgspec.to_builtins(one) for one in tests],
        },
    )


def _never(pair: Pair) -> str:
    if pair[0].layer_id is not None and pair[0].layer_id == pair[1].layer_id:
        return "they share a layer, so nobody is in both"
    return ""


def _tuned_for(pair: Pair, units: int, now: datetime) -> int:
    """Return how many shared units there will be at the end of the shorter plan: where the tests are sharpest."""
    starts = max(one.counts_from or now for one in pair)
    ends = min((one.counts_from or now) + timedelta(days=one.planned_days) for one in pair)
    gone = max(now - starts, timedelta(hours=6))
    whole = max(ends - starts, gone)
    return max(4 * FEWEST, round(units * min(30.0, whole / gone)))


def _not_yet(pair: Pair, counts: Mapping[Cell, int]) -> str:
    """Say why the combinations cannot be compared, or nothing."""
    controls = [one.variants.get(position=0).pk for one in pair]
    treatments = [_treatments(one) for one in pair]
    wanted = [(a, b) for a in [controls[0], *(t.pk for t in treatments[0])] for b in
              [controls[1], *(t.pk for t in treatments[1])]]  # fmt: skip
    least = min(counts.get(cell, 0) for cell in wanted)
    if least < FEWEST:
        return f"the smallest combination of the two has {least:,} units; {FEWEST} are the fewest"
    weights = [dict(one.variants.values_list("pk", "weight")) for one in pair]
    split = split_test(
        {f"{a}.{b}": counts.get((a, b), 0) for a, b in product(*weights)},
        {f"{a}.{b}": weights[0][a] * weights[1][b] for a, b in product(*weights)},
        DEFAULTS,
    )
    if isinstance(split, SplitTest) and split.mismatch:
        return (
            "the combinations do not have the sizes that two independent splits give, so who is in both depends on "
            "what one of them does"
        )
    return ""


def _treatments(one: Experiment) -> list[Variant]:
    return list(one.variants.filter(position__gt=0, weight__gt=0)[:MOST_TREATMENTS])


def _tests(pair: Pair, counts: Mapping[Cell, int], tuned: int) -> Iterator[InteractionTest]:
    controls = [one.variants.get(position=0) for one in pair]
    for metric, counted_by in _metrics(pair):
        found = cells.estimates(*pair, metric, counted_by)
        for first, second in product(_treatments(pair[0]), _treatments(pair[1])):
            four: dict[tuple[int, int], Cell] = {
                (i, j): ((controls[0].pk, first.pk)[i], (controls[1].pk, second.pk)[j]) for i in (0, 1) for j in (0, 1)
            }
            units = sum(counts.get(cell, 0) for cell in four.values())
            estimated = {at: found.get(cell, NotComputable("nobody")) for at, cell in four.items()}
            tested = interaction(estimated)
            neither, other = estimated[0, 0], estimated[0, 1]
            if isinstance(tested, Interaction) and isinstance(neither, Estimate) and isinstance(other, Estimate):
                made = _test(metric, counted_by, first, second, units, tested, neither.value, other.value, tuned)
                if made is not None:
                    yield made


def _test(
    metric: Metric,
    counted_by: Experiment,
    first: Variant,
    second: Variant,
    units: int,
    tested: Interaction,
    neither: float,
    other: float,
    tuned: int,
) -> InteractionTest | None:
    """Return a test as it is kept: relative to the value where neither treatment is; none where that is not above 0."""
    if neither <= 0 or other <= 0:
        return None
    half = boundary(units, ALPHA, tuned) * tested.standard_error
    return InteractionTest(
        metric=metric.key,
        metric_name=metric.name,
        first_treatment=first.name,
        second_treatment=second.name,
        units=units,
        alone=tested.first_alone / neither,
        together=tested.first_with_second / other,
        value=tested.value / neither,
        interval=((tested.value - half) / neither, (tested.value + half) / neither),
        p_value=always_valid_p(tested.value / tested.standard_error, units, ALPHA, tuned),
        counted_by=counted_by.key,
    )


def _metrics(pair: Pair) -> Iterator[tuple[Metric, Experiment]]:
    """Yield each experiment's primary metrics, counted by it; one that both share once, by the older one."""
    told: set[int] = set()
    for one in pair:
        for use in one.plan.filter(role=MetricRole.PRIMARY.value).select_related("metric"):
            if use.metric_id not in told and MetricKind(use.metric.kind) in FORMS:
                told.add(use.metric_id)
                yield use.metric, one


def read(project: Project, now: datetime) -> Interactions:
    """Return every pair that was scanned and still matters, with p-values corrected over all of them."""
    begins = Coalesce("phase_started_at", "started_at")
    still = set(_overlapping(_lately(project, now).values_list("pk", "unit_type", begins, "stopped_at"), now))
    tests = Cast("tests", TextField())
    rows = InteractionScan.objects.filter(project=project).values_list(*SHOWN, tests, named=True)
    kept = [row for row in rows if (row.first_id, row.second_id) in still]
    found = [_tests_of.decode(row[-1]) for row in kept]
    adjusted = iter(
        correct([test.p_value for own in found for test in own], Correction.BENJAMINI_HOCHBERG, ALPHA).adjusted
    )
    pairs = [_pair(row, own, [next(adjusted) or 0.0 for _ in own]) for row, own in zip(kept, found, strict=True)]
    return reading(pairs, len(still) - len(kept))


_tests_of = msgspec.json.Decoder(list[InteractionTest])


def _pair(row: Any, tests: Sequence[InteractionTest], adjusted: list[float]) -> PairFact:
    return PairFact(
        first=row.first__key,
        first_name=row.first__name,
        second=row.second__key,
        second_name=row.second__name,
        units=row.units,
        scanned_at=row.scanned_at,
        reason=row.reason,
        tests=list(tests),
        adjusted=adjusted,
        disturbed=any(p < ALPHA for p in adjusted),
        sentence="",
    )


def _tell(project: Project, now: datetime) -> None:
    """Open an alert for each pair that disturbs each other, and close those of pairs that do not any more."""
    found = read(project, now)
    disturbed = [pair for pair in found.pairs if pair.disturbed]
    by_key = {one.key: one for one in Experiment.objects.filter(project=project, key__in=[p.first for p in disturbed])}
    for pair in disturbed:
        sentence, what_to_do = alert_words(pair)
        raise_alert(
            project, AlertKind.INTERACTION, f"{pair.first}/{pair.second}", sentence, what_to_do=what_to_do,
            severity=Severity.WARNING, experiment=by_key[pair.first], now=now,
        )  # fmt: skip
    still = {f"{pair.first}/{pair.second}" for pair in disturbed}
    close_others(project, AlertKind.INTERACTION, still, because="The two no longer show it, or are over.", now=now)
