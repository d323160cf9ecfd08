"""A snapshot laid out for the hot path: look a key up, look a flag up, send bytes that are ready."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, structs

from assignment.context import RequestError, attributes_of
from assignment.engine.flags import CompiledFlag
from assignment.engine.lanes import Ends
from assignment.engine.native import NATIVE
from assignment.engine.program import Program, compile_features
from assignment.engine.sdk.results import Source
from assignment.engine.terminals import Outcome, Terminal
from assignment.engine.together import Together
from assignment.programs import recompiled
from assignment.served import FlagFacts, ServedEnvironment, hash_attribute
from assignment.snapshot import Snapshot
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.keys import digest
from experiments.domain.units import UnitType

REMEMBERED_MISSES = 1_000
LONGEST_COMPARED = 80
HOLDOUT = "holdout"
HASH_ATTRIBUTES = {hash_attribute(unit_type): unit_type.value for unit_type in UnitType}
# An experiment's status says more than that no rule reached the unit.
_WITHOUT_RULES = {status.value: status for status in (Outcome.DISABLED, Outcome.PAUSED, Outcome.STOPPED)}
# OFREP's schema has no DEFAULT. STATIC (nothing was decided for this unit) is the nearest that it allows, and the
# metadata's outcome says precisely what happened.
_REASONS = {
    Outcome.ASSIGNED: "SPLIT",
    Outcome.OVERRIDE: "TARGETING_MATCH",
    Outcome.TARGETED: "TARGETING_MATCH",
    **dict.fromkeys((Outcome.DISABLED, Outcome.PAUSED, Outcome.STOPPED), "DISABLED"),
}
_encoder = msgspec.json.Encoder()


class Frame(msgspec.Struct, frozen=True):
    """What stands around the answers of all flags, and how a flag that cannot be answered says so."""

    before: bytes
    after: bytes
    failed: Callable[[RequestError, str], bytes]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One possible end of a flag's evaluation as OFREP says it; metadata is flat, for the protocol's sake."""

    key: str
    value: Any
    variant: str
    reason: str
    metadata: dict[str, str]


def answer_of(key: str, facts: FlagFacts, end: Terminal) -> Answer:
    """Return a terminal in OFREP's words, always with value, variant and reason: clients read them unguarded."""
    outcome = outcome_of(facts, end)
    variant = end.variant_key if end.experiment_key else facts.default_variant
    if not end.experiment_key and 0 <= end.rule < len(facts.variants):
        variant = facts.variants[end.rule]
    experiment = end.experiment_key or (key if facts.kind == "experiment" else "")
    model = facts.models.get(experiment, {}).get(variant, "")
    named = {
        "experiment": experiment,
        "unitType": facts.units.get(experiment, ""),
        "outcome": outcome.value,
        "ruleId": "" if outcome is Outcome.ASSIGNED else end.rule_id,
        "modelVersion": model,
    }
    return Answer(
        key=key,
        value=end.value,
        variant=variant,
        reason=_REASONS.get(outcome, "STATIC"),
        metadata={name: text for name, text in named.items() if text},
    )


def outcome_of(facts: FlagFacts, end: Terminal) -> Outcome:
    """Return what happened to a unit, in one word."""
    if end.rule < 0:
        return _WITHOUT_RULES.get(facts.status, end.outcome)
    return Outcome.PAUSED if end.rule_id == Outcome.PAUSED else end.outcome


class Flag:
    """A flag or experiment whose possible answers are encoded once and not for every request."""

    __slots__ = ("answers", "compiled", "ends", "facts", "key", "units")

    def __init__(self, key: str, facts: FlagFacts, feature: Mapping[str, Any], compiled: CompiledFlag) -> None:
        self.key = key
        self.facts = facts
        self.compiled = compiled
        self.units = tuple(sorted({one for rule in feature["rules"] if (one := rule.get("hashAttribute"))}))
        answers = (answer_of(key, facts, end) for end in compiled.terminals)
        # The protocol's null, for a chain of prerequisites beyond all bounds, would be an error in typed clients.
        default = feature["defaultValue"]
        self.answers = tuple(one if one.value is not None else structs.replace(one, value=default) for one in answers)
        self.ends = tuple(
            None if end.outcome is Outcome.NO_UNIT else _encoder.encode(answer)
            for end, answer in zip(compiled.terminals, self.answers, strict=True)
        )

    def encoded(self, attributes: Mapping[str, Any], problems: Mapping[str, RequestError]) -> bytes:
        """Return the OFREP answer for these attributes.

        Raises
        ------
        RequestError
            When a unit has to be hashed and none is named: what is wrong with its id, or TARGETING_KEY_MISSING.
        """
        encoded = self.ends[self.compiled.choose(attributes)]
        if encoded is None:
            raise self.missing(problems)
        return encoded

    def missing(self, problems: Mapping[str, RequestError]) -> RequestError:
        """Return what to say where a unit has to be hashed and none is named."""
        for name in self.units:
            if name in problems:
                return problems[name]
        wanted = " or ".join(HASH_ATTRIBUTES.get(name, name) for name in self.units) or UnitType.USER.value
        ways = ["context.targetingKey", *(f"context.{'user_id' if name == 'id' else name}" for name in self.units)]
        return RequestError(
            "TARGETING_KEY_MISSING",
            f"{self.key!r} is decided for units of type {wanted}; name one in {' or '.join(ways)}.",
        )


def joined(before: bytes, pieces: list[bytes | None], places: Ends, after: bytes) -> bytes | None:
    """Return the pieces at these places with commas between them, without empty ones; None where a piece is None."""
    if NATIVE is not None:
        return NATIVE.joined(before, pieces, places, after)
    chosen = list(map(pieces.__getitem__, places.tolist()))
    return None if None in chosen else before + b",".join(filter(None, chosen)) + after


class _All:
    """All flags laid out to be asked for one context."""

    def __init__(self, program: Program, flags: Mapping[str, Flag]) -> None:
        self._flags = tuple(flags.values())
        self._together = Together(program, list(flags))
        self._ends = [end for flag in self._flags for end in flag.ends]
        self._assigned: list[bytes | None] = [
            _assigned(flag, end) for flag in self._flags for end in range(len(flag.ends))
        ]

    def encoded(self, attributes: Mapping[str, Any], problems: Mapping[str, RequestError], frame: Frame) -> bytes:
        """Return each flag's answer, or the failure of one that cannot be answered, within the frame."""
        places = self._together.places(attributes)
        answered = joined(frame.before, self._ends, places, frame.after)
        if answered is not None:
            return answered
        found = [
            frame.failed(flag.missing(problems), flag.key) if end is None else end
            for flag, end in zip(self._flags, map(self._ends.__getitem__, places.tolist()), strict=True)
        ]
        return frame.before + b",".join(found) + frame.after

    def assigned(self, attributes: Mapping[str, Any], before: bytes, after: bytes) -> bytes:
        """Return a member of a JSON object for each flag that gives the unit something else than its default."""
        return joined(before, self._assigned, self._together.places(attributes), after) or before + after


def _assigned(flag: Flag, end: int) -> bytes:
    """Return what the unit got there as a member of a JSON object, or nothing where it got the default."""
    terminal, answer = flag.compiled.terminals[end], flag.answers[end]
    if terminal.rule < 0 or terminal.source is Source.PREREQUISITE:
        return b""
    told = {"variant": answer.variant, "value": answer.value}
    if terminal.experiment_key not in ("", flag.key):
        told["experiment"] = terminal.experiment_key
    if terminal.outcome is not Outcome.ASSIGNED:
        told["outcome"] = answer.metadata["outcome"]
    return _encoder.encode(flag.key) + b":" + _encoder.encode(told)


class Environment:
    """One environment of a project: its program, its flags, and the definition as the SDKs fetch it."""

    __slots__ = ("_all", "_nearest", "date_updated", "digest", "features", "flags", "payload", "payload_etag",
                 "program", "saved_groups", "served", "units")  # fmt: skip

    def __init__(self, served: ServedEnvironment, previous: "Environment | None" = None) -> None:
        self.served = served
        self.digest = served.digest
        before = previous.served if previous and previous.served.saved_groups == served.saved_groups else None
        changed = _changed(served.features, before.features if before else {})
        kept = previous.features if previous else {}
        self.features: dict[str, Any] = {
            key: msgspec.json.decode(raw) if key in changed else kept[key] for key, raw in served.features.items()
        }
        self.saved_groups: dict[str, Any] = msgspec.json.decode(served.saved_groups)
        if previous is not None and before is not None:
            self.program: Program = recompiled(previous.program, self.features, self.saved_groups, changed)
        else:
            self.program = compile_features(self.features, self.saved_groups)
        self.flags = {
            key: self._flag(key, facts, previous) for key, facts in served.facts.items() if facts.kind != HOLDOUT
        }
        self.units = tuple(sorted({name for flag in self.flags.values() for name in flag.units} | {"id"}))
        self.date_updated = _timestamp(served.date_updated)
        self.payload = _payload(served, self.date_updated)
        self.payload_etag = f'"{hashlib.blake2b(self.payload, digest_size=16).hexdigest()}"'
        self._nearest: dict[str, str | None] = {}
        self._all: _All | None = None

    def encoded(self, attributes: Mapping[str, Any], problems: Mapping[str, RequestError], frame: Frame) -> bytes:
        """Return the OFREP answer of every flag in the order of ``flags``; a flag that fails does so alone."""
        return self._laid_out().encoded(attributes, problems, frame)

    def assigned(self, attributes: Mapping[str, Any], before: bytes, after: bytes) -> bytes:
        """Return a member of a JSON object for each flag that gives the unit something else than its default."""
        return self._laid_out().assigned(attributes, before, after)

    def _laid_out(self) -> _All:
        if self._all is None:  # for the first that asks for all flags: many servers are asked for one only
            self._all = _All(self.program, self.flags)
        return self._all

    def _flag(self, key: str, facts: FlagFacts, previous: "Environment | None") -> Flag:
        """Return the flag, encoded anew only when something about it has changed."""
        compiled = self.program.flags[key]
        last = previous.flags.get(key) if previous else None
        if last is not None and last.compiled is compiled and last.facts == facts:
            return last
        return Flag(key, facts, self.features[key], compiled)

    def attributes(self, context: dict[str, Any]) -> tuple[dict[str, Any], dict[str, RequestError]]:
        """Return a context's attributes with the units that this environment hashes, and what is wrong with those."""
        return attributes_of(context, self.units)

    def nearest(self, key: str) -> str | None:
        """Return the flag key most like a mistyped one, or None when none is near."""
        # An app may ask for a flag that is not started yet on every request: compare once, not each time.
        if key not in self._nearest:
            if len(self._nearest) >= REMEMBERED_MISSES:
                self._nearest.clear()
            near = difflib.get_close_matches(key[:LONGEST_COMPARED], self.flags, n=1)
            self._nearest[key] = near[0] if near else None
        return self._nearest[key]


def _changed(now: Mapping[str, Raw], before: Mapping[str, Raw]) -> set[str]:
    """Return the keys of what is new, gone or written differently; 1 and 1.0 are."""
    return {key for key, raw in now.items() if before.get(key) != raw} | (before.keys() - now.keys())


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _payload(served: ServedEnvironment, date_updated: str) -> bytes:
    document = {
        "status": 200,
        "dateUpdated": date_updated,
        "features": served.features,
        "savedGroups": served.saved_groups,
    }
    return _encoder.encode(document)


class Opened(msgspec.Struct, frozen=True):
    """What an API key opens; ``name`` is the environment's, written as no other of this installation is."""

    grant: KeyGrant
    environment: Environment
    name: bytes


class Table:
    """Everything a door needs of one snapshot; its content never changes, so a request sees one consistent state."""

    __slots__ = ("_environments", "_grants", "_opened", "_served", "_slugs", "version")

    def __init__(self, snapshot: Snapshot, previous: "Table | None" = None) -> None:
        content = snapshot.content
        self.version = snapshot.version
        self._grants = content.keys
        self._opened: dict[str, Opened] = {}
        self._slugs = {project.id: project.slug for project in content.projects}
        self._served = {
            (project.id, name): served for project in content.projects for name, served in project.environments.items()
        }
        before = previous._environments if previous else {}
        # What no key opens is compiled when somebody asks for it.
        wanted = {(g.project_id, g.environment.value) for g in content.keys.values() if g.allows(Scope.EVALUATE)}
        self._environments: dict[tuple[int, str], Environment] = {
            name: _laid_out(served, before.get(name))
            for name, served in self._served.items()
            if name in wanted or name in before
        }

    def grant(self, plain_key: str) -> KeyGrant | None:
        """Return what an API key opens, or None for one that is unknown or revoked."""
        # The digest is looked up and not the key, so the time taken says nothing about any stored key.
        return self._grants.get(digest(plain_key))

    def opened(self, plain_key: str) -> Opened | None:
        """Return what an API key opens with its environment, or None where it opens none."""
        # Digests cost as much as an evaluation, so keys that were good are known again while this table is served. Here
        # too the time taken says nothing: Python finds texts by a hash with a secret of this process.
        found = self._opened.get(plain_key)
        if found is None and (grant := self.grant(plain_key)) is not None:
            environment = self.environment(grant.project_id, grant.environment)
            if environment is None:
                return None  # the project went, and its keys are about to
            name = f"{grant.project_id} {grant.environment.value}".encode()
            found = self._opened[plain_key] = Opened(grant, environment, name)
        return found

    def environment(self, project_id: int, name: str) -> Environment | None:
        """Return one environment of a project, or None where there is no such project or environment."""
        found = self._environments.get((project_id, name))
        if found is None and (served := self._served.get((project_id, name))) is not None:
            found = self._environments.setdefault((project_id, name), Environment(served))
        return found

    def slug(self, project_id: int) -> str:
        """Return a project's name in addresses."""
        return self._slugs.get(project_id, "")

    def environments(self) -> Iterable[tuple[int, str]]:
        """Return every project and environment that is served."""
        return self._served.keys()


def _laid_out(served: ServedEnvironment, previous: Environment | None) -> Environment:
    if previous is not None and previous.served == served:
        return previous
    return Environment(served, previous)
