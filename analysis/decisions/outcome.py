"""The rule applied to one treatment that has run as planned."""

from dataclasses import dataclass

from analysis.decisions import sentences, wording
from analysis.decisions.decision import Decision
from analysis.decisions.evidence import Evidence, Judged, names
from analysis.decisions.horizon import Horizon
from analysis.decisions.story import Ending, Story, tell
from analysis.results.schema import Reading, Tone

_AFTER_A_MIXED_RESULT = (
    "Weigh the gain against the cost with those who own the other metric, or settle it in a larger experiment."
)
_AFTER_A_STOPPED_GAIN = "Do not ship it for the business's sake. Find out why the gain goes no further, then try again."
_NOT_FOLLOWED = (Ending.STOPPED, Ending.UNCERTAIN, Ending.REVERSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the rule says about one treatment."""

    evidence: Evidence
    decision: Decision
    tone: Tone
    headline: str
    explanation: str
    next_step: str


def outcome(evidence: Evidence, currency: str, horizon: Horizon) -> Outcome:
    """Apply the rule to one treatment that has run as planned."""
    story = tell(evidence)
    if evidence.gains:
        problems = evidence.crossed + evidence.losses + evidence.strained + evidence.side_damage + evidence.unproven
        stopped = story is not None and story.ending in (Ending.STOPPED, Ending.UNCERTAIN)
        if not problems and all(one in evidence.too_small for one in evidence.gains):
            return _too_small(evidence, evidence.gains, currency)
        if not problems and not stopped:
            return _ship(evidence, story, currency)
        return _look(evidence, story, problems, currency)
    if evidence.crossed or evidence.losses or evidence.slipping:
        return _do_not_ship(evidence, story, currency)
    if evidence.primaries and all(one.reading is Reading.TOO_EARLY for one in evidence.primaries):
        return _too_few(evidence, horizon)
    flat = [one for one in evidence.primaries if one.reading is Reading.NO_CLEAR_CHANGE]
    if flat and story is None and not evidence.side_damage and all(one in evidence.too_small for one in flat):
        return _too_small(evidence, flat, currency)
    return _inconclusive(evidence, story, currency)


def _too_small(evidence: Evidence, about: list[Judged], currency: str) -> Outcome:
    """Say that whatever changed is shown to be smaller than what matters."""
    one = about[0]
    change = (
        wording.opening(sentences.did(one, currency)) if one.reading is Reading.BETTER else "No change that matters"
    )
    what = "" if one.reading is Reading.BETTER else f" in {names(about)}"
    return Outcome(
        evidence=evidence,
        decision=Decision.INCONCLUSIVE,
        tone=Tone.FLAT,
        headline=f"{change}{what}: smaller than the {wording.percent(one.plan.matters or 0.0)} that matters.",
        explanation=sentences.joined(sentences.flat(about, currency), sentences.guardrails(evidence, currency)),
        next_step="Decide by what it costs to build and keep: the metric is no reason for either variant.",
    )


def _ship(evidence: Evidence, story: Story | None, currency: str) -> Outcome:
    gains = evidence.gains
    proof = " ".join(
        f"{wording.opening(sentences.did(one, currency))} {sentences.sureness(one, currency)}." for one in gains[:2]
    )
    note = "" if story is None else sentences.story_note(story, currency)
    return Outcome(
        evidence=evidence,
        decision=Decision.SHIP,
        tone=Tone.GOOD,
        headline=f"{sentences.does(evidence.subject, gains, currency)}.",
        explanation=sentences.joined(proof, sentences.guardrails(evidence, currency), note),
        next_step="Ship it, and keep a small holdback to see that the gain lasts.",
    )


def _look(evidence: Evidence, story: Story | None, problems: list[Judged], currency: str) -> Outcome:
    gain = evidence.gains[0]
    if (
        story is not None
        and story.ending in (Ending.STOPPED, Ending.UNCERTAIN, Ending.REVERSED)
        and not evidence.crossed
    ):
        headline = sentences.story_headline(story, currency)
    else:
        problem = problems[0]
        what = sentences.did(problem, currency)
        if problem in evidence.crossed:
            what = f"{what}, beyond its limit of {sentences.limit(problem)}"
        elif problem in evidence.unproven:
            what = f"{wording.inside(problem.plan.name)} is not shown to stay within its limit"
        headline = f"{wording.opening(sentences.did(gain, currency))}, but {what}. Look before you ship."
    proof = f"{wording.opening(sentences.did(gain, currency))} {sentences.sureness(gain, currency)}."
    damage = " ".join(
        f"{wording.opening(sentences.did(one, currency))} {sentences.sureness(one, currency)}."
        for one in evidence.losses + evidence.side_damage
    )
    note = "" if story is None else sentences.story_note(story, currency)
    return Outcome(
        evidence=evidence,
        decision=Decision.LOOK,
        tone=Tone.WARN,
        headline=headline,
        explanation=sentences.joined(proof, damage, sentences.guardrails(evidence, currency), note),
        next_step=_AFTER_A_STOPPED_GAIN
        if story is not None and story.ending is Ending.STOPPED and not problems
        else _AFTER_A_MIXED_RESULT,
    )


def _do_not_ship(evidence: Evidence, story: Story | None, currency: str) -> Outcome:
    bad = evidence.losses + evidence.crossed + evidence.slipping
    if story is not None and story.ending is Ending.REVERSED:
        headline = sentences.story_headline(story, currency)
    else:
        beyond = f", beyond its limit of {sentences.limit(bad[0])}" if bad[0] in evidence.crossed else ""
        headline = f"{sentences.does(evidence.subject, bad[:1], currency)}{beyond}. Do not ship."
    losses = " ".join(
        f"{wording.opening(sentences.did(one, currency))} {sentences.sureness(one, currency)}."
        for one in evidence.losses
    )
    note = "" if story is None else sentences.story_note(story, currency)
    return Outcome(
        evidence=evidence,
        decision=Decision.DO_NOT_SHIP,
        tone=Tone.BAD,
        headline=headline,
        explanation=sentences.joined(losses, sentences.guardrails(evidence, currency), note),
        next_step="Keep the control, and look where the loss arises before the next version.",
    )


def _inconclusive(evidence: Evidence, story: Story | None, currency: str) -> Outcome:
    open_ = [one for one in evidence.primaries if one.reading is Reading.NO_CLEAR_CHANGE]
    told = story is not None and story.ending in (Ending.STOPPED, Ending.UNCERTAIN)
    if story is not None and told:
        headline, next_step = (
            sentences.story_headline(story, currency),
            f"Do not count the gain in {story.stage} as a business gain. Ask what should happen after it.",
        )
        explanation = sentences.story_note(story, currency)
    elif open_:
        headline = f"No clear change in {names(open_)}: between {sentences.span(open_[0], currency)}."
        explanation = sentences.flat(open_, currency)
        next_step = "Keep the control, or run a larger experiment if a change inside this interval would matter."
    else:
        headline, explanation = "The plan names no primary metric, so nothing decides.", ""
        next_step = "Name a primary metric before the next experiment."
    damage = " ".join(f"{wording.opening(sentences.did(one, currency))}." for one in evidence.side_damage)
    return Outcome(
        evidence=evidence,
        decision=Decision.INCONCLUSIVE,
        tone=Tone.WARN if told or damage else Tone.FLAT,
        headline=headline,
        explanation=sentences.joined(explanation, damage, sentences.guardrails(evidence, currency)),
        next_step=next_step,
    )


def _too_few(evidence: Evidence, horizon: Horizon) -> Outcome:
    primaries = evidence.primaries
    missing = " ".join(warning for one in primaries[:1] for warning in one.comparison.warnings[:1])
    return Outcome(
        evidence=evidence,
        decision=Decision.TOO_EARLY if horizon.running else Decision.INCONCLUSIVE,
        tone=Tone.FLAT,
        headline=f"Too little data to read {names(primaries)}.",
        explanation=missing,
        next_step="Run it longer, or choose a metric that happens more often."
        if horizon.running
        else "Plan a larger experiment, or choose a metric that happens more often.",
    )
