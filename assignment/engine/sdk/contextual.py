"""Contextual bandits: the first context whose condition a unit passes gives the weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Session
from assignment.engine.sdk.shares import LARGEST_SUM, SMALLEST_SUM, equal_weights
from assignment.engine.sdk.units import weights_of
from assignment.engine.sdk.values import array, mapping

NO_LEAF = -1


def with_bandit(experiment: Mapping[str, Any], reference: Any, session: Session) -> Mapping[str, Any]:
    """Return the experiment with the weights that the bandit gives this unit.

    Parameters
    ----------
    experiment
        The experiment that a rule describes.
    reference
        The bandit's id; where the configuration has no such bandit the experiment stays as it is.
    session
        The evaluation under way.

    Returns
    -------
    Mapping
        With ``contextualBandit``: the leaf's id (−1 where no context passes or the one that does is malformed), the
        weights in force and the bandit's version.
    """
    bandits = session.context.contextual_bandits
    if not isinstance(reference, str) or bandits.get(reference) is None:
        return experiment
    bandit = mapping(bandits[reference])
    variations = len(array(experiment.get("variations")))
    leaf, weights = _leaf(bandit, variations, session)
    if weights is None:
        in_force: Sequence[float] = _valid(experiment.get("weights"), variations) or equal_weights(variations)
        assigned = {"leafId": NO_LEAF, "variationWeights": in_force}
    else:
        experiment = {**experiment, "weights": weights}
        assigned = {"leafId": leaf, "variationWeights": weights}
    if _is_id(bandit.get("banditVersion")):
        assigned["banditVersion"] = bandit["banditVersion"]
    return {**experiment, "contextualBandit": assigned}


def _leaf(bandit: Mapping[str, Any], variations: int, session: Session) -> tuple[Any, Sequence[float] | None]:
    context = session.context
    for entry in map(mapping, array(bandit.get("contexts"))):
        condition = entry.get("condition")
        if passes(context.attributes, {} if condition is None else condition, context.saved_groups, session.effort):
            leaf = entry.get("leafId")
            return leaf, _valid(entry.get("weights"), variations) if _is_id(leaf) else None
    return NO_LEAF, None


def _valid(source: Any, variations: int) -> Sequence[float] | None:
    weights = weights_of(source, variations)
    return weights if weights is not None and SMALLEST_SUM <= sum(weights) <= LARGEST_SUM else None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
