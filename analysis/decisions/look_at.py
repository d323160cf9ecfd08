"""What to look at when a gain went no further: each from something found in the data, never from a list of maybes."""

from collections.abc import Iterator, Mapping

from analysis.decisions import sentences, whom_and_when, wording
from analysis.decisions.evidence import Judged
from analysis.decisions.way import Way
from analysis.details.schema import Detail
from analysis.results.chain import ChainEnd, FunnelSplit, FunnelStep, LookAt
from analysis.results.schema import Reading, TriggeredShare
from experiments.domain.metrics import DisplayUnit, MetricRole

_ONWARD = (ChainEnd.STOPPED_AT_PROXY, ChainEnd.STOPPED_OFFLINE, ChainEnd.HURT, ChainEnd.TOO_EARLY)
MOST = 4
FEW_DIFFER = 0.2
"""Below this share of units whose outputs differ, an effect over all of them is hard to see: it is diluted fivefold."""


def look_at(
    at: Way,
    end: ChainEnd,
    funnel: FunnelSplit | None,
    triggered: TriggeredShare | None,
    details: Mapping[str, Detail],
) -> list[LookAt]:
    """Return what may explain where the gain stayed, the strongest evidence first.

    ``details`` of metrics by their keys; none before they may be read.
    """
    if end not in _ONWARD or not at.trustworthy:
        return list(_beside_a_gain(at, details))[:MOST] if end is ChainEnd.REACHED else []
    found = [
        *_funnel(at, end, funnel),
        *_latency(at),
        *_guardrails(at),
        *whom_and_when.segments(at, details),
        *whom_and_when.wearing_off(at, details),
        *_dilution(at, triggered),
        *_offline(at),
    ]
    return found[:MOST]


def disagreement(at: Way, triggered: TriggeredShare | None) -> str:
    """Say for how many units the models differ, what happened there, and what that is over all.

    "The models disagree for 0.9% of users; among those clicks rose 6%; over all users that is 0.05%."
    """
    if triggered is None or not triggered.total or not at.trustworthy:
        return ""
    share = wording.percent(triggered.units / triggered.total)
    said = f"The models disagree for {share} of {at.unit_type}s"
    own = [one for one in triggered.effects if one.variant == at.evidence.variant.key and one.lift is not None]
    keys = [one.plan.key for one in (at.proxy, at.business) if one is not None]
    ranked = sorted(own, key=lambda one: keys.index(one.metric) if one.metric in keys else len(keys))
    if not ranked or ranked[0].trustworthy is False:
        return f"{said}."
    effect = ranked[0]
    lift = effect.lift or 0.0
    if effect.p_value is None or effect.p_value >= effect.alpha:
        ends = [wording.signed_percent(end) if end is not None else "no bound" for end in effect.lift_interval or ()]
        between = f" (between {' and '.join(ends)})" if ends else ""
        return f"{said}; among those {wording.inside(effect.name)} shows no clear change{between}."
    moved = f"{wording.inside(effect.name)} {'rose' if lift > 0 else 'fell'} {wording.percent(abs(lift))}"
    over = "" if effect.diluted_lift is None else (
        f"; over all {at.unit_type}s that is {wording.signed_percent(effect.diluted_lift)}"
    )  # fmt: skip
    return f"{said}; among those {moved}{over}."


def _beside_a_gain(at: Way, details: Mapping[str, Detail]) -> Iterator[LookAt]:
    yield from _latency(at)
    yield from _guardrails(at)
    yield from whom_and_when.wearing_off(at, details)


def _funnel(at: Way, end: ChainEnd, funnel: FunnelSplit | None) -> Iterator[LookAt]:
    """Name the steps that are shown to be worse, the largest loss first."""
    if funnel is None or end is ChainEnd.STOPPED_OFFLINE:
        return
    worse = [step for step in funnel.steps if step.lift_interval[1] < 0]
    for step in sorted(worse, key=lambda one: one.log_lift)[:2]:
        low, high = (wording.signed_percent(bound) for bound in step.lift_interval)
        fell = f"{wording.opening(step.name)} fell {wording.percent(abs(step.lift))} ({low} to {high})."
        yield _step_said(step, fell, at)


def _step_said(step: FunnelStep, fell: str, at: Way) -> LookAt:
    rose = at.proxy is not None and at.proxy.reading is Reading.BETTER
    if step.key == "orders" and rose:
        return LookAt(
            key="cannibalised",
            title=f"More {at.stage}, not more orders",
            finding=fell,
            what_to_do="Look at what the extra ones are: curiosity, or the same product reached another way. Train on "
            "orders as well.",
        )
    title, what_to_do = _STEPS[step.key]
    return LookAt(key=step.key, title=title, finding=fell, what_to_do=what_to_do)


_STEPS = {
    "impressions": (
        "Fewer chances",
        "Look at sessions that end early, errors and load times: people got to see less.",
    ),
    "clicks": ("Fewer clicks for each view", "Look at what is shown on top: it appeals less."),
    "orders": (
        "Fewer orders for each click",
        "Look at what comes after the click: price, stock, delivery, the product page.",
    ),
    "value": ("Cheaper orders", "Look at which products moved up: the model may favour what is cheap."),
}


def _latency(at: Way) -> Iterator[LookAt]:
    """Say where slowness may have eaten the gain."""
    for one in _worse_guardrails(at):
        if one.plan.display_unit is DisplayUnit.MILLISECONDS:
            beyond = f", beyond its limit of {sentences.limit(one)}" if one.comparison.margin_crossed else ""
            yield LookAt(
                key="latency",
                title="It got slower",
                finding=f"{wording.opening(sentences.did(one, at.currency))} "
                f"{sentences.sureness(one, at.currency)}{beyond}.",
                what_to_do="Slowness may have eaten the gain. Make the model faster, or slow the old one down to see.",
            )


def _guardrails(at: Way) -> Iterator[LookAt]:
    for one in _worse_guardrails(at):
        if one.plan.display_unit is not DisplayUnit.MILLISECONDS:
            yield LookAt(
                key="guardrail",
                title=f"{one.plan.name} got worse",
                finding=f"{wording.opening(sentences.did(one, at.currency))} {sentences.sureness(one, at.currency)}.",
                what_to_do="Who gets an error or a fallback gets the old answer or none: mend that before you judge "
                "the model.",
            )


def _worse_guardrails(at: Way) -> list[Judged]:
    guardrails = at.evidence.having(MetricRole.GUARDRAIL)
    return [one for one in guardrails if one.reading is Reading.WORSE or one.comparison.margin_crossed]


def _dilution(at: Way, triggered: TriggeredShare | None) -> Iterator[LookAt]:
    """Say where the models give nearly everyone the same: the effect over all is diluted."""
    if triggered is None or not triggered.total or triggered.units / triggered.total > FEW_DIFFER:
        return
    yield LookAt(
        key="dilution",
        title="The models mostly agree",
        finding=disagreement(at, triggered),
        what_to_do="Read “Where the variants differ” below: only there could anybody feel the new model.",
    )


def _offline(at: Way) -> Iterator[LookAt]:
    offline = at.offline
    if offline.gain is None:
        yield LookAt(
            key="offline",
            title="No promise to hold against",
            finding=f"The offline gain is {offline.problem}.",
            what_to_do="Record the same offline metric on the same evaluation set for both versions.",
        )
    elif not offline.certain:
        yield LookAt(
            key="offline",
            title="How sure was the offline gain?",
            finding=f"{offline.name} is known by its value alone.",
            what_to_do="Upload both versions' scores by example: the paired comparison says how much of it is luck.",
        )
    elif offline.gain.low <= 0 < offline.gain.high:
        low, high = (wording.signed_percent(end) for end in offline.lift_interval or (0.0, 0.0))
        yield LookAt(
            key="offline",
            title="The offline gain itself is not certain",
            finding=f"{offline.name} changed by between {low} and {high}.",
            what_to_do="Use a larger evaluation set before the next experiment: there may be nothing to carry on.",
        )
    elif offline.changed is not None and offline.changed < FEW_DIFFER / 10:
        yield LookAt(
            key="offline",
            title="Hardly any prediction changed",
            finding=f"{wording.percent(offline.changed)} of predictions differ between the versions.",
            what_to_do="Look at those alone, and have the app report outputs_differ: all others add noise.",
        )
