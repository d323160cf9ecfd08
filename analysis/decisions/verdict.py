"""The verdict: one decision by one rule, and the sentence that says it.

The rule (Schultzberg, Ankargren, Frånberg 2024, arXiv 2402.11609): ship when at least one primary metric is better,
every guardrail is shown to be within its limit, nothing is significantly worse, and the health checks pass. The risk
alpha is split over primary metrics times treatments; guardrails keep the whole alpha, since all of them must hold.
"""

from collections.abc import Sequence

from msgspec import structs

from analysis.decisions import sentences
from analysis.decisions.before_the_end import before_the_end, not_trustworthy, nothing_yet, so_far
from analysis.decisions.decision import Decision
from analysis.decisions.evidence import Evidence, names
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import Situation
from analysis.decisions.outcome import Outcome, outcome
from analysis.decisions.rules import DEFAULTS, Rules
from analysis.decisions.while_running import at_a_look, early_stop
from analysis.results.schema import Health, Tone, VariantFact, Verdict
from analysis.stats.looks import Looking, PlannedLooks

ALREADY_SHIPPED = (
    "Nothing is decided here: {launch} has shipped. Whether its lift lasts is told in steps of two weeks under "
    "“Does it last?”."
)
_BEST_FIRST = (Decision.SHIP, Decision.LOOK, Decision.INCONCLUSIVE, Decision.TOO_EARLY, Decision.DO_NOT_SHIP)


def decide(
    situation: Situation,
    variants: Sequence[VariantFact],
    health: Health,
    horizon: Horizon,
    evidence: Sequence[Evidence],
    rules: Rules = DEFAULTS,
    looking: Looking | None = None,
) -> Verdict:
    """Return the verdict over all treatments; with ``looking``, also of an experiment that is still running."""
    found = _decided(situation, variants, health, horizon, evidence, rules, looking)
    if situation.launch and health.trustworthy:
        return structs.replace(found, next_step=ALREADY_SHIPPED.format(launch=situation.launch))
    return found


def _decided(
    situation: Situation,
    variants: Sequence[VariantFact],
    health: Health,
    horizon: Horizon,
    evidence: Sequence[Evidence],
    rules: Rules,
    looking: Looking | None,
) -> Verdict:
    if not health.trustworthy:
        return not_trustworthy(situation, variants, health)
    if horizon.day == 0 or not evidence or sum(variant.units for variant in variants) == 0:
        return nothing_yet(situation, horizon)
    if horizon.peeking and looking is None:
        return before_the_end(situation, variants, horizon, evidence, rules)
    outcomes = [outcome(one, situation.currency, horizon) for one in evidence]
    if isinstance(looking, PlannedLooks) and looking.final and horizon.peeking:
        last = f"Planned units: reached on {so_far(horizon)}; this is the last look, and the intervals allow for all."
        return _combined(outcomes, horizon, situation.currency, last)
    if horizon.peeking and looking is not None:
        called = any(one.decision is Decision.SHIP for one in outcomes)
        unfinished = at_a_look(situation, variants, horizon, evidence, rules, looking, called=called)
        if unfinished is not None:
            return unfinished
        early = early_stop(outcomes, horizon, looking, situation.currency)
        return _combined(outcomes, horizon, situation.currency, early)
    return _combined(outcomes, horizon, situation.currency, read_once=looking is None)


def _combined(
    outcomes: Sequence[Outcome], horizon: Horizon, currency: str, early: str = "", *, read_once: bool = False
) -> Verdict:
    """Return the best treatment's outcome, and a word about the others and about an early stop."""
    best = min(outcomes, key=lambda one: (_BEST_FIRST.index(one.decision), -_gain(one)))
    others = [one for one in outcomes if one is not best]
    headline = best.headline
    if others and all(one.decision is Decision.INCONCLUSIVE for one in outcomes) and best.tone is Tone.FLAT:
        headline = f"No treatment changes {names(best.evidence.primaries)} clearly."
    rest = "; ".join(f"{one.evidence.subject}: {one.decision}" for one in others)
    said = f"This is about {best.evidence.subject}. Other treatments: {rest}." if others else ""
    reasons = [early or f"Planned duration: reached, {horizon.planned_days} days."]
    if read_once and horizon.day > horizon.planned_days + 1:
        reasons.append(f"Read on day {horizon.day}: running on until a result turns significant is peeking too.")
    for one in outcomes:
        prefix = f"{one.evidence.subject}: " if others else ""
        reasons += [prefix + sentences.reason(judged, currency) for judged in one.evidence.judged]
    return Verdict(
        decision=best.decision,
        tone=best.tone,
        headline=headline,
        explanation=sentences.joined(best.explanation, said),
        reasons=reasons,
        next_step=best.next_step,
    )


def _gain(outcome: Outcome) -> float:
    lifts = [abs(one.comparison.lift) for one in outcome.evidence.gains if one.comparison.lift is not None]
    return max(lifts, default=0.0)
