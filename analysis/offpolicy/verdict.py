"""The answer of an off-policy evaluation in words. Pure: numbers in, sentences out."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.decisions import wording
from analysis.results.schema import Check, Reading, Tone, Verdict
from experiments.domain.metrics import DisplayUnit

FEW_REWARDS = 20.0
"""Rewarded decisions, in effective numbers, below which a handful of them decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate as the verdict needs it; values are None where it is refused."""

    name: str
    refusal: str
    value: float | None
    logged: float | None
    interval: tuple[float, float] | None
    reading: Reading
    effective_rewards: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the verdict is about."""

    reward: str
    unit: DisplayUnit
    currency: str
    rows: int
    waiting: str


def verdict(candidates: Sequence[Candidate], story: Story) -> Verdict:
    """Return the answer: the best candidate that is clearly better, else what is known."""
    known = [one for one in candidates if not one.refusal]
    if not story.rows:
        return _nothing(story)
    if not known:
        return _refused(candidates)
    if story.waiting:
        return _waiting(known, story)
    better = [one for one in known if one.reading is Reading.BETTER]
    if better:
        return _better(max(better, key=_gain), story, several=len(known) > 1)
    if all(one.reading is Reading.WORSE for one in known):
        return _worse(known, story)
    return _unclear(known, story)


def checks(candidates: Sequence[Candidate], broken: int, rows: int, duplicates: int) -> list[Check]:
    """Return what was looked at before any number was believed."""
    refused = [one.name for one in candidates if one.refusal]
    known = [one for one in candidates if not one.refusal]
    few = [one.name for one in known if one.effective_rewards < FEW_REWARDS]
    found = [
        Check(
            key="propensities",
            name="Logged probabilities",
            ok=broken == 0 if rows else None,
            summary="every decision has one"
            if not broken
            else f"{broken:,} of {rows:,} decisions have none that is usable.",
            what_to_do=""
            if not broken
            else "Log the probability of each decision when it is made: above 0, at most 1.",
        ),
        Check(
            key="support",
            name="Support",
            ok=None if not rows else not refused,
            summary=f"the log cannot speak of {wording.listed(refused)}."
            if refused
            else "every candidate resembles what ran",
            what_to_do="Test it on a small share of traffic instead, or log with more exploration." if refused else "",
        ),
        Check(
            key="rewards",
            name="Rewarded decisions",
            ok=None if not rows or not known else not few,
            summary=_rewards(known, few),
            what_to_do="Take its interval for a rough guess and log for longer." if few else "",
        ),
    ]
    if duplicates:
        text = f"{duplicates:,} rows repeat a decision; each counts once"
        found.append(Check(key="duplicates", name="Repeated decisions", ok=None, summary=text))
    return found


def _rewards(known: Sequence[Candidate], few: list[str]) -> str:
    if not known:
        return "not looked at, because no value is shown"
    return f"few of them carry the value of {wording.listed(few)}." if few else "enough of them carry the values"


def _gain(one: Candidate) -> float:
    return abs((one.value or 0.0) - (one.logged or 0.0))


def _nothing(story: Story) -> Verdict:
    return Verdict(
        decision="too early",
        tone=Tone.FLAT,
        headline="No decision has been logged yet.",
        explanation="The answer begins with the first logged decision whose reward had its time.",
        reasons=[],
        next_step=story.waiting or "Give a file with logged decisions.",
    )


def _refused(candidates: Sequence[Candidate]) -> Verdict:
    names = wording.listed([one.name for one in candidates])
    return Verdict(
        decision="not trustworthy",
        tone=Tone.BAD,
        headline=f"This log cannot say what {names} would have earned.",
        explanation=" ".join(f"{one.name}: {_sentence(one.refusal)}" for one in candidates),
        reasons=[one.refusal for one in candidates],
        next_step="Compare them in an A/B test on a small share of traffic, or log with more exploration first.",
    )


def _waiting(known: Sequence[Candidate], story: Story) -> Verdict:
    return Verdict(
        decision="keep running",
        tone=Tone.FLAT,
        headline=f"Still logging: {story.waiting}.",
        explanation=" ".join(_said(one, story) for one in known),
        reasons=["The log is read at its planned end: reading it until something turns up finds what is not there."],
        next_step="Wait for the planned end.",
    )


def _better(best: Candidate, story: Story, *, several: bool) -> Verdict:
    ahead = "the best candidate, " if several else ""
    return Verdict(
        decision="test it",
        tone=Tone.GOOD,
        headline=f"Worth an A/B test: {ahead}{best.name} would have earned {_more(best)}.",
        explanation=_said(best, story),
        reasons=["Its value is above that of the policy that ran, beyond chance."],
        next_step=f"Run an A/B test with {best.name}: a log knows what people did with what they were shown, and not "
        "how they come back.",
    )


def _worse(known: Sequence[Candidate], story: Story) -> Verdict:
    names = wording.listed([one.name for one in known])
    return Verdict(
        decision="do not ship",
        tone=Tone.BAD,
        headline=f"Save the A/B test: {names} would have earned less than what runs.",
        explanation=" ".join(_said(one, story) for one in known),
        reasons=["Each value is below that of the policy that ran, beyond chance."],
        next_step="Look at the segments below for where it loses, and train another candidate.",
    )


def _unclear(known: Sequence[Candidate], story: Story) -> Verdict:
    return Verdict(
        decision="inconclusive",
        tone=Tone.FLAT,
        headline="No candidate is clearly better or worse than what runs.",
        explanation=" ".join(_said(one, story) for one in known),
        reasons=["The interval of each difference holds 0."],
        next_step="Log for longer, or run an A/B test if the interval still holds a gain that matters.",
    )


def _more(one: Candidate) -> str:
    if not one.logged or one.value is None:
        return "more"
    lift = one.value / one.logged - 1
    return f"{wording.percent(abs(lift))} {'more' if lift > 0 else 'less'}"


def _said(one: Candidate, story: Story) -> str:
    if one.value is None or one.logged is None:
        return ""
    spread = ""
    if one.interval is not None:
        spread = f" (between {_amount(one.interval[0], story)} and {_amount(one.interval[1], story)})"
    return (
        f"{one.name}: {_amount(one.value, story)} {wording.inside(story.reward)} a decision{spread}; "
        f"what ran earned {_amount(one.logged, story)}."
    )


def _amount(value: float, story: Story) -> str:
    if story.unit is DisplayUnit.PERCENT:
        return wording.percent(value)
    return ("−" if value < 0 else "") + wording.amount(value, story.unit, story.currency)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
