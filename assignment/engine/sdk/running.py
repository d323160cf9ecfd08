"""Running one experiment for one unit, in the order that the SDK protocol fixes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Session
from assignment.engine.sdk.overrides import forced_variation, index_of, query_string_override
from assignment.engine.sdk.prerequisites import Parents, ask_parents
from assignment.engine.sdk.results import ExperimentResult
from assignment.engine.sdk.shares import NONE, choose_variation, share_ranges
from assignment.engine.sdk.sticky import is_sticky, keep, kept
from assignment.engine.sdk.units import (
    RULE_HASH_VERSION,
    Unit,
    in_namespace,
    is_filtered_out,
    ranges_of,
    seed_of,
    share_of,
    unit_of,
    weights_of,
)
from assignment.engine.sdk.urls import is_targeted
from assignment.engine.sdk.values import array, finite, mapping, text

FEWEST_VARIATIONS = 2


def run(experiment: Mapping[str, Any], session: Session, feature_id: str | None = None) -> ExperimentResult:
    """Return what the experiment does with the session's unit.

    Parameters
    ----------
    experiment
        An experiment of the SDK protocol; malformed fields never let a unit in by accident.
    session
        The evaluation under way.
    feature_id
        The feature whose rule describes the experiment.

    Returns
    -------
    ExperimentResult
        Not ``in_experiment``, with the first variation, where the unit takes no part. A variation chosen by hand is
        ``in_experiment`` but not ``hash_used``, and is not reported as an exposure.
    """
    attempt = Attempt.of(experiment, session, feature_id)
    context = session.context
    if len(attempt.variations) < FEWEST_VARIATIONS or not context.enabled:
        return attempt.out()
    targets = experiment.get("urlPatterns")
    if targets is not None and not is_targeted(context.url, targets, session.effort):
        return attempt.out()
    by_hand = query_string_override(attempt.key, context.url, len(attempt.variations))
    if by_hand is None:
        by_hand = forced_variation(attempt.key, context.forced_variations)
    if by_hand is not None:
        return attempt.result(by_hand)
    if experiment.get("active") is False or experiment.get("status") == "draft" or not attempt.unit[1]:
        return attempt.out()
    return _assign(attempt)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An experiment that is being run for a unit, and the results it may end with."""

    experiment: Mapping[str, Any]
    session: Session
    feature_id: str | None
    key: str
    variations: list[Any] | tuple[Any, ...]
    unit: Unit

    @classmethod
    def of(cls, experiment: Mapping[str, Any], session: Session, feature_id: str | None) -> "Attempt":
        """Return the attempt with its key, variations and unit read."""
        context = session.context
        # Only an experiment that keeps its assignments may follow a unit from one attribute to another.
        fallback = experiment.get("fallbackAttribute") if is_sticky(experiment, context.sticky) else None
        unit = unit_of(context.attributes, experiment.get("hashAttribute"), fallback)
        variations = array(experiment.get("variations"))
        return cls(experiment, session, feature_id, text(experiment.get("key")), variations, unit)

    def out(self, *, sticky: bool = False) -> ExperimentResult:
        """Return the result of a unit that takes no part."""
        return self.result(NONE, sticky=sticky)

    def result(
        self, index: int, *, bucket: float | None = None, hash_used: bool = False, sticky: bool = False
    ) -> ExperimentResult:
        """Return the result for the variation at ``index``; an index of none is a unit that takes no part."""
        inside = 0 <= index < len(self.variations)
        shown = index if inside else 0
        metas = array(self.experiment.get("meta"))
        meta = mapping(metas[shown]) if shown < len(metas) else {}
        return ExperimentResult(
            in_experiment=inside,
            variation_id=shown,
            value=self.variations[shown] if self.variations else None,
            key=text(meta.get("key"), str(shown)),
            hash_used=hash_used and inside,
            hash_attribute=self.unit[0],
            hash_value=self.unit[1],
            feature_id=self.feature_id,
            sticky_bucket_used=sticky,
            bucket=bucket,
            name=text(meta.get("name")) or None,
            passthrough=meta.get("passthrough") is True,
            bandit=mapping(self.experiment.get("contextualBandit")) if hash_used and inside else None,
        )


def _assign(attempt: Attempt) -> ExperimentResult:
    experiment, context = attempt.experiment, attempt.session.context
    earlier = kept(experiment, attempt.key, context.attributes, context.sticky)
    if earlier.variation == NONE and not _is_eligible(attempt):
        return attempt.out()
    seed = seed_of(experiment, attempt.key)
    share = share_of(seed, attempt.unit[1], experiment.get("hashVersion"), RULE_HASH_VERSION)
    if share is None:
        return attempt.out()
    if earlier.blocked:
        return attempt.out(sticky=True)
    index = earlier.variation if earlier.variation != NONE else _choose(attempt, share)
    if not 0 <= index < len(attempt.variations):
        return attempt.out()
    if experiment.get("force") is not None:
        return attempt.result(index_of(experiment["force"]))
    if context.qa_mode or experiment.get("status") == "stopped":
        return attempt.out()
    result = attempt.result(index, bucket=share, hash_used=True, sticky=earlier.variation != NONE)
    _remember(attempt, result)
    return result


def _is_eligible(attempt: Attempt) -> bool:
    experiment, session = attempt.experiment, attempt.session
    context = session.context
    filters, namespace, condition = (experiment.get(name) for name in ("filters", "namespace", "condition"))
    if filters is not None:
        if is_filtered_out(filters, context.attributes):
            return False
    elif namespace is not None and not in_namespace(attempt.unit[1], namespace):
        return False
    if condition is not None and not passes(context.attributes, condition, context.saved_groups, session.effort):
        return False
    return ask_parents(experiment.get("parentConditions"), session) is Parents.MET


def _choose(attempt: Attempt, share: float) -> int:
    experiment = attempt.experiment
    if experiment.get("ranges") is not None:
        return choose_variation(share, ranges_of(experiment["ranges"]))
    coverage = experiment.get("coverage")
    variations = len(attempt.variations)
    covered = 1.0 if coverage is None else finite(coverage, 0.0)
    return choose_variation(share, share_ranges(variations, covered, weights_of(experiment.get("weights"), variations)))


def _remember(attempt: Attempt, result: ExperimentResult) -> None:
    experiment, context = attempt.experiment, attempt.session.context
    if context.sticky is not None and is_sticky(experiment, context.sticky):
        keep(experiment, attempt.key, attempt.unit, result.key, context.sticky)
    if context.exposures is not None:
        context.exposures.report(experiment, result.as_json())
