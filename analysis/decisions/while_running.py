"""Verdicts of an experiment whose plan allows for reading it while it runs."""

from collections.abc import Sequence

from analysis.decisions import sentences, wording
from analysis.decisions.before_the_end import so_far, stop_for_harm, too_few_units
from analysis.decisions.decision import Decision
from analysis.decisions.evidence import Evidence, names
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import Situation
from analysis.decisions.outcome import Outcome
from analysis.decisions.rules import Rules
from analysis.results.schema import Tone, VariantFact, Verdict
from analysis.stats.looks import Looking, PlannedLooks


def at_a_look(
    situation: Situation,
    variants: Sequence[VariantFact],
    horizon: Horizon,
    evidence: Sequence[Evidence],
    rules: Rules,
    looking: Looking,
    *,
    called: bool,
) -> Verdict | None:
    """Return the verdict of a look that ends nothing or ends it for harm; None where the rule may decide.

    The rule decides early where it ships, and after the experiment was stopped. A gain beside a guardrail that is not
    shown to hold yet is no reason to stop: more data may show it.
    """
    bar = "Every look is tested at a boundary of its own, and harm also at "
    bar += f"p < {rules.interim_alpha:g}, so that looking often raises no false alarms; this one passed."
    if stop := stop_for_harm(situation, horizon, evidence, bar):
        return stop
    if waiting := too_few_units(situation, variants, horizon, rules):
        return waiting
    return None if called or not horizon.running else _keep_running(horizon, evidence, looking, situation.currency)


def early_stop(outcomes: Sequence[Outcome], horizon: Horizon, looking: Looking, currency: str) -> str:
    """Say why the rule may decide before the planned end, and what an early stop does to the estimate."""
    said = f"Planned duration: read on {so_far(horizon)}{_which(looking)}; the intervals allow for every look."
    for one in outcomes:
        if one.decision is not Decision.SHIP:
            continue
        found = one.evidence.gains[0].comparison
        if found.unbiased_difference is not None and found.difference:
            unit = one.evidence.gains[0].plan.display_unit
            honest = wording.signed_amount(found.unbiased_difference, unit, currency)
            plain = wording.signed_amount(found.difference, unit, currency)
            said += f" An early stop overstates: {plain} as seen, {honest} when that is allowed for."
    return said


def _keep_running(horizon: Horizon, evidence: Sequence[Evidence], looking: Looking, currency: str) -> Verdict:
    gains = [judged for one in evidence for judged in one.gains]
    if gains:
        headline = f"Keep it running: {sentences.did(gains[0], currency)}, but not all that must hold is shown yet."
        open_ = [judged for one in evidence for judged in one.unproven + one.strained]
        explanation = f"Still open: {names(open_)}." if open_ else "Something beside it got worse, or did not follow."
    else:
        headline = f"Keep it running: {so_far(horizon)}, and nothing is decided."
        explanation = "The intervals hold at every look of the plan; none of the primary metrics is clear of zero yet."
    return Verdict(
        decision=Decision.KEEP_RUNNING,
        tone=Tone.FLAT,
        headline=headline,
        explanation=explanation,
        reasons=[
            f"Planned duration: {so_far(horizon)}{_which(looking)}.",
            *(sentences.reason(judged, currency) for one in evidence for judged in one.primaries),
        ],
        next_step=f"Look again tomorrow; the last look is on day {horizon.planned_days}."
        if isinstance(looking, PlannedLooks)
        else "Look again whenever you like.",
    )


def _which(looking: Looking) -> str:
    if not isinstance(looking, PlannedLooks):
        return ""
    return f", look {len(looking.information)} of {max(looking.plan.planned_looks, len(looking.information))}"
