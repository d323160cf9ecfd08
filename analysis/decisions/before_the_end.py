"""Verdicts where no gain may be read: a broken experiment, no data, or a look before the planned end."""

from collections.abc import Sequence

from analysis.decisions import sentences, wording
from analysis.decisions.decision import Decision
from analysis.decisions.evidence import Evidence
from analysis.decisions.health import most_off, share_of
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import Situation
from analysis.decisions.rules import Rules
from analysis.results.schema import Health, Tone, VariantFact, Verdict


def not_trustworthy(situation: Situation, variants: Sequence[VariantFact], health: Health) -> Verdict:
    """Say that the numbers must not be read, and why."""
    failed = [check for check in health.checks if check.ok is False]
    if any(check.key == "traffic-split" for check in failed):
        off = most_off(variants)
        alone = len(variants) == 2
        got = f"got {'the treatment' if alone else off.name}"
        headline = (
            f"The split is broken: {share_of(off)} {got} instead of {wording.percent(off.expected_share)}. "
            "Do not read these numbers."
        )
        explanation = (
            "Units went missing from one variant, or were added to it, for a reason that the variants themselves may "
            "have caused. Any difference below can be an effect of who is missing, so the readings are withheld."
        )
    else:
        total = sum(variant.units for variant in variants) + situation.quarantined_units
        share = wording.percent(situation.quarantined_units / total)
        headline = f"{share} of the {situation.unit_type}s saw two variants. Do not read these numbers."
        explanation = "They are left out of every number, and leaving out this many can itself move a metric."
    return Verdict(
        decision=Decision.NOT_TRUSTWORTHY,
        tone=Tone.BAD,
        headline=headline,
        explanation=explanation,
        reasons=[f"{check.name}: {check.summary}." for check in failed],
        next_step=failed[0].what_to_do,
    )


def nothing_yet(situation: Situation, horizon: Horizon) -> Verdict:
    """Say that there is nothing to read."""
    started = horizon.day > 0
    unit = situation.unit_type
    return Verdict(
        decision=Decision.TOO_EARLY,
        tone=Tone.FLAT,
        headline=f"No {unit} has been exposed yet." if started else "Not started yet.",
        explanation="The first exposure starts the count." if started else "Numbers arrive after the start.",
        reasons=[],
        next_step="Check that the app sends Experiment Viewed with this experiment's key." if started else "Start it.",
    )


def before_the_end(
    situation: Situation,
    variants: Sequence[VariantFact],
    horizon: Horizon,
    evidence: Sequence[Evidence],
    rules: Rules,
) -> Verdict:
    """No gain is read before the planned end; clear harm is."""
    bar = f"Before the planned end a harm must pass p < {rules.interim_alpha:g}, so that looking often raises no "
    bar += "false alarms; this one did."
    if stop := stop_for_harm(situation, horizon, evidence, bar):
        return stop
    if not horizon.running:
        return _stopped_early(horizon)
    if waiting := too_few_units(situation, variants, horizon, rules):
        return waiting
    return Verdict(
        decision=Decision.KEEP_RUNNING,
        tone=Tone.FLAT,
        headline=f"Keep it running: {so_far(horizon)}, and nothing is clearly harmed.",
        explanation=f"Looking now is peeking: the intervals and p-values hold for one look, on day "
        f"{horizon.planned_days}. Until then only harm is tested, at p < {rules.interim_alpha:g}, so no gain is "
        "claimed, however good it looks.",
        reasons=[
            f"Planned duration: {so_far(horizon)}.",
            "No guardrail is clearly crossed and no primary metric clearly worse.",
        ],
        next_step=f"Come back on day {horizon.planned_days}.",
    )


def _stopped_early(horizon: Horizon) -> Verdict:
    return Verdict(
        decision=Decision.INCONCLUSIVE,
        tone=Tone.WARN,
        headline=f"Stopped on {so_far(horizon)}: too soon to claim a gain.",
        explanation="The intervals and p-values hold for one look at the planned end. An experiment that is "
        "stopped when it looks good overstates its gain, so nothing is read as better here.",
        reasons=[f"Planned duration: stopped on {so_far(horizon)}."],
        next_step="Run it again for the whole planned time.",
    )


def too_few_units(
    situation: Situation, variants: Sequence[VariantFact], horizon: Horizon, rules: Rules
) -> Verdict | None:
    """Say that there are too few units to read anything, or return None where there are enough."""
    smallest = min((variant.units for variant in variants if variant.weight > 0), default=0)
    if smallest >= rules.min_units:
        return None
    have = wording.units(smallest, situation.unit_type)
    return Verdict(
        decision=Decision.TOO_EARLY,
        tone=Tone.FLAT,
        headline=f"Too early to say: {have} in the smallest variant so far.",
        explanation=f"Nothing is read below {rules.min_units} {situation.unit_type}s in each variant.",
        reasons=[f"Planned duration: {so_far(horizon)}."],
        next_step=f"Let it run until day {horizon.planned_days}.",
    )


def stop_for_harm(situation: Situation, horizon: Horizon, evidence: Sequence[Evidence], bar: str) -> Verdict | None:
    """Say to stop for clear harm, or return None where there is none. ``bar`` says what such a harm had to pass."""
    harmed = [one for one in evidence if one.crossed or one.losses]
    if not harmed:
        return None
    worst = harmed[0]
    bad = worst.crossed + worst.losses
    damage = sentences.does(worst.subject, bad[:1], situation.currency)
    others_run = horizon.running and len(harmed) < len(evidence)
    advice = "Turn it off; the others may run on." if others_run else "Stop." if horizon.running else "Do not ship."
    cure = f"Turn {worst.subject} off and find" if horizon.running else "Find"
    beyond = f", beyond its limit of {sentences.limit(bad[0])}" if worst.crossed else ""
    return Verdict(
        decision=Decision.KEEP_RUNNING if others_run else Decision.DO_NOT_SHIP,
        tone=Tone.BAD,
        headline=f"{damage}{beyond}. {advice}",
        explanation=f"Seen on {so_far(horizon)} {sentences.sureness(bad[0], situation.currency)}. {bar}",
        reasons=[sentences.reason(one, situation.currency) for each in harmed for one in each.judged],
        next_step=f"{cure} the cause.",
    )


def so_far(horizon: Horizon) -> str:
    """Write where the experiment stands."""
    return f"day {horizon.day} of {horizon.planned_days}"
