"""May the numbers be believed at all? Each check with its answer and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median

from analysis.decisions import wording
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import Situation
from analysis.decisions.rules import DEFAULTS, Rules
from analysis.results.schema import Check, Health, Srm, VariantFact
from analysis.stats.looks import AnyLooks, Looking
from analysis.stats.sequential_srm import SequentialSplitTest, sequential_split_test
from analysis.stats.settings import DEFAULTS as STATS_DEFAULTS
from analysis.stats.settings import Settings
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable

BLOCKING = ("traffic-split", "two-variants")
"""Checks whose failure makes every number of the experiment unreadable; the others are said beside the numbers."""


def health(
    situation: Situation,
    variants: Sequence[VariantFact],
    horizon: Horizon,
    rules: Rules = DEFAULTS,
    settings: Settings = STATS_DEFAULTS,
    looking: Looking | None = None,
) -> Health:
    """Run every check.

    While the experiment runs, the split is tested by a test that may be looked at daily; at its end by chi-square.
    """
    counts = {variant.key: variant.units for variant in variants}
    weights = {variant.key: variant.weight for variant in variants}
    split = split_test(counts, weights, settings)
    always_valid = sequential_split_test(_split_so_far(situation, counts), weights, settings.srm_threshold)
    watched = horizon.running and not horizon.reached and isinstance(split, SplitTest)
    checks = [
        _traffic_split(always_valid if watched else split, variants),
        _enough_data(situation, variants, horizon, rules),
        _two_variants(situation, sum(counts.values()), rules),
        *_several_ids(situation),
        _planned_duration(horizon, looking),
        _exposure_data(situation, rules),
        *_event_values(situation),
    ]
    return Health(
        trustworthy=all(check.ok is not False for check in checks if check.key in BLOCKING),
        srm=Srm(
            p_value=split.p_value if isinstance(split, SplitTest) else None,
            counts=counts,
            expected=split.expected if isinstance(split, SplitTest) else {},
            threshold=settings.srm_threshold,
            sequential_p_value=always_valid.p_value if isinstance(always_valid, SequentialSplitTest) else None,
        ),
        quarantined_units=situation.quarantined_units,
        overridden_units=situation.overridden_units,
        merged_units=situation.merged_units,
        merged_quarantined=situation.merged_quarantined,
        checks=checks,
    )


def most_off(variants: Sequence[VariantFact]) -> VariantFact:
    """Return the variant to name when the split is broken: the treatment of two, else the one furthest off."""
    treatments = [variant for variant in variants if not variant.is_control]
    if len(treatments) == 1:
        return treatments[0]
    return max(variants, key=lambda variant: abs((variant.share or 0.0) - variant.expected_share))


def _split_so_far(situation: Situation, counts: Mapping[str, int]) -> list[Mapping[str, int]]:
    """Return the units of each variant by the end of each day, the last of them as they are now."""
    reached, looks = dict.fromkeys(counts, 0), []
    for day in sorted(situation.split_per_day):
        reached = {key: n + situation.split_per_day[day].get(key, 0) for key, n in reached.items()}
        looks.append(reached)
    return [*looks[:-1], counts]


def _traffic_split(split: SplitTest | SequentialSplitTest | NotComputable, variants: Sequence[VariantFact]) -> Check:
    key, name = "traffic-split", "Traffic split"
    if isinstance(split, NotComputable):
        return Check(key=key, name=name, ok=None, summary=f"not known yet: {split.reason}")
    if not split.mismatch:
        return Check(key=key, name=name, ok=True, summary=f"as designed ({wording.p_value(split.p_value)})")
    off = most_off(variants)
    return Check(
        key=key,
        name=name,
        ok=False,
        summary=f"broken: {share_of(off)} in {off.name} instead of {wording.percent(off.expected_share)} "
        f"({wording.p_value(split.p_value)})",
        what_to_do="Compare the exposures of each variant by day, browser and app version. Usual causes: a variant "
        "crashes, redirects or is slower before it records its exposure, bots, or a filter after the assignment. "
        "Mend it and start a new experiment; these numbers cannot be repaired.",
    )


def share_of(variant: VariantFact) -> str:
    """Write a variant's share with one decimal more than would hide its distance from the design."""
    share, expected = variant.share or 0.0, variant.expected_share
    if share == 0:
        return "0%"
    decimals = 1 if abs(share - expected) >= 0.001 else 2
    return f"{100 * share:.{decimals}f}%"


def _enough_data(situation: Situation, variants: Sequence[VariantFact], horizon: Horizon, rules: Rules) -> Check:
    key, name = "enough-data", "Enough data"
    live = [variant for variant in variants if variant.weight > 0] or list(variants)
    least = min(live, key=lambda variant: variant.units)
    have = wording.units(least.units, situation.unit_type)
    if least.units >= rules.min_units:
        return Check(key=key, name=name, ok=True, summary=f"at least {have} in each variant")
    return Check(
        key=key,
        name=name,
        ok=None if horizon.running else False,
        summary=f"not yet: {have} in {least.name}, {rules.min_units} needed",
        what_to_do="Wait for more traffic, or widen the allocation. With no exposures at all, check that the app sends "
        "Experiment Viewed with this experiment's key.",
    )


def _two_variants(situation: Situation, kept: int, rules: Rules) -> Check:
    key, name, out = "two-variants", "Units in two variants", situation.quarantined_units
    if out == 0:
        return Check(key=key, name=name, ok=True, summary="none")
    share = out / (kept + out)
    summary = f"{out:,} left out ({wording.percent(share)})"
    if share <= rules.max_quarantined_share:
        return Check(key=key, name=name, ok=True, summary=summary)
    return Check(
        key=key,
        name=name,
        ok=False,
        summary=f"{summary}, more than {wording.percent(rules.max_quarantined_share)}",
        what_to_do="Find why a unit changes its variant: an id that differs before and after sign-in, a cache shared "
        "between people, or an app that assigns by itself. Leaving out this many units can bias every metric.",
    )


def _several_ids(situation: Situation) -> list[Check]:
    """Return how many people came under several ids; nothing where apps link none."""
    if not situation.merged_units:
        return []
    people, out = wording.units(situation.merged_units, situation.unit_type), situation.merged_quarantined
    summary = f"{people} came under more than one id and count{'s' if situation.merged_units == 1 else ''} once"
    if out:
        summary += f"; {out:,} of them saw two variants and {'is' if out == 1 else 'are'} left out"
    return [Check(key="several-ids", name="One person, several ids", ok=True, summary=summary)]


def _planned_duration(horizon: Horizon, looking: Looking | None = None) -> Check:
    key, name = "planned-duration", "Planned duration"
    if looking is not None and horizon.day > 0 and not horizon.reached:
        return Check(key=key, name=name, ok=True, summary=_as_the_plan_allows(horizon, looking))
    if horizon.reached:
        return Check(key=key, name=name, ok=True, summary=f"reached ({_days(horizon.planned_days)})")
    so_far = f"day {horizon.day} of {horizon.planned_days}"
    if horizon.running:
        return Check(
            key=key,
            name=name,
            ok=None,
            summary=so_far,
            what_to_do="Let it run. The intervals hold for one look at the planned end; deciding before it is peeking.",
        )
    if horizon.day == 0:
        return Check(key=key, name=name, ok=None, summary="not started", what_to_do="Start the experiment.")
    return Check(
        key=key,
        name=name,
        ok=False,
        summary=f"stopped on {so_far}",
        what_to_do="Run it again for the whole planned time before claiming a gain.",
    )


def _as_the_plan_allows(horizon: Horizon, looking: Looking) -> str:
    if isinstance(looking, AnyLooks):
        return f"day {horizon.day}, no end needed"
    so_far = f"day {horizon.day} of {horizon.planned_days}"
    if not horizon.running:
        return f"stopped on {so_far}, as the plan allows"
    return f"{so_far}, read daily"


def _exposure_data(situation: Situation, rules: Rules) -> Check:
    key, name, upto = "exposure-data", "Exposure data", situation.data_up_to
    if upto is None:
        return Check(key=key, name=name, ok=None, summary="none yet")
    end = situation.as_of if situation.stopped_at is None else min(situation.as_of, situation.stopped_at)
    if upto < end - rules.stale_after:
        return Check(
            key=key,
            name=name,
            ok=False,
            summary=f"stops at {_moment(upto)}",
            what_to_do="See that the worker runs and that the app still sends events, then refresh.",
        )
    if gaps := missing_days(situation, rules):
        days = wording.listed([wording.day(gap.day, gap.month) for gap in gaps[:3]])
        more = f" and {len(gaps) - 3} more days" if len(gaps) > 3 else ""
        return Check(
            key=key,
            name=name,
            ok=False,
            summary=f"nothing on {days}{more}",
            what_to_do="Ask what happened on those days: an outage, a release, or events that were not sent.",
        )
    return Check(key=key, name=name, ok=True, summary=f"complete up to {_moment(upto)}")


def _event_values(situation: Situation) -> list[Check]:
    """Say how many events were left out because the property that a metric adds up is no number; silent without any."""
    left_out = {name: count for name, count in situation.unreadable_values.items() if count > 0}
    if not left_out:
        return []
    what = wording.listed([f"{count:,} of {wording.inside(name)}" for name, count in left_out.items()])
    return [
        Check(
            key="event-values",
            name="Event values",
            ok=False,
            summary=f"left out for not being a number: {what}",
            what_to_do="Send the property as a number, without a currency sign or thousands separator.",
        )
    ]


def missing_days(situation: Situation, rules: Rules = DEFAULTS) -> list[date]:
    """Return the days between the first and the last with exposures on which no unit entered, where days are busy."""
    per_day = {day: units for day, units in situation.exposures_per_day.items() if units > 0}
    if len(per_day) < 2 or median(per_day.values()) < rules.gap_needs_daily_units:
        return []
    first, last = min(per_day), max(per_day)
    span = (first + timedelta(days=i) for i in range((last - first).days))
    return [day for day in span if day not in per_day]


def _moment(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{wording.day(moment.day, moment.month)}, {moment:%H:%M} UTC"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
