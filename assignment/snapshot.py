"""All that the edge needs to answer without a database, sealed so that damage is noticed."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from assignment.served import ServedEnvironment, ServedProject, sealed
from experiments.domain.access import KeyGrant

FORMAT = 2
KEY_DIGEST = re.compile(r"[0-9a-f]{64}")


class SnapshotError(Exception):
    """A snapshot cannot be served; the message says what is wrong with it."""


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
    checksum: str
    taken_at: datetime
    content: Raw


class _Format(Struct):
    format: int


_encoder = msgspec.json.Encoder(order="deterministic")
_groups = msgspec.json.Decoder(dict[str, Raw])


def _hash(encoded: bytes) -> str:
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def seal(content: Content, taken_at: datetime) -> Snapshot:
    """Return the content as a snapshot with its version, which the dates of environments do not change."""
    projects = [
        (project.id, project.slug, {name: one.digest for name, one in project.environments.items()})
        for project in content.projects
    ]
    version = _hash(_encoder.encode([projects, content.keys]))
    return Snapshot(version=version, taken_at=taken_at, content=content)


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as JSON for the disk."""
    content = _encoder.encode(snapshot.content)
    return _encoder.encode(
        _Envelope(
            format=FORMAT,
            version=snapshot.version,
            checksum=_hash(content),
            taken_at=snapshot.taken_at,
            content=Raw(content),
        )
    )


def decode(encoded: bytes) -> Snapshot:
    """Return the snapshot that ``encode`` wrote.

    Raises
    ------
    SnapshotError
        When it is no JSON, was written in another format, is damaged, or holds a key that opens nothing.
    """
    try:
        found = msgspec.json.decode(encoded, type=_Format).format
        if found != FORMAT:
            raise SnapshotError(f"the snapshot has format {found}; this version reads format {FORMAT}.")
        envelope = msgspec.json.decode(encoded, type=_Envelope)
        if _hash(bytes(envelope.content)) != envelope.checksum:
            raise SnapshotError("the snapshot's content does not match its checksum: the file is damaged.")
        content = msgspec.json.decode(envelope.content, type=Content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SnapshotError(f"the snapshot cannot be read: {error}") from error
    if problems := list(_problems(content)):
        raise SnapshotError(" ".join(problems))
    return Snapshot(version=envelope.version, taken_at=envelope.taken_at, content=content)


def _problems(content: Content) -> Iterable[str]:
    projects = {project.id for project in content.projects}
    for digest, grant in content.keys.items():
        if not KEY_DIGEST.fullmatch(digest) or grant.project_id not in projects:
            yield f"An API key is refused: digest {digest[:8]!r}… of project {grant.project_id}."


def accept(offered: Content, last_good: Content | None, now: datetime) -> tuple[Content, list[str]]:
    """Return what of an offered content may be served, and what is wrong with the rest.

    A flag that cannot be served stays as it was last served in that environment, or is left out when it never was. So
    one bad row neither moves its own units nor keeps the changes of others, such as a revoked key, from taking effect.
    An environment whose definition is as before keeps its date.
    """
    before = {project.id: project for project in last_good.projects} if last_good else {}
    projects: list[ServedProject] = []
    refusals: dict[str, None] = {}
    for project in offered.projects:
        last = before.get(project.id)
        environments = {
            name: _accepted(one, last.environments.get(name) if last else None, now)
            for name, one in project.environments.items()
        }
        projects.append(structs.replace(project, environments=environments))
        refusals |= dict.fromkeys(_refusals(project))  # once, not for each environment
    return structs.replace(offered, projects=tuple(projects)), list(refusals)


def _refusals(project: ServedProject) -> Iterable[str]:
    for environment in project.environments.values():
        for key, problem in environment.refused.items():
            yield f"{key!r} of project {project.slug!r} is refused: {problem}"


def _accepted(offered: ServedEnvironment, last: ServedEnvironment | None, now: datetime) -> ServedEnvironment:
    if last is None:
        return offered
    accepted = _with_last_good(offered, last)
    if accepted.digest == last.digest:
        return structs.replace(accepted, date_updated=last.date_updated)
    # Clients ignore a definition that is no newer than theirs.
    return accepted if accepted.date_updated > last.date_updated else structs.replace(accepted, date_updated=now)


def _with_last_good(offered: ServedEnvironment, last: ServedEnvironment) -> ServedEnvironment:
    kept = [key for key in offered.refused if key in last.features and key not in offered.features]
    if not kept:
        return offered
    features = offered.features | {key: last.features[key] for key in kept}
    facts = offered.facts | {key: last.facts[key] for key in kept if key in last.facts}
    return sealed(
        features=_sorted(features),
        saved_groups=Raw(_encoder.encode(_groups.decode(last.saved_groups) | _groups.decode(offered.saved_groups))),
        facts=_sorted(facts),
        refused=offered.refused,
        date_updated=offered.date_updated,
    )


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(mapping.items()))
