"""What a unit got, and everything needed to say later that it was shown."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from assignment.engine.terminals import Terminal

UNKNOWN_FLAG = "unknown_flag"
NOT_READY = "not_ready"


class Decision(Struct, frozen=True, kw_only=True):
    """The answer to "what does this unit get?".

    Attributes
    ----------
    key
        The flag or experiment that was asked.
    value
        What the app uses; the app's own default where ``outcome`` is ``unknown_flag`` or ``not_ready``.
    variant
        The variant's key where an experiment assigned one, else "".
    outcome
        One word that says why: ``assigned``, ``not_in_traffic``, ``not_targeted``, ``held_out``, ``override``, ….
    experiment
        The key of the experiment that assigned the variant, else "".
    attributes
        What was asked with.
    """

    key: str
    value: Any
    variant: str
    outcome: str
    experiment: str
    attributes: Mapping[str, Any]

    @property
    def is_assigned(self) -> bool:
        """Say whether an experiment assigned the unit: only then is there an exposure to report."""
        return bool(self.experiment)


def decision_of(key: str, terminal: Terminal, attributes: Mapping[str, Any]) -> Decision:
    """Return the decision at the end of an evaluation."""
    return Decision(
        key=key,
        value=terminal.value,
        variant=terminal.variant_key,
        outcome=terminal.outcome.value,
        experiment=terminal.experiment_key,
        attributes=attributes,
    )
