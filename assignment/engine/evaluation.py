"""What a unit gets, and why: a pure function of the experiment and the unit."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from assignment.engine.bucketing import OUTSIDE, Ranges, bucket_ranges, choose
from assignment.engine.hashing import bucket_of


class Reason(StrEnum):
    """Why a value was returned, in OpenFeature's words."""

    SPLIT = "SPLIT"
    DISABLED = "DISABLED"
    DEFAULT = "DEFAULT"


class Outcome(StrEnum):
    """What the experiment did with the unit: only an assigned unit may be exposed."""

    ASSIGNED = "assigned"
    NOT_IN_TRAFFIC = "not_in_traffic"
    STOPPED = "stopped"


class ServedVariant(Struct, frozen=True, kw_only=True):
    """A variant as the engine needs it. ``weight`` is in ten-thousandths."""

    key: str
    value: Any
    weight: int
    model_version: str = ""


class ServedExperiment(Struct, frozen=True, kw_only=True):
    """An experiment as the engine needs it. The first variant is the control; ``allocation`` is in ten-thousandths."""

    key: str
    unit_type: str
    salt: str
    allocation: int
    running: bool
    variants: tuple[ServedVariant, ...]


class Evaluation(Struct, frozen=True, kw_only=True):
    """An answer with its reason. ``bucket`` is None when the unit was not hashed."""

    value: Any
    variant: str
    reason: Reason
    bucket: int | None
    metadata: dict[str, str]


class Evaluator:
    """One experiment with its bucket ranges worked out, ready to be asked."""

    __slots__ = ("experiment", "needs_unit", "ranges")

    def __init__(self, experiment: ServedExperiment) -> None:
        self.experiment = experiment
        self.ranges: Ranges = bucket_ranges([v.weight for v in experiment.variants], experiment.allocation)
        self.needs_unit = experiment.running and experiment.allocation > 0

    def place(self, unit: str) -> int:
        """Return the index of the unit's variant in a running experiment, or ``OUTSIDE`` when it takes no part."""
        return choose(bucket_of(self.experiment.salt, unit), self.ranges)

    def evaluate(self, unit: str | None) -> Evaluation:
        """Return what the unit gets and why.

        Parameters
        ----------
        unit
            The id of a unit of the experiment's type; it may be None when ``needs_unit`` is False.

        Returns
        -------
        Evaluation
            SPLIT with the unit's variant; DEFAULT with the control's value when the unit is not in the traffic;
            DISABLED with the control's value when the experiment is stopped.

        Raises
        ------
        ValueError
            When the unit is None and the experiment has to hash it.
        """
        if not self.needs_unit:
            return self.answer(OUTSIDE, bucket=None)
        if unit is None:
            raise ValueError(f"experiment {self.experiment.key!r} needs the id of a {self.experiment.unit_type}.")
        bucket = bucket_of(self.experiment.salt, unit)
        return self.answer(choose(bucket, self.ranges), bucket=bucket)

    def answer(self, index: int, *, bucket: int | None) -> Evaluation:
        """Return the answer for the variant at ``index``, or for a unit that is ``OUTSIDE``."""
        variant = self.experiment.variants[max(index, 0)]
        if not self.experiment.running:
            reason, outcome = Reason.DISABLED, Outcome.STOPPED
        elif index == OUTSIDE:
            reason, outcome = Reason.DEFAULT, Outcome.NOT_IN_TRAFFIC
        else:
            reason, outcome = Reason.SPLIT, Outcome.ASSIGNED
        return Evaluation(
            value=variant.value,
            variant=variant.key,
            reason=reason,
            bucket=bucket,
            metadata=self._metadata(variant, outcome),
        )

    def _metadata(self, variant: ServedVariant, outcome: Outcome) -> dict[str, str]:
        metadata = {
            "experiment": self.experiment.key,
            "unitType": self.experiment.unit_type,
            "outcome": outcome.value,
        }
        if variant.model_version:
            metadata["modelVersion"] = variant.model_version
        return metadata
