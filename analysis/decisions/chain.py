"""How far a model's gain came: from its offline metric over the proxy to the business, with exactly one verdict.

"Stopped" rests on an interval that rules out a gain as large as the one before it, never on "not significant".
"""

from analysis.decisions import journey, story
from analysis.decisions.evidence import Judged
from analysis.decisions.offline import OfflineGain
from analysis.decisions.way import Way
from analysis.results.chain import Chain, ChainEnd, ChainLink, ChainStage
from analysis.results.schema import Reading
from analysis.results.tone import Tone
from analysis.stats.equivalence import Size
from analysis.stats.mover import Located

TONES = {
    ChainEnd.REACHED: Tone.GOOD,
    ChainEnd.HURT: Tone.BAD,
    ChainEnd.NOT_TRUSTWORTHY: Tone.BAD,
    ChainEnd.STOPPED_AT_PROXY: Tone.WARN,
    ChainEnd.STOPPED_OFFLINE: Tone.WARN,
    ChainEnd.TOO_EARLY: Tone.FLAT,
}


def follow(at: Way) -> Chain:
    """Return the chain with its verdict; what to look at, the funnel and the worth are added by who has the data."""
    end, broken = verdict(at)
    label = f"Stopped at {at.stage}" if end is ChainEnd.STOPPED_AT_PROXY else end.value
    return Chain(
        variant=at.evidence.variant.key,
        verdict=end,
        label=label,
        tone=TONES[end],
        sentence=journey.sentence(at, end),
        links=_links(at, end, broken),
        broken_after=broken,
    )


def verdict(at: Way) -> tuple[ChainEnd, ChainStage | None]:
    """Return how far the gain came, and the last station that it reached where it is shown to go no further."""
    if not at.trustworthy:
        return ChainEnd.NOT_TRUSTWORTHY, None
    rose = at.proxy is not None and at.proxy.reading is Reading.BETTER
    if at.business is not None and at.business.reading is Reading.WORSE:
        return ChainEnd.HURT, ChainStage.PROXY if rose else ChainStage.OFFLINE
    if at.business is not None and at.business.reading is Reading.BETTER:
        return ChainEnd.REACHED, None
    if rose and at.proxy is not None:
        promised = story.gain(at.proxy)
        if at.business is not None and promised is not None and story.falls_short(at.business, promised):
            return ChainEnd.STOPPED_AT_PROXY, ChainStage.PROXY
        return ChainEnd.TOO_EARLY, None
    return _without_a_gain_online(at)


def _without_a_gain_online(at: Way) -> tuple[ChainEnd, ChainStage | None]:
    """Say whether the first number online rules out what the offline gain promised, or what matters where that is said.

    An offline gain is taken one to one: nobody has shown for this model how much of it users feel. Where the plan names
    the smallest change that matters, a change that is shown to be smaller has stopped as well.
    """
    online = at.proxy or at.business
    if online is None:
        return ChainEnd.TOO_EARLY, None
    if online.comparison.size == Size.NEGLIGIBLE.value and online.reading is Reading.NO_CLEAR_CHANGE:
        return ChainEnd.STOPPED_OFFLINE, ChainStage.OFFLINE
    promised = promise(at.offline)
    if promised is not None and story.falls_short(online, promised):
        return ChainEnd.STOPPED_OFFLINE, ChainStage.OFFLINE
    return ChainEnd.TOO_EARLY, None


def promise(offline: OfflineGain) -> Located | None:
    """Return the offline gain as a promise, None where there is none to keep."""
    return offline.gain if offline.gain is not None and offline.gain.value > 0 else None


def _links(at: Way, end: ChainEnd, broken: ChainStage | None) -> list[ChainLink]:
    links = [_offline_link(at.offline)]
    for stage, judged in ((ChainStage.PROXY, at.proxy), (ChainStage.BUSINESS, at.business)):
        if judged is not None:
            links.append(_online_link(stage, judged, end, broken))
    return links


def _offline_link(offline: OfflineGain) -> ChainLink:
    interval = offline.lift_interval
    return ChainLink(
        stage=ChainStage.OFFLINE,
        name=offline.name,
        lift=offline.lift,
        lift_interval=interval,
        value=offline.new,
        control_value=offline.old,
        said=_offline_reading(offline),
        note=journey.offline_note(offline),
        arrived=None if offline.gain is None else _is_shown(offline),
    )


def _offline_reading(offline: OfflineGain) -> str:
    if offline.gain is None:
        return "Not recorded" if offline.problem.startswith("not recorded") else "Not comparable"
    if not offline.certain:
        return "No interval known"
    return "Better" if offline.gain.low > 0 else "Worse" if offline.gain.high < 0 else "Not certain"


def _is_shown(offline: OfflineGain) -> bool | None:
    """Say whether there was a gain offline at all; None where its interval leaves that open."""
    gain = offline.gain
    if gain is None or (offline.certain and gain.low <= 0 < gain.high):
        return None
    return gain.value > 0


def _online_link(stage: ChainStage, judged: Judged, end: ChainEnd, broken: ChainStage | None) -> ChainLink:
    found, withheld = judged.comparison, end is ChainEnd.NOT_TRUSTWORTHY
    arrived = {Reading.BETTER: True, Reading.WORSE: False}.get(judged.reading)
    if arrived is None and broken is not None and list(ChainStage).index(stage) == list(ChainStage).index(broken) + 1:
        arrived = False
    return ChainLink(
        stage=stage,
        name=judged.plan.name,
        metric=judged.plan.key,
        lift=None if withheld else found.lift,
        lift_interval=None if withheld else found.lift_interval,
        value=None if withheld else found.value,
        control_value=None if withheld else found.control_value,
        display_unit=judged.plan.display_unit.value,
        alpha=found.alpha,
        said=Reading.NOT_TRUSTWORTHY.value if withheld else judged.reading.value,
        note="declared after the start" if judged.plan.declared_late else "",
        arrived=None if withheld else arrived,
        guessed=judged.plan.stands_for is None,
    )
