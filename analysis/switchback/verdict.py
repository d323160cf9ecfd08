"""The answer of a switchback in words. Pure: numbers in, sentences out."""

from dataclasses import dataclass

from analysis.decisions import wording
from analysis.results.schema import Check, Reading, Tone, Verdict
from experiments.domain.metrics import DisplayUnit

HARM = 0.001
"""Below this p a primary metric that is worse is said before the planned end: stopping for harm is safe."""
CARRIED_OVER = 0.01
MOST_STRANGE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """The metric that decides, as the verdict needs it; values are None where it cannot be computed."""

    name: str
    unit: DisplayUnit
    currency: str
    difference: float | None
    interval: tuple[float, float] | None
    lift: float | None
    p_value: float | None
    randomisation_p_value: float | None
    reading: Reading
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the verdict is about."""

    treatment: str
    is_over: bool
    day: int
    planned_days: int
    blocks: int
    regions: int
    block_minutes: int


def verdict(primary: Primary, story: Story, *, trustworthy: bool) -> Verdict:
    """Return the answer."""
    if not trustworthy:
        return _verdict(
            "not trustworthy",
            Tone.BAD,
            "Regions were not served as designed: believe nothing here.",
            "A check below failed.",
            "Ask for each block by its own block_id, and keep no answer longer.",
        )
    if primary.difference is None:
        return _verdict(
            "too early",
            Tone.FLAT,
            "Too early: too few blocks are over.",
            f"{_opening(primary.reason)}.",
            "Wait for more blocks.",
        )
    said = _said(primary, story)
    if primary.reading is Reading.WORSE:
        stop = "Keep what is in use." if story.is_over else "Stop it and keep what is in use."
        return _verdict("do not ship", Tone.BAD, f"{story.treatment} is worse: {_change(primary)}.", said, stop)
    if not story.is_over:
        headline = f"Still running: day {story.day} of {story.planned_days}."
        return _verdict("keep running", Tone.FLAT, headline, said, "Wait for the planned end.")
    if primary.reading is Reading.BETTER:
        headline = f"{story.treatment} is better: {_change(primary)}."
        return _verdict("ship", Tone.GOOD, headline, said, f"Give every region {story.treatment}.")
    unclear = f"{primary.name} shows no clear change."
    more = "Run it longer, or with more regions: blocks are the units."
    return _verdict("inconclusive", Tone.FLAT, unclear, said, more)


def checks(
    wrong: int, reported: int, strange: float | None, carried: float | None, empty: int, blocks: int
) -> list[Check]:
    """Return what was looked at before the effect was believed.

    ``wrong`` of the ``reported`` blocks had another variant than designed; ``strange`` is the share of events without
    a region of the plan; ``carried`` the p-value of what the block before did; ``empty`` blocks had no value.
    """
    found = [_served(wrong, reported), _late(carried), _regions(strange)]
    if empty:
        left_out = f"{empty:,} of {blocks:,} are left out"
        found.append(Check(key="empty", name="Blocks without a value", ok=None, summary=left_out))
    return found


def _served(wrong: int, reported: int) -> Check:
    """Say whether each block had the variant that the plan gave it."""
    if not reported:
        summary = "the app reports no exposures, which is fine"
    elif wrong:
        summary = f"{wrong:,} of {reported:,} reported blocks had the other variant."
    else:
        summary = f"all {reported:,} reported blocks"
    return Check(
        key="served",
        name="Served as designed",
        ok=wrong == 0 if reported else None,
        summary=summary,
        what_to_do="Compare the app's clock and block length with the plan." if wrong else "",
    )


def _late(carried: float | None) -> Check:
    """Say whether a block still feels the variant of the block before."""
    name = "Carry-over"
    if carried is None:
        return Check(key="late", name=name, ok=None, summary="cannot be said yet")
    p_value = wording.p_value(carried)
    if carried >= CARRIED_OVER:
        return Check(key="late", name=name, ok=True, summary=f"the block before leaves no trace ({p_value})")
    return Check(
        key="late",
        name=name,
        ok=False,
        summary=f"the variant of the block before is still felt ({p_value}).",
        what_to_do="Plan longer blocks, and leave more out after a switch: the effect shown is too small.",
    )


def _regions(strange: float | None) -> Check:
    """Say whether events name a region of the plan."""
    if strange is None:
        return Check(key="regions", name="Events with a region", ok=None, summary="none yet")
    fits = strange <= MOST_STRANGE
    return Check(
        key="regions",
        name="Events with a region",
        ok=fits,
        summary=f"{wording.percent(1 - strange)} name a region of the plan",
        what_to_do="" if fits else "Name the region in every event, spelt as in the plan.",
    )


def _said(primary: Primary, story: Story) -> str:
    low, high = primary.interval or (0.0, 0.0)
    spread = f"between {_signed(low, primary)} and {_signed(high, primary)}"
    where = f" in {story.regions} regions" if story.regions > 1 else ""
    again = ""
    if primary.randomisation_p_value is not None:
        again = f", and {wording.p_value(primary.randomisation_p_value)} by drawing the schedule again"
    p = wording.p_value(primary.p_value) if primary.p_value is not None else ""
    return (
        f"{primary.name}: {_signed(primary.difference or 0.0, primary)} ({spread}; {p}{again}), "
        f"over {story.blocks:,} blocks of {story.block_minutes} minutes{where}."
    )


def _change(primary: Primary) -> str:
    what = wording.inside(primary.name)
    if primary.lift is not None:
        return f"{wording.signed_percent(primary.lift)} {what}"
    return f"{_signed(primary.difference or 0.0, primary)} {what}"


def _signed(value: float, primary: Primary) -> str:
    return wording.signed_amount(value, primary.unit, primary.currency) if value else "0"


def _opening(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")


def _verdict(decision: str, tone: Tone, headline: str, explanation: str, next_step: str) -> Verdict:
    return Verdict(
        decision=decision,
        tone=tone,
        headline=headline,
        explanation=explanation,
        reasons=["Blocks are the units: orders within a block resemble each other and are not counted as evidence."],
        next_step=next_step,
    )
