"""Whether shipped lifts last, in sentences."""

from collections.abc import Sequence

import msgspec

from analysis.decisions.wording import inside
from analysis.models import HoldbackWatch
from analysis.programme.schema import HoldbackFact, Holdbacks
from analysis.stats.decay import Decay
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import Status
from experiments.pages.formats import bounds, day, lift

DECAYED, LASTS, EARLY, UNKNOWN, ENDED = "Decayed", "Lasts so far", "Too early", "Cannot be told", "Ended"
TONES = {DECAYED: "bad", LASTS: "good"}
ORDER = (DECAYED, UNKNOWN, LASTS, EARLY, ENDED)


def state(status: str, mine: HoldbackWatch | None, told: Decay | NotComputable) -> str:
    """Return in a word or two where a holdback stands."""
    if mine is not None and mine.decayed_at is not None:
        return DECAYED
    if status == Status.STOPPED:
        return ENDED
    if mine is not None and (mine.effect is None or mine.reason):
        return UNKNOWN
    return LASTS if isinstance(told, Decay) else EARLY


def told(fact: HoldbackFact, reason: str) -> HoldbackFact:
    """Return the fact with its sentence."""
    return msgspec.structs.replace(fact, sentence=_sentence(fact, reason), tone=TONES.get(fact.state, "flat"))


def _sentence(fact: HoldbackFact, reason: str) -> str:
    name = inside(fact.metric_name)
    if fact.state == UNKNOWN:
        return f"Cannot be told: {reason}."
    if fact.promised is None or fact.lately is None:
        return "The first two weeks after the launch are not over, or have not been read yet."
    promised, lately = lift(fact.promised), f"{lift(fact.lately)} ({bounds(fact.lately_interval)})"
    if fact.state == DECAYED:
        since = f", since about {day(fact.since)}" if fact.since is not None else ""
        return (
            f"The lift of {fact.parent_name} in {name} is gone: {promised} was expected, lately it is {lately}{since}."
        )
    overall = f"{lift(fact.overall)} ({bounds(fact.overall_interval)})"
    return f"Nothing speaks for a decay: {promised} in {name} was expected, it has been {overall}, lately {lately}."


def faded(fact: HoldbackFact) -> str:
    """Say beside a launch, whose effect is told as measured, that it has not lasted."""
    since = "" if fact.since is None else f" since about {day(fact.since)}"
    name = inside(fact.metric_name)
    return f"Its lift in {name} is gone{since}: lately {lift(fact.lately)} where {lift(fact.promised)} was expected."


def reading(facts: Sequence[HoldbackFact]) -> Holdbacks:
    """Return all holdbacks, what matters first."""
    ordered = sorted(facts, key=lambda one: (ORDER.index(one.state), -(one.evidence or 0.0)))
    decayed = [one for one in ordered if one.state == DECAYED]
    watched = [one for one in ordered if one.state in (DECAYED, LASTS)]
    if len(decayed) == 1:
        headline = f"The lift of {decayed[0].parent_name} is gone: the world changed."
    elif decayed:
        headline = f"{len(decayed)} shipped lifts are gone: the world changed."
    elif watched:
        headline = "Every shipped lift that is watched lasts so far."
    elif ordered:
        headline = "It is too early to say whether what was shipped lasts."
    else:
        headline = "Nothing that was shipped keeps a holdback."
    return Holdbacks(
        headline=headline,
        explanation="" if ordered else "Ship with a holdback of 1 to 20 % to keep measuring what a launch is worth.",
        tone="bad" if decayed else "good" if watched else "flat",
        holdbacks=ordered,
    )
