"""Flags that must have a certain value before a rule or an experiment counts."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Session
from assignment.engine.sdk.results import Source


class Parents(Enum):
    """What the parent flags say."""

    MET = auto()
    FAILED = auto()
    GATE_SHUT = auto()
    CYCLIC = auto()


def ask_parents(conditions: Any, session: Session) -> Parents:
    """Evaluate each parent flag and say whether all have the value that is asked for; malformed means not."""
    if conditions is None:
        return Parents.MET
    if not isinstance(conditions, (list, tuple)):
        return Parents.FAILED
    for condition in conditions:
        answer = _ask(condition, session)
        if answer is not Parents.MET:
            return answer
    return Parents.MET


def _ask(parent: Any, session: Session) -> Parents:
    if not isinstance(parent, Mapping) or not isinstance(parent.get("id"), str):
        return Parents.FAILED
    result = session.evaluate(parent["id"], session)
    if result.source is Source.CYCLIC_PREREQUISITE:
        return Parents.CYCLIC
    wanted = parent.get("condition")
    groups = session.context.saved_groups
    if passes({"value": result.value}, {} if wanted is None else wanted, groups, session.effort):
        return Parents.MET
    return Parents.GATE_SHUT if parent.get("gate") else Parents.FAILED
