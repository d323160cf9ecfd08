"""A snapshot laid out for the hot path: look a key up, look a flag up, send bytes that are ready."""

import difflib
from collections.abc import Iterable

import msgspec

from assignment.engine.bucketing import OUTSIDE
from assignment.engine.evaluation import Evaluation, Evaluator, Reason, ServedExperiment
from assignment.snapshot import Snapshot
from experiments.domain.access import KeyGrant
from experiments.domain.keys import digest

# OFREP's schema has no DEFAULT. STATIC (nothing was decided for this unit) is the nearest that it allows, and the
# metadata's outcome says precisely what happened.
_OFREP_REASON = {Reason.SPLIT: "SPLIT", Reason.DISABLED: "DISABLED", Reason.DEFAULT: "STATIC"}

REMEMBERED_MISSES = 1_000
LONGEST_COMPARED = 80


def ofrep_answer(key: str, evaluation: Evaluation) -> bytes:
    """Return an evaluation as OFREP's JSON, always with value, variant and reason: clients read them unguarded."""
    return msgspec.json.encode(
        {
            "key": key,
            "value": evaluation.value,
            "variant": evaluation.variant,
            "reason": _OFREP_REASON[evaluation.reason],
            "metadata": evaluation.metadata,
        }
    )


class Flag:
    """An experiment whose possible answers are encoded once and not for every request."""

    __slots__ = ("_answers", "_outside", "evaluator", "key", "needs_unit", "unit_property", "unit_type")

    def __init__(self, experiment: ServedExperiment) -> None:
        self.evaluator = Evaluator(experiment)
        self.key = experiment.key
        self.needs_unit = self.evaluator.needs_unit
        self.unit_type = experiment.unit_type
        self.unit_property = f"{experiment.unit_type}_id"
        self._answers = tuple(self._encoded(index) for index in range(len(experiment.variants)))
        self._outside = self._encoded(OUTSIDE)

    def _encoded(self, index: int) -> bytes:
        return ofrep_answer(self.key, self.evaluator.answer(index, bucket=None))

    def answer(self, unit: str | None) -> bytes:
        """Return the unit's OFREP answer; ``unit`` may be None when ``needs_unit`` is False."""
        if not self.needs_unit or unit is None:
            return self._outside
        index = self.evaluator.place(unit)
        return self._outside if index == OUTSIDE else self._answers[index]


class Table:
    """Everything a door needs of one snapshot; its content never changes, so a request sees one consistent state."""

    __slots__ = ("_flags", "_grants", "_nearest", "_slugs", "version")

    def __init__(self, snapshot: Snapshot, previous: "Table | None" = None) -> None:
        self.version = snapshot.version
        self._nearest: dict[tuple[int, str], str | None] = {}
        self._grants = snapshot.content.keys
        self._slugs = {project.id: project.slug for project in snapshot.content.projects}
        self._flags = {
            project.id: {
                experiment.key: _flag(experiment, previous.flag(project.id, experiment.key) if previous else None)
                for experiment in project.experiments
            }
            for project in snapshot.content.projects
        }

    def grant(self, plain_key: str) -> KeyGrant | None:
        """Return what an API key opens, or None for one that is unknown or revoked."""
        # The digest is looked up and not the key, so the time taken says nothing about any stored key.
        return self._grants.get(digest(plain_key))

    def flag(self, project_id: int, key: str) -> Flag | None:
        """Return a project's flag by its key."""
        return self._flags.get(project_id, {}).get(key)

    def flags(self, project_id: int) -> Iterable[Flag]:
        """Return a project's flags in the order of their keys."""
        return self._flags.get(project_id, {}).values()

    def nearest(self, project_id: int, key: str) -> str | None:
        """Return the flag key most like a mistyped one, or None when none is near."""
        # An app may ask for a flag that is not started yet on every request: compare once, not each time.
        if (project_id, key) not in self._nearest:
            if len(self._nearest) >= REMEMBERED_MISSES:
                self._nearest.clear()
            near = difflib.get_close_matches(key[:LONGEST_COMPARED], self._flags.get(project_id, {}), n=1)
            self._nearest[project_id, key] = near[0] if near else None
        return self._nearest[project_id, key]

    def slug(self, project_id: int) -> str:
        """Return a project's name in addresses."""
        return self._slugs.get(project_id, "")


def _flag(experiment: ServedExperiment, previous: Flag | None) -> Flag:
    """Return the flag, encoded anew only when the experiment has changed."""
    if previous is not None and previous.evaluator.experiment == experiment:
        return previous
    return Flag(experiment)
