"""The answer of a bandit in words. Pure: numbers in, sentences out."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.decisions import wording
from analysis.results.schema import Check, Reading, Tone, Verdict
from experiments.domain.metrics import DisplayUnit

VALID = "Intervals allow for the moving shares; plain means of a bandit's variants would be biased, and are not shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One variant as the verdict needs it. ``lift`` and ``difference`` are against the control."""

    name: str
    is_control: bool
    share: float
    best: float | None
    value: float | None
    difference: float | None
    interval: tuple[float, float] | None
    lift: float | None
    lift_interval: tuple[float, float] | None
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the verdict is about. ``learning`` says why nothing is known yet, where nothing is."""

    reward: str
    unit: DisplayUnit
    unit_type: str
    currency: str
    is_over: bool
    day: int
    planned_days: int
    first_units: int
    learning: str


def verdict(arms: Sequence[Arm], story: Story, *, trustworthy: bool) -> Verdict:
    """Return the answer: what is clearly better at the end, what leads before it."""
    if not trustworthy:
        return _verdict(
            "not trustworthy", Tone.BAD, "Units were not dealt by the shares that were set: believe nothing here.",
            "A check below failed.", "Find what deals otherwise: a cache, a redirect, exposures that are lost.",
        )  # fmt: skip
    if story.learning:
        return _verdict(
            "too early", Tone.FLAT, "Nothing is known yet: all variants have the same share.", story.learning,
            f"Shares move from {story.first_units:,} {story.unit_type}s of each variant on.",
        )  # fmt: skip
    if not story.is_over:
        return _running(arms, story)
    better = [one for one in arms if one.reading is Reading.BETTER]
    if better:
        best = max(better, key=lambda one: abs(one.difference or 0.0))
        return _verdict(
            "ship", Tone.GOOD, f"{best.name} is better: {_change(best, story)}.", _said(arms, story),
            f"Give everyone {best.name}. If it is to last, follow it with a holdback or an A/B test on users.",
        )  # fmt: skip
    control = next(one for one in arms if one.is_control)
    if all(one.reading is Reading.WORSE for one in arms if not one.is_control):
        return _verdict(
            "do not ship", Tone.BAD, f"Nothing beats {control.name}, which is in use.", _said(arms, story),
            "Keep what is in use.",
        )  # fmt: skip
    return _verdict(
        "inconclusive", Tone.FLAT, f"No variant is clearly better than {control.name}.", _said(arms, story),
        "Run an A/B test with the leader: even shares tell two variants apart with fewer units.",
    )  # fmt: skip


def _running(arms: Sequence[Arm], story: Story) -> Verdict:
    leader = max(arms, key=lambda one: one.best or 0.0)
    traffic = f"{wording.percent(leader.share)} of traffic"
    return _verdict(
        "keep running",
        Tone.FLAT,
        f"Day {story.day} of {story.planned_days}: {leader.name} leads, with {traffic}.",
        f"It is the best with a probability of {wording.percent(leader.best or 0.0)}. {_said(arms, story)}",
        "Wait for the planned end. Shares go on moving by themselves.",
    )


def _verdict(decision: str, tone: Tone, headline: str, explanation: str, next_step: str) -> Verdict:
    return Verdict(
        decision=decision,
        tone=tone,
        headline=headline,
        explanation=explanation,
        reasons=[VALID],
        next_step=next_step,
    )


def _change(one: Arm, story: Story) -> str:
    if one.lift is not None and one.lift_interval is not None:
        return f"{wording.signed_percent(one.lift)} {wording.inside(story.reward)}"
    return f"{wording.signed_amount(one.difference or 0.0, story.unit, story.currency)} {wording.inside(story.reward)}"


def _said(arms: Sequence[Arm], story: Story) -> str:
    against = _control(arms)
    known = [one for one in arms if not one.is_control and one.interval is not None]
    return " ".join(f"{one.name} against {against}: {_change(one, story)} ({_between(one, story)})." for one in known)


def _between(one: Arm, story: Story) -> str:
    """Return the interval on the scale of the change beside it."""
    if one.lift is not None and one.lift_interval is not None:
        low, high = (wording.signed_percent(end) for end in one.lift_interval)
    else:
        low, high = (_signed(end, story) for end in one.interval or (0.0, 0.0))
    return f"between {low} and {high}"


def _control(arms: Sequence[Arm]) -> str:
    return next(one.name for one in arms if one.is_control)


def _signed(value: float, story: Story) -> str:
    return wording.signed_amount(value, story.unit, story.currency) if value else "0"


def checks(split_p: float | None, threshold: float, quarantined: int, units: int) -> list[Check]:
    """Return what was looked at before any number was believed."""
    broken = split_p is not None and split_p < threshold
    moved = quarantined / (units + quarantined) if units + quarantined else 0.0
    many = moved > 0.02
    return [
        Check(
            key="split",
            name="Dealt as set",
            ok=None if split_p is None else not broken,
            summary="too few units yet"
            if split_p is None
            else f"in each batch as its shares were ({wording.p_value(split_p)})"
            if not broken
            else f"not by the shares that were set ({wording.p_value(split_p)}).",
            what_to_do="Look for a variant that loses exposures, or an app that keeps old shares." if broken else "",
        ),
        Check(
            key="asked-once",
            name="One variant each",
            ok=None if not units else not many,
            summary=f"{quarantined:,} units were seen in two variants and are left out"
            if quarantined
            else "no unit was seen in two variants",
            what_to_do="Ask once a session and keep the answer: shares change in between." if many else "",
        ),
    ]
