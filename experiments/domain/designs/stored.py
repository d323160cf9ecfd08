"""Designs as the database and the API keep them: plain JSON, read back into the kind's own type."""

from collections.abc import Mapping
from typing import Any

import msgspec

from experiments.domain.designs.bandit import BanditDesign
from experiments.domain.designs.interleaving import InterleavingDesign
from experiments.domain.designs.offpolicy import OffPolicyDesign
from experiments.domain.designs.switchback import SwitchbackDesign
from experiments.domain.kinds import ExperimentKind

Design = OffPolicyDesign | InterleavingDesign | BanditDesign | SwitchbackDesign

TYPES: dict[ExperimentKind, type[Design]] = {
    ExperimentKind.OFF_POLICY: OffPolicyDesign,
    ExperimentKind.INTERLEAVING: InterleavingDesign,
    ExperimentKind.BANDIT: BanditDesign,
    ExperimentKind.SWITCHBACK: SwitchbackDesign,
}


class DesignError(ValueError):
    """A design that does not fit its kind; the message says which field and why."""


def read(kind: ExperimentKind, kept: Mapping[str, Any]) -> Design | None:
    """Return the design of an experiment of this kind; None for kinds that have none.

    Raises
    ------
    DesignError
        When a field is unknown or of the wrong type.
    """
    if kind not in TYPES:
        if kept:
            raise DesignError(f"An experiment of the kind {kind} has no design; got {', '.join(sorted(kept))[:200]}.")
        return None
    try:
        return msgspec.convert(dict(kept), TYPES[kind])
    except msgspec.ValidationError as error:
        raise DesignError(f"The design does not fit the kind {kind}: {error}.") from error


def as_json(design: Design | None) -> dict[str, Any]:
    """Return what a JSON column keeps."""
    return {} if design is None else msgspec.to_builtins(design)
