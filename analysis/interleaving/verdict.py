"""The answer of an interleaving in words. Pure: numbers in, sentences out."""

from dataclasses import dataclass

from analysis.decisions import wording
from analysis.results.schema import Check, Reading, Tone, Verdict
from analysis.stats.interleaving import Preference
from analysis.stats.srm import SplitTest
from analysis.stats.unavailable import NotComputable

HARM = 0.001
"""Below this p a preference for what is in use is said before the planned end: stopping for harm is safe."""
MOST_ORPHANS, MOST_STRANGERS = 0.2, 0.02
"""Shares of choices without their list, and of items that were not on it, above which reports are taken to be wrong."""
NOT_SIZE = "Interleaving tells which ranker people prefer, and not by how much the business gains."


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the verdict is about."""

    control: str
    treatment: str
    unit_type: str
    is_over: bool
    day: int
    planned_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was reported, and how much of it could be used."""

    impressions: int
    differing: int
    choices: int
    orphans: int
    strangers: int
    unreadable: int


def reading(found: Preference | NotComputable, story: Story, alpha: float, *, trustworthy: bool) -> Reading:
    """Return the word for the preference."""
    if not trustworthy:
        return Reading.NOT_TRUSTWORTHY
    if isinstance(found, NotComputable):
        return Reading.TOO_EARLY
    if not story.is_over:
        return Reading.WORSE if found.value < 0 and found.p_value < HARM else Reading.TOO_EARLY
    if found.p_value >= alpha:
        return Reading.NO_CLEAR_CHANGE
    return Reading.BETTER if found.value > 0 else Reading.WORSE


def verdict(found: Preference | NotComputable, said: Reading, story: Story) -> Verdict:
    """Return the answer."""
    if said is Reading.NOT_TRUSTWORTHY:
        return _broken(story)
    if isinstance(found, NotComputable):
        return _nothing(found)
    share = _share(found, story)
    match said:
        case Reading.TOO_EARLY:
            return _running(share, story)
        case Reading.BETTER:
            return _verdict(
                "test it", Tone.GOOD, f"People prefer {story.treatment}.", share,
                f"Run an A/B test with {story.treatment}: it says what the preference is worth.",
            )  # fmt: skip
        case Reading.WORSE:
            early = "" if story.is_over else " Stop it: so clear a preference does not turn."
            return _verdict(
                "do not ship", Tone.BAD, f"People prefer {story.control}, which is in use.", f"{share}{early}",
                "Keep what is in use, and save the A/B test.",
            )  # fmt: skip
    return _verdict(
        "inconclusive", Tone.FLAT, "People show no clear preference.", share,
        "Choose by cost and latency, or run it longer if a small preference would matter.",
    )  # fmt: skip


def checks(first_pick: SplitTest | NotComputable, counts: Counts) -> list[Check]:
    """Return what was looked at before the preference was believed."""
    return [_draft(first_pick), _orphans(counts), _strangers(counts), *_unreadable(counts)]


def _draft(found: SplitTest | NotComputable) -> Check:
    if isinstance(found, NotComputable):
        return Check(key="draft", name="Who begins", ok=None, summary=found.reason)
    shares = found.p_value
    fair = not found.mismatch
    return Check(
        key="draft",
        name="Who begins",
        ok=fair,
        summary=f"either ranker as often ({wording.p_value(shares)})"
        if fair
        else f"one ranker begins the list more often than the other ({wording.p_value(shares)}).",
        what_to_do="" if fair else "Mix lists with the client's team_draft or the server, and show them as they are.",
    )


def _orphans(counts: Counts) -> Check:
    total = counts.choices + counts.orphans + counts.strangers
    share = counts.orphans / total if total else 0.0
    many = share > MOST_ORPHANS
    return Check(
        key="orphans",
        name="Choices with their list",
        ok=None if not total else not many,
        summary=f"{wording.percent(1 - share)} of them" if total else "none yet",
        what_to_do="Send the impression_id of the list with each choice." if many else "",
    )


def _strangers(counts: Counts) -> Check:
    total = counts.choices + counts.strangers
    share = counts.strangers / total if total else 0.0
    many = share > MOST_STRANGERS
    return Check(
        key="strangers",
        name="Items chosen were shown",
        ok=None if not total else not many,
        summary=f"{wording.percent(share)} of chosen items were not on their list." if many else "as reported",
        what_to_do="Report the list as it was shown, after all filters." if many else "",
    )


def _unreadable(counts: Counts) -> list[Check]:
    if not counts.unreadable:
        return []
    total = counts.unreadable + counts.impressions
    many = counts.unreadable > 0.01 * total
    return [
        Check(
            key="lists",
            name="Readable lists",
            ok=not many,
            summary=f"{counts.unreadable:,} of {total:,} lists lack a unit, an id, or as many teams as items.",
            what_to_do="Send items and teams of one length, with the impression_id and the unit." if many else "",
        )
    ]


def _share(found: Preference, story: Story) -> str:
    voters = found.for_treatment + found.for_control
    who = f"{story.unit_type}s"
    if not voters:
        return (
            f"No one of {wording.units(found.undecided, story.unit_type)} chose more of one ranker than of the other."
        )
    share = wording.percent(found.for_treatment / voters)
    return (
        f"Of {voters:,} {who} who chose more of one ranker, {share} chose more of {story.treatment}; "
        f"{found.undecided:,} chose evenly or nothing ({wording.p_value(found.p_value)})."
    )


def _nothing(found: NotComputable) -> Verdict:
    return Verdict(
        decision="too early",
        tone=Tone.FLAT,
        headline="Too early to tell which ranker people prefer.",
        explanation=f"{found.reason[:1].upper()}{found.reason[1:]}.",
        reasons=[],
        next_step="Show mixed lists, and report what was shown and what was chosen.",
    )


def _broken(story: Story) -> Verdict:
    return Verdict(
        decision="not trustworthy",
        tone=Tone.BAD,
        headline="What was reported cannot be believed, so no preference is said.",
        explanation=f"A check below failed: {story.treatment} and {story.control} were not treated alike.",
        reasons=["A health check failed."],
        next_step="Mend what the check names, then start again.",
    )


def _running(share: str, story: Story) -> Verdict:
    return Verdict(
        decision="keep running",
        tone=Tone.FLAT,
        headline=f"Still running: day {story.day} of {story.planned_days}.",
        explanation=share,
        reasons=["The preference is read at the planned end: reading it until it is clear finds what is not there."],
        next_step="Wait for the planned end.",
    )


def _verdict(decision: str, tone: Tone, headline: str, explanation: str, next_step: str) -> Verdict:
    return Verdict(
        decision=decision,
        tone=tone,
        headline=headline,
        explanation=explanation,
        reasons=[NOT_SIZE],
        next_step=next_step,
    )
