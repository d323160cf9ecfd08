"""Keep scores by example for a version, and compare versions on them; each comparison is made once and kept."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from django.db import transaction
from msgspec import Struct

from analysis.decisions.inputs import PairedFact
from analysis.examples.reading import column_names, read_scores
from analysis.models import ExampleScores, VersionComparison
from analysis.stats.example_scores import Compared, Scores, compare, own_intervals
from analysis.stats.unavailable import NotComputable
from experiments import audit
from experiments.domain.offline import OfflineValue, named
from experiments.model_versions import registration_of, revise
from experiments.models import ModelVersion, User

SEED = 20_080  # of the resampling: the same files give the same numbers
METHOD = "bootstrap over examples"
PARTS = ("units", "labels", "predictions", "binary", "predicted", "scores")


class MetricDifference(Struct, frozen=True, kw_only=True):
    """New minus old of one metric, paired by example, with its 95 % interval."""

    name: str
    old: float
    new: float
    value: float
    low: float
    high: float
    p_value: float


class ComparedVersions(Struct, frozen=True, kw_only=True):
    """Two versions on the examples that both scored.

    ``changed`` is the share of examples whose answer changed at all. ``only_old_right`` and ``only_new_right`` count
    the examples that one version alone got right, ``judged_p_value`` is of McNemar's exact test between them.
    ``problem`` says why nothing could be compared.
    """

    evaluation_set: str
    examples: int
    clusters: int
    only_in_old: int
    only_in_new: int
    changed: float | None
    metrics: list[MetricDifference]
    only_old_right: int | None = None
    only_new_right: int | None = None
    judged_p_value: float | None = None
    problem: str = ""


def keep(
    version: ModelVersion, user: User | None, file: Path, name: str, evaluation_set: str
) -> tuple[ExampleScores, bool]:
    """Read a file of scores and keep it for the version; return what is kept, and whether it is new.

    The same file sent again changes nothing; another one for the same evaluation set takes the place of the first.

    Raises
    ------
    RefusalError
        The file cannot be read so; the message says why.
    """
    digest = _digest(file)
    found = ExampleScores.objects.filter(model_version=version, evaluation_set=evaluation_set, digest=digest).first()
    if found is not None:
        return found, False
    scores = read_scores(file, name)
    with transaction.atomic():
        kept, _ = ExampleScores.objects.update_or_create(
            model_version=version,
            evaluation_set=evaluation_set,
            defaults={
                "digest": digest,
                "examples": len(scores.examples),
                "columns": list(column_names(scores)),
                "packed": packed(scores),
                "created_by": user,
            },
        )
        _measure(version, user, scores, evaluation_set)
        audit.record(
            version.project, user, "model_version.scores", f"model:{version}",
            after={"evaluation_set": evaluation_set, "examples": kept.examples, "columns": kept.columns},
        )  # fmt: skip
    return kept, True


def _measure(version: ModelVersion, user: User | None, scores: Scores, evaluation_set: str) -> None:
    """Write the metrics that the scores give into the version, each with its interval."""
    fresh = {
        name: OfflineValue(
            name=name,
            value=value,
            low=low,
            high=high,
            method=METHOD,
            evaluation_set=evaluation_set,
            size=len(scores.examples),
            direction=named(name).direction,
        )
        for name, (value, low, high) in own_intervals(scores, np.random.default_rng(SEED)).items()
    }
    before = registration_of(version)
    kept = [one for one in before.metrics if one.evaluation_set != evaluation_set or one.name not in fresh]
    revise(version, user, replace(before, metrics=(*kept, *fresh.values())))


def shared_sets(old: ModelVersion, new: ModelVersion) -> list[str]:
    """Return the evaluation sets on which both versions have scores."""
    both = ExampleScores.objects.filter(model_version__in=[old, new]).values_list("evaluation_set", "model_version_id")
    by_set: dict[str, set[int]] = {}
    for name, version in both:
        by_set.setdefault(name, set()).add(version)
    return sorted(name for name, versions in by_set.items() if len(versions) == 2)


def compared(old: ModelVersion, new: ModelVersion, evaluation_set: str) -> ComparedVersions | None:
    """Return the comparison of two versions on a set: the one that is kept, else made now; None without scores."""
    rows = ExampleScores.objects.filter(model_version__in=[old, new], evaluation_set=evaluation_set).defer("packed")
    by_version = {row.model_version_id: row for row in rows}
    if len(by_version) < 2:
        return None
    digests = f"{by_version[old.pk].digest} {by_version[new.pk].digest}"
    kept = VersionComparison.objects.filter(old=old, new=new, evaluation_set=evaluation_set, digests=digests).first()
    if kept is None:
        found = compare(unpacked(by_version[old.pk]), unpacked(by_version[new.pk]), np.random.default_rng(SEED))
        kept, _ = VersionComparison.objects.update_or_create(
            old=old,
            new=new,
            evaluation_set=evaluation_set,
            defaults={"digests": digests, "payload": msgspec.to_builtins(_told(evaluation_set, found))},
        )
    return msgspec.convert(kept.payload, ComparedVersions)


def paired_facts(old: ModelVersion, new: ModelVersion) -> tuple[PairedFact, ...]:
    """Return what the scores by example say of two versions, as the decision takes it."""
    found = [made for name in shared_sets(old, new) if (made := compared(old, new, name)) and not made.problem]
    return tuple(
        PairedFact(
            name=metric.name,
            evaluation_set=one.evaluation_set,
            old=metric.old,
            new=metric.new,
            low=metric.low,
            high=metric.high,
            changed=one.changed or 0.0,
            examples=one.examples,
            direction=named(metric.name).direction,
        )
        for one in found
        for metric in one.metrics
    )


def _told(evaluation_set: str, found: Compared | NotComputable) -> ComparedVersions:
    if isinstance(found, NotComputable):
        return ComparedVersions(
            evaluation_set=evaluation_set, examples=0, clusters=0, only_in_old=0, only_in_new=0, changed=None,
            metrics=[], problem=found.reason,
        )  # fmt: skip
    metrics = [
        MetricDifference(
            name=name, old=one.old, new=one.new, value=one.value, low=one.interval[0], high=one.interval[1],
            p_value=one.p_value,
        )
        for name, one in found.metrics.items()
    ]  # fmt: skip
    return ComparedVersions(
        evaluation_set=evaluation_set,
        examples=found.examples,
        clusters=next((one.clusters for one in found.metrics.values()), found.examples),
        only_in_old=found.only_old,
        only_in_new=found.only_new,
        changed=found.changed,
        metrics=metrics,
        only_old_right=found.judged.only_old if found.judged else None,
        only_new_right=found.judged.only_new if found.judged else None,
        judged_p_value=found.judged.p_value if found.judged else None,
        problem="; ".join(found.problems) if not metrics else "",
    )


def packed(scores: Scores) -> bytes:
    """Return scores as the table keeps them: compressed columns."""
    parts: dict[str, Any] = {"examples": scores.examples}
    for name in PARTS:
        part = getattr(scores, name)
        if part is not None:
            parts[name] = part
    for place, (name, value) in enumerate(scores.values.items()):
        parts[f"value{place}"], parts[f"name{place}"] = value, np.array(name)
    written = io.BytesIO()
    np.savez_compressed(written, **parts)
    return written.getvalue()


def unpacked(kept: ExampleScores) -> Scores:
    """Return what a row of the table holds."""
    with np.load(io.BytesIO(bytes(kept.packed)), allow_pickle=False) as found:
        values = [name for name in found.files if name.startswith("value")]
        return Scores(
            examples=found["examples"],
            **{name: found[name] if name in found.files else None for name in PARTS},
            values={str(found[name.replace("value", "name")]): found[name] for name in values},
        )


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
