"""The sentences of a verdict: what a metric did, by how much, and how sure that is."""

from analysis.decisions import wording
from analysis.decisions.evidence import Evidence, Judged, names
from analysis.decisions.story import Ending, Story
from experiments.domain.metrics import Direction


def size(one: Judged, currency: str) -> str:
    """Return the size of the change, without its sign: the lift, or the difference where there is no lift."""
    found = one.comparison
    if found.lift is not None and found.lift_interval is not None:
        return wording.percent(abs(found.lift))
    return wording.amount(found.difference or 0.0, one.plan.display_unit, currency)


def span(one: Judged, currency: str) -> str:
    """Return the interval as words: "−1.2% and +1.4%", joined as "between … and …" expects."""
    low, high = bounds(one, currency)
    return f"{low} and {high}"


def bounds(one: Judged, currency: str) -> tuple[str, str]:
    """Return both ends of the interval, of the lift where it has one."""
    found = one.comparison
    if found.lift_interval is not None:
        ends = [wording.signed_percent(end) if end is not None else "no bound" for end in found.lift_interval]
    else:
        unit = one.plan.display_unit
        interval = found.difference_interval or (None, None)
        ends = ["no bound" if end is None else wording.signed_amount(end, unit, currency) for end in interval]
    return ends[0], ends[1]


def rose(one: Judged) -> bool:
    """Say whether the metric's value went up (which need not be good)."""
    return (one.comparison.difference or 0.0) > 0


def sureness(one: Judged, currency: str) -> str:
    """Return the evidence in brackets: "(95% interval +2.1% to +9.2%, p = 0.002)"."""
    found = one.comparison
    low, high = bounds(one, currency)
    p = "" if found.p_value is None else f", {wording.p_value(found.p_value)}"
    return f"({wording.percent(1 - found.alpha)} interval {low} to {high}{p})"


def did(one: Judged, currency: str) -> str:
    """Return what a metric did, as a clause: "refund rate rose 5.5%"."""
    return f"{wording.inside(one.plan.name)} {'rose' if rose(one) else 'fell'} {size(one, currency)}"


def does(subject: str, ones: list[Judged], currency: str) -> str:
    """Return what a treatment does to its metrics: "Ranker v8 raises revenue per user by 5.6%"."""
    parts: list[str] = []
    last = ""
    for one in ones[:2]:
        verb = "raises" if rose(one) else "lowers"
        parts.append(f"{'' if verb == last else verb + ' '}{wording.inside(one.plan.name)} by {size(one, currency)}")
        last = verb
    return f"{subject} {wording.listed(parts)}"


def flat(ones: list[Judged], currency: str) -> str:
    """Bound metrics without a clear change: "Revenue per user changed by between −1.2% and +1.4% (95% interval)."."""
    sentences = [
        f"{wording.opening(one.plan.name)} changed by between {span(one, currency)} "
        f"({wording.percent(1 - one.comparison.alpha)} interval)."
        for one in ones[:2]
        if one.comparison.difference is not None
    ]
    return " ".join(sentences)


def limit(one: Judged) -> str:
    """Return a guardrail's limit with its sign: "+2%" where lower is better."""
    margin = one.plan.margin or 0.0
    return wording.signed_percent(-margin if one.plan.direction is Direction.INCREASE else margin)


def guardrails(evidence: Evidence, currency: str) -> str:
    """Say in a sentence or two what the guardrails did; nothing when there are none."""
    said: list[str] = []
    for one in evidence.crossed:
        said.append(
            f"{wording.opening(did(one, currency))} {sureness(one, currency)}: beyond its limit of {limit(one)}."
        )
    for one in evidence.strained:
        known = "within" if one.comparison.margin_crossed is False else "not shown to stay within"
        said.append(
            f"{wording.opening(did(one, currency))} {sureness(one, currency)}, {known} its limit of {limit(one)}."
        )
    for one in evidence.unproven:
        said.append(
            f"{wording.opening(one.plan.name)} is not shown to stay within its limit of {limit(one)}: "
            f"it may have changed by between {span(one, currency)}."
            if one.comparison.difference is not None
            else f"{wording.opening(one.plan.name)} cannot be read yet: its limit of {limit(one)} is not shown to hold."
        )
    held = [one for one in evidence.judged if one.comparison.margin_crossed is False and one not in evidence.strained]
    if held:
        alone = len(held) == 1
        who = f"The guardrail {names(held)}" if alone else f"The guardrails {names(held, most=3)}"
        said.append(f"{who} stayed within {'its limit' if alone else 'their limits'}.")
    return " ".join(said)


def story_headline(story: Story, currency: str) -> str:
    """Return the one sentence for a proxy's gain that did not become a business gain."""
    gain = wording.opening(did(story.proxy, currency))
    business = list(story.business)[:2]
    if story.ending is Ending.REVERSED:
        return f"{gain}, but {did(business[0], currency)}: the gain in {story.stage} cost business."
    if story.ending is Ending.UNCERTAIN:
        return f"{gain}, but {names(business)} did not clearly follow."
    return f"{gain}, {names(business)} did not follow: the gain stopped at {story.stage}."


def story_note(story: Story, currency: str) -> str:
    """Return what the explanation adds about the way from the proxy to the business."""
    if story.ending is Ending.UNMEASURED:
        return f"No purchase or revenue metric is in the plan, so this says nothing about what follows {story.stage}."
    if story.ending is Ending.STOPPED:
        bound = flat(list(story.business), currency)
        return f"{bound} That rules out a gain as large as the one in {story.stage}: it is not a gain for the business."
    if story.ending is Ending.UNCERTAIN:
        return f"{flat(list(story.business), currency)} A gain in {story.stage} is not yet a gain for the business."
    if story.ending is Ending.REACHED:
        return f"The gain in {story.stage} reached {names(list(story.business))}."
    return ""


def reason(one: Judged, currency: str) -> str:
    """Return one line of the rule's reasons."""
    found = one.comparison
    kept = {True: ", limit crossed", False: ", limit held", None: ", limit not shown to hold"}
    margin = kept[found.margin_crossed] if one.plan.margin is not None else ""
    if found.difference is None:
        return f"{wording.opening(one.plan.role.value)} {wording.inside(one.plan.name)}: {found.reading}{margin}."
    shared = ""
    if found.adjusted_p_value is not None and found.adjusted_p_value > 1.001 * (found.p_value or 0.0):
        shared = f", {found.alpha:.3g} needed because several comparisons share the risk"
    proof = sureness(one, currency)
    what = f"{wording.opening(one.plan.role.value)} {wording.inside(one.plan.name)}"
    return f"{what}: {found.reading} {proof}{margin}{shared}."


def joined(*parts: str) -> str:
    """Join the parts that say something."""
    return " ".join(part for part in parts if part)
