"""What happened to one thing, newest first, from the audit: who, when, what changed and why."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments import audit
from experiments.models import AuditEntry, Project

MOST_ENTRIES = 50
LONGEST_VALUE = 120

WORDS = {
    "experiment.create": "created it",
    "experiment.revise": "changed the plan",
    "experiment.start": "started it",
    "experiment.start-missed": "could not start it at its time",
    "experiment.stop": "stopped it",
    "experiment.shares": "moved its shares",
    "experiment.decisions": "gave a file of decisions",
    "experiment.pause": "paused it",
    "experiment.resume": "let it run again",
    "experiment.ship": "shipped a variant",
    "experiment.withdraw": "took the shipped variant back",
    "experiment.hold-back": "began it as a holdback",
    "experiment.conclude": "concluded it",
    "experiment.conclusion-request": "asked for a second person to agree to a decision against the rule",
    "experiment.conclusion-approve": "agreed to the decision",
    "experiment.conclusion-decline": "disagreed with the decision",
    "experiment.conclusion-take-back": "took the request for a decision back",
    "experiment.owner": "said who answers for it",
    "experiment.page-address": "changed where it can be seen",
    "experiment.picture-add": "added a picture of a variant",
    "experiment.picture-remove": "removed a picture of a variant",
    "experiment.duplicate": "made it from another experiment",
    "experiment.audience": "changed who takes part",
    "experiment.times": "changed when it starts and stops by itself",
    "experiment.traffic": "let more take part",
    "experiment.new-phase": "began a new phase",
    "experiment.ramp": "changed the steps of its traffic",
    "experiment.ramp-step": "took the next step of its traffic",
    "experiment.ramp-hold": "held the steps of its traffic",
    "experiment.ramp-release": "let the steps of its traffic go on",
    "experiment.layer-join": "put it into a layer",
    "experiment.layer-leave": "took it out of its layer",
    "experiment.layer-grow": "enlarged its part of the layer",
    "experiment.prerequisites": "changed the prerequisites",
    "experiment.tags": "changed its tags",
    "experiment.archive": "archived it",
    "experiment.restore": "took it out of the archive",
    "experiment.metric-version": "had another version of a metric counted",
    "experiment.metric-direction": "turned the good direction of a metric round",
    "experiment.business": "said what its metrics stand for and what a gain must earn",
    "experiment.share": "made a link to its results for people without an account",
    "experiment.unshare": "revoked a link to its results",
    "experiment.note": "wrote a note",
    "experiment.note-edit": "changed a note",
    "experiment.note-delete": "deleted a note",
    "holdout.start": "started the holdout",
    "override.add": "added a QA override",
    "override.remove": "removed a QA override",
    "flag.create": "made it",
    "flag.edit": "changed its words or default",
    "flag.on": "switched it on",
    "flag.off": "switched it off",
    "flag.archive": "archived it",
    "flag.rule-add": "added a rule",
    "flag.rule-edit": "changed a rule",
    "flag.rule-remove": "deleted a rule",
    "flag.rules-order": "put the rules into another order",
    "flag.prerequisites": "changed the prerequisites",
    "metric.create": "added it",
    "metric.edit": "changed its words",
    "metric.revise": "made a new version",
    "metric.certify": "certified it",
    "metric.uncertify": "took the certificate back",
    "metric.archive": "archived it",
    "metric.restore": "restored it",
    "model_version.create": "registered it",
    "model_version.edit": "changed it",
    "model_version.scores": "gave it scores by example",
    "past.import": "brought in past experiments",
    "past.remove": "took past experiments out",
    "past.restore": "took past experiments in again",
    "segment.create": "made it",
    "segment.edit": "changed it",
    "segment.archive": "archived it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history."""

    at: datetime
    who: str
    did: str
    why: str
    changes: list[Change]


def history(project: Project, subject: str, most: int = MOST_ENTRIES) -> list[Entry]:
    """Return the newest entries about ``subject``, for example ``flag:checkout``."""
    rows = AuditEntry.objects.filter(project=project, subject=subject).select_related("user").order_by("-at", "-pk")
    shown = rows.only("at", "action", "why", "before", "after", "user__name", "user__email")
    return [entry(row) for row in shown[:most]]


def entry(row: AuditEntry) -> Entry:
    """Return one audit row as a line."""
    return Entry(
        at=row.at,
        who=_who(row),
        did=WORDS.get(row.action, row.action),
        why=row.why,
        # What was made or removed whole is not a list of changes, but a switch or a place says where.
        changes=list(_changes(row.before or {}, row.after or {})) if row.before and row.after else [],
    )


def _who(row: AuditEntry) -> str:
    if row.user is not None:
        return str(row.user)
    return "A program" if audit.is_signed(row.why) else "The product"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _flat(before), _flat(after)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield Change(name=name.replace("_", " "), before=_shown(before.get(name)), after=_shown(after.get(name)))


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Spread lists of things with keys, as variants are, over one field each, so that one weight is one change."""
    spread: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) and "key" in one for one in value):
            for one in value:
                spread |= {f"{name}, {one['key']}, {part}": own for part, own in one.items() if part != "key"}
        else:
            spread[name] = None if value == [] else value
    return spread


def _shown(value: object) -> str:
    if value is None or value == "":
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
