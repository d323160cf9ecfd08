"""The sentences about a model's way to the business."""

import math

from analysis.decisions import sentences, story, wording
from analysis.decisions.evidence import Judged
from analysis.decisions.offline import OfflineGain
from analysis.decisions.way import Way
from analysis.results.chain import ChainEnd
from analysis.results.schema import Reading
from analysis.stats.equivalence import Size

_POWER = 2.8 / 1.96
"""Half an interval must shrink to the gain over this to tell it from none in four of five experiments (power 80 %)."""


def sentence(at: Way, end: ChainEnd) -> str:
    """Return the one sentence that says how far the gain came and what shows it."""
    match end:
        case ChainEnd.NOT_TRUSTWORTHY:
            return "A health check failed, so nothing online may be read before it passes."
        case ChainEnd.REACHED:
            return _reached(at)
        case ChainEnd.HURT:
            return _hurt(at)
        case ChainEnd.STOPPED_AT_PROXY:
            return _stopped_at_proxy(at)
        case ChainEnd.STOPPED_OFFLINE:
            return _stopped_offline(at)
        case _:
            return _too_early(at)


def offline_did(offline: OfflineGain) -> str:
    """Return what the offline metric did: "NDCG@10 rose 4.6% offline"; nothing where it cannot be said."""
    lift = offline.lift
    if lift is None:
        return ""
    if lift == 0:
        return f"{offline.name} stayed the same offline"
    return f"{offline.name} {'rose' if lift > 0 else 'fell'} {wording.percent(abs(lift))} offline"


def offline_note(offline: OfflineGain) -> str:
    """Return what must be known of the offline link: where it was measured and what its interval rests on."""
    if offline.gain is None:
        return offline.problem
    parts = [offline.evaluation_set] if offline.evaluation_set else []
    parts.append(offline.how if offline.certain else "the value alone, without an interval")
    if offline.changed is not None:
        parts.append(f"{wording.percent(offline.changed)} of predictions changed")
    return ", ".join(parts)


def _reached(at: Way) -> str:
    assert at.business is not None  # noqa: S101  (the verdict says so)
    before = [offline_did(at.offline)] if at.offline.gain is not None and at.offline.gain.value > 0 else []
    if at.proxy is not None and at.proxy.reading is Reading.BETTER:
        before.append(sentences.did(at.proxy, at.currency))
    proof = f"{sentences.did(at.business, at.currency)} {_between(at.business, at)}"
    if not before:
        return f"{wording.opening(proof)}: there is a gain for the business, whatever the steps before it show."
    return f"{wording.opening(wording.listed([*before, proof]))}: the gain went all the way."


def _hurt(at: Way) -> str:
    assert at.business is not None  # noqa: S101
    loss = f"{wording.opening(sentences.did(at.business, at.currency))} {_between(at.business, at)}"
    gains = [offline_did(at.offline)] if at.offline.gain is not None and at.offline.gain.value > 0 else []
    if at.proxy is not None and at.proxy.reading is Reading.BETTER:
        gains.append(sentences.did(at.proxy, at.currency))
    return f"{loss}, although {wording.listed(gains)}." if gains else f"{loss}."


def _stopped_at_proxy(at: Way) -> str:
    assert at.proxy is not None  # noqa: S101
    assert at.business is not None  # noqa: S101
    rise = wording.opening(sentences.did(at.proxy, at.currency))
    return (
        f"{rise} {_between(at.proxy, at)}, but {wording.inside(at.business.plan.name)} changed by between "
        f"{sentences.span(at.business, at.currency)}: a gain as large as the one in {at.stage} is ruled out."
    )


def _stopped_offline(at: Way) -> str:
    online = at.proxy or at.business
    assert online is not None  # noqa: S101
    flat = f"{wording.inside(online.plan.name)} changed by between {sentences.span(online, at.currency)}"
    before = offline_did(at.offline)
    if online.comparison.size == Size.NEGLIGIBLE.value:
        why = f"a change of the {wording.percent(online.plan.matters or 0.0)} that matter is ruled out"
    else:
        why = f"a gain as large as the offline one is ruled out{_open_business(at)}"
    return f"{wording.opening(before)}, but {flat}: {why}." if before else f"{wording.opening(flat)}: {why}."


def _open_business(at: Way) -> str:
    if at.proxy is None or at.business is None or at.business.reading is not Reading.NO_CLEAR_CHANGE:
        return ""
    return f" ({wording.inside(at.business.plan.name)}: {sentences.span(at.business, at.currency)})"


def _too_early(at: Way) -> str:
    where = at.horizon
    if where.peeking and where.running and (at.proxy or at.business) and _unread(at):
        day = f"Day {where.day} of {where.planned_days}"
        return f"{day}: whether the gain goes on is read at the planned end. Until then only harm is called."
    if at.proxy is not None and at.proxy.reading is Reading.BETTER:
        return _open_after_proxy(at, at.proxy)
    online = at.proxy or at.business
    if online is None:
        return "The plan measures neither a proxy nor the business: add clicks, and purchases or revenue."
    if online.reading is Reading.TOO_EARLY:
        missing = " ".join(online.comparison.warnings[:1])
        return f"There are too few data to read {wording.inside(online.plan.name)}. {missing}".strip()
    return _open_after_offline(at, online)


def _unread(at: Way) -> bool:
    return all(one.reading is Reading.TOO_EARLY for one in (at.proxy, at.business) if one is not None)


def _open_after_proxy(at: Way, proxy: Judged) -> str:
    rise = f"{wording.opening(sentences.did(proxy, at.currency))} {_between(proxy, at)}"
    if at.business is None:
        return f"{rise}, but no purchase or revenue metric is in the plan: what follows {at.stage} is not known."
    if at.business.reading is Reading.TOO_EARLY or at.business.comparison.lift_interval is None:
        return f"{rise}; {wording.inside(at.business.plan.name)} cannot be read yet."
    promised = story.gain(proxy)
    more = "" if promised is None else _more_units(at.business, promised.value, at)
    return (
        f"{rise}; {wording.inside(at.business.plan.name)} may have followed or not: it changed by between "
        f"{sentences.span(at.business, at.currency)}.{more}"
    )


def _open_after_offline(at: Way, online: Judged) -> str:
    span = f"{wording.inside(online.plan.name)} changed by between {sentences.span(online, at.currency)}"
    offline = at.offline
    if offline.gain is None:
        return (
            f"{wording.opening(span)}, and no offline gain can be held against that: {offline.problem}. Record it on "
            "both versions."
        )
    if offline.gain.value <= 0:
        return f"{wording.opening(span)}, and {offline_did(offline)}: there was no gain to carry on."
    more = _more_units(online, offline.gain.value, at)
    return (
        f"{wording.opening(offline_did(offline))}, and {span}: a gain as large as that is neither shown nor ruled "
        f"out.{more}"
    )


def _more_units(judged: Judged, promised: float, at: Way) -> str:
    """Say how many times as many units would tell a gain of this size from none; nothing where that is hardly more."""
    found = story.gain(judged)
    if found is None or promised <= 0 or not math.isfinite(found.high):
        return ""
    factor = ((found.high - found.value) * _POWER / promised) ** 2
    if factor <= 1.2:
        return ""
    if factor > 100:
        return (
            f" An experiment of any size that this traffic allows will hardly tell: {judged.plan.name} varies too much."
        )
    often = f"{factor:.1f}" if factor < 10 else f"{factor:.0f}"
    return f" About {often} times as many {at.unit_type}s would tell."


def _between(judged: Judged, at: Way) -> str:
    low, high = sentences.bounds(judged, at.currency)
    return f"({low} to {high})"
