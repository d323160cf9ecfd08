"""All that the edge needs to answer without a database, sealed so that damage is noticed."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from assignment.engine.bucketing import bucket_ranges
from assignment.engine.evaluation import ServedExperiment
from experiments.domain.access import KeyGrant

FORMAT = 1
FLAG_KEY = re.compile(r"[A-Za-z0-9._-]+")
KEY_DIGEST = re.compile(r"[0-9a-f]{64}")
FEWEST_VARIANTS = 2


class SnapshotError(Exception):
    """A snapshot cannot be served; the message says what is wrong with it."""


class ServedProject(Struct, frozen=True, kw_only=True):
    """A project's started experiments, running and stopped, in the order of their keys."""

    id: int
    slug: str
    experiments: tuple[ServedExperiment, ...]


class Content(Struct, frozen=True, kw_only=True):
    """Projects, and what each API key opens by the key's digest: never a key itself."""

    projects: tuple[ServedProject, ...]
    keys: dict[str, KeyGrant]


class Snapshot(Struct, frozen=True, kw_only=True):
    """Content with its version, which is its digest: equal content has an equal version in every process."""

    version: str
    taken_at: datetime
    content: Content


class _Envelope(Struct, kw_only=True, forbid_unknown_fields=True):
    format: int
    version: str
    taken_at: datetime
    content: msgspec.Raw


_encoder = msgspec.json.Encoder(order="deterministic")


def _version(encoded_content: bytes) -> str:
    return hashlib.blake2b(encoded_content, digest_size=16).hexdigest()


def seal(content: Content, taken_at: datetime) -> Snapshot:
    """Return the content as a snapshot with its version."""
    return Snapshot(version=_version(_encoder.encode(content)), taken_at=taken_at, content=content)


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as JSON for the disk."""
    content = msgspec.Raw(_encoder.encode(snapshot.content))
    return _encoder.encode(
        _Envelope(format=FORMAT, version=snapshot.version, taken_at=snapshot.taken_at, content=content)
    )


def decode(encoded: bytes) -> Snapshot:
    """Return the snapshot that ``encode`` wrote.

    Raises
    ------
    SnapshotError
        When it is no JSON, was written in another format, is damaged, or holds an experiment that cannot be served.
    """
    try:
        envelope = msgspec.json.decode(encoded, type=_Envelope)
        if envelope.format != FORMAT:
            raise SnapshotError(f"the snapshot has format {envelope.format}; this version reads format {FORMAT}.")
        if _version(bytes(envelope.content)) != envelope.version:
            raise SnapshotError("the snapshot's content does not match its version: the file is damaged.")
        content = msgspec.json.decode(envelope.content, type=Content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError(f"the snapshot cannot be read: {error}") from error
    problems = list(_problems(content))
    if problems:
        raise SnapshotError(" ".join(problems))
    return Snapshot(version=envelope.version, taken_at=envelope.taken_at, content=content)


def accept(offered: Content, last_good: Content | None) -> tuple[Content, list[str]]:
    """Return what of an offered content may be served, and what is wrong with the rest.

    An experiment that cannot be served stays as it was last served, or is left out when it never was. So one bad row
    neither moves its own units nor keeps the changes of others, such as a revoked key, from taking effect.
    """
    served = {(p.id, e.key): e for p in last_good.projects for e in p.experiments} if last_good else {}
    refusals: list[str] = []
    projects = []
    for project in offered.projects:
        kept: dict[str, ServedExperiment] = {}
        for experiment in project.experiments:
            problem = problem_of(experiment)
            if problem is None and experiment.key in kept:
                problem = "its key is there twice."
            if problem is not None:
                refusals.append(f"Experiment {experiment.key!r} of project {project.slug!r} is refused: {problem}")
            fallback = kept.get(experiment.key) or served.get((project.id, experiment.key))
            chosen = experiment if problem is None else fallback
            if chosen is not None:
                kept[experiment.key] = chosen
        projects.append(msgspec.structs.replace(project, experiments=tuple(kept.values())))
    return msgspec.structs.replace(offered, projects=tuple(projects)), refusals


def problem_of(experiment: ServedExperiment) -> str | None:
    """Return why an experiment cannot be served, or None."""
    keys = [variant.key for variant in experiment.variants]
    if not FLAG_KEY.fullmatch(experiment.key):
        return "its key may hold only letters, digits, dots, underscores and hyphens."
    if not experiment.salt:
        return "it has no salt, so its split would equal that of others."
    if len(keys) < FEWEST_VARIANTS:
        return f"it has {len(keys)} variants; it needs {FEWEST_VARIANTS} or more."
    if len(set(keys)) < len(keys) or not all(keys):
        return f"its variants are {keys}; each needs a key of its own."
    if any(variant.value is None for variant in experiment.variants):
        return "a variant has no value; apps would receive null."
    try:
        bucket_ranges([variant.weight for variant in experiment.variants], experiment.allocation)
    except ValueError as error:
        return str(error)
    return None


def _problems(content: Content) -> Iterable[str]:
    projects = {project.id for project in content.projects}
    for digest, grant in content.keys.items():
        if not KEY_DIGEST.fullmatch(digest) or grant.project_id not in projects:
            yield f"An API key is refused: digest {digest[:8]!r}… of project {grant.project_id}."
    yield from accept(content, None)[1]
