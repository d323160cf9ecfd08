"""The closed lists of kinds that the tables name."""

from enum import StrEnum


class ExperimentKind(StrEnum):
    """What an experiment is for.

    standard: compares variants. holdout: keeps units away from every experiment of the project that respects it.
    holdback: follows a shipped experiment and keeps a few units on its control, so that the effect stays measured.
    off_policy: values policies that never ran, from a log of decisions. interleaving: two rankers share one list.
    bandit: shares follow what earns more. switchback: regions take turns between variants in time.
    """

    STANDARD = "standard"
    HOLDOUT = "holdout"
    HOLDBACK = "holdback"
    OFF_POLICY = "off_policy"
    INTERLEAVING = "interleaving"
    BANDIT = "bandit"
    SWITCHBACK = "switchback"


FOLLOW_UPS = (ExperimentKind.HOLDOUT, ExperimentKind.HOLDBACK)
"""Kinds that follow from what they were started for and are not set up by themselves."""
WITHOUT_PAUSE = (*FOLLOW_UPS, ExperimentKind.OFF_POLICY, ExperimentKind.SWITCHBACK)
"""Kinds that a pause would break: their units would see what is kept from them, or their schedule would be no more."""
DESIGNED = (ExperimentKind.OFF_POLICY, ExperimentKind.INTERLEAVING, ExperimentKind.BANDIT, ExperimentKind.SWITCHBACK)
"""Kinds whose plan has a design of its own (experiments.domain.designs), and pages of their own."""


class SegmentKind(StrEnum):
    """How a segment says who is in it: by a list of values, or by targeting."""

    LIST = "list"
    CONDITION = "condition"


class RuleKind(StrEnum):
    """What a flag's rule does: one value for all it reaches, for a share of them, or an experiment's variants."""

    FORCE = "force"
    ROLLOUT = "rollout"
    EXPERIMENT = "experiment"


class ValueType(StrEnum):
    """The type of every value that a flag serves."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "object"


class Delivery(StrEnum):
    """How the SDK doors hand out the definition: readable, encrypted, or not at all (they evaluate remotely)."""

    PLAIN = "plain"
    ENCRYPTED = "encrypted"
    REMOTE = "remote"
