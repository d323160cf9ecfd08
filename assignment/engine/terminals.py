"""The ends of an evaluation: what a unit gets, and in one word why."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from assignment.engine.hashing import BUCKETS
from assignment.engine.sdk.results import FeatureResult, Source

OVERRIDE_PREFIX = "override:"
HOLDOUT = "holdout"
SHIPPED = "shipped"
NO_VARIATION = -1


class Outcome(StrEnum):
    """What was decided for a unit. Where the default was reached, the last obstacle is named."""

    ASSIGNED = "assigned"
    OVERRIDE = "override"
    TARGETED = "targeted"
    HELD_OUT = "held_out"
    NOT_TARGETED = "not_targeted"
    OTHER_EXPERIMENT = "other_experiment"
    NOT_IN_TRAFFIC = "not_in_traffic"
    PREREQUISITE = "prerequisite"
    NO_UNIT = "no_unit"
    STOPPED = "stopped"
    PAUSED = "paused"
    SHIPPED = "shipped"
    DISABLED = "disabled"
    DEFAULT = "default"


OBSTACLES = (
    Outcome.DEFAULT,
    Outcome.NOT_TARGETED,
    Outcome.OTHER_EXPERIMENT,
    Outcome.NOT_IN_TRAFFIC,
    Outcome.PREREQUISITE,
    Outcome.NO_UNIT,
)
"""Why a rule may have been passed over; the first stands for none."""


class Terminal(Struct, frozen=True, kw_only=True):
    """One possible end of a flag's evaluation.

    ``variation`` is −1 and the experiment's fields are empty where no experiment decided. ``rule`` is the rule's place
    among the feature's rules, −1 for the default.
    """

    value: Any
    source: Source
    outcome: Outcome
    rule: int = -1
    rule_id: str = ""
    experiment: Mapping[str, Any] | None = None
    experiment_key: str = ""
    variation: int = NO_VARIATION
    variant_key: str = ""
    variant_name: str | None = None
    hash_attribute: str = ""
    buckets: int = BUCKETS


class Exposure(Struct, frozen=True, kw_only=True):
    """A unit met a variant by chance: the experiment and the result, both as the SDK protocol writes them."""

    experiment: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def experiment_key(self) -> str:
        """The key by which the experiment is tracked."""
        return str(self.experiment.get("key", ""))

    @property
    def variant_key(self) -> str:
        """The key of the variant."""
        return str(self.result.get("key", ""))

    @property
    def hash_attribute(self) -> str:
        """The attribute that names the unit."""
        return str(self.result.get("hashAttribute", ""))

    @property
    def hash_value(self) -> str:
        """The unit's id."""
        return str(self.result.get("hashValue", ""))


class RuleAnswer(Struct, frozen=True, kw_only=True):
    """What one rule said: ``outcome`` is its decision where ``decided``, and otherwise why it was passed over.

    ``bucket`` is the unit's place among ``buckets`` where the rule hashed it, also where an earlier check failed.
    """

    rule: int
    rule_id: str
    outcome: Outcome
    decided: bool
    bucket: int | None = None
    buckets: int | None = None
    experiment_key: str = ""
    variant_key: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """How a flag's value came about: its result, the outcome in one word, and each rule up to the one that decided."""

    key: str
    result: FeatureResult
    outcome: Outcome
    rules: tuple[RuleAnswer, ...]


def is_exempt(rule_id: str) -> bool:
    """Say whether failing this rule is no obstacle: overrides and holdouts concern only whom they name."""
    return rule_id.startswith(OVERRIDE_PREFIX) or rule_id == HOLDOUT


def forced_outcome(rule_id: str) -> Outcome:
    """Return what it means when a rule with this id forces its value."""
    if rule_id.startswith(OVERRIDE_PREFIX):
        return Outcome.OVERRIDE
    return {HOLDOUT: Outcome.HELD_OUT, SHIPPED: Outcome.SHIPPED}.get(rule_id, Outcome.TARGETED)
