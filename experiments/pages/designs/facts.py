"""A design in words, as pairs of a name and what it is."""

from experiments.domain.designs.bandit import BanditDesign, BanditPolicy
from experiments.domain.designs.interleaving import InterleavingDesign
from experiments.domain.designs.offpolicy import LogSource, OffPolicyDesign, RewardBy
from experiments.domain.designs.switchback import SwitchbackDesign
from experiments.domain.shares import percent
from experiments.setup import ExperimentPlan

Facts = list[tuple[str, str]]


def facts_of(plan: ExperimentPlan) -> Facts:
    """Return what a plan's design says, for people."""
    match plan.design:
        case OffPolicyDesign():
            return _off_policy(plan, plan.design)
        case InterleavingDesign():
            return _interleaving(plan, plan.design)
        case BanditDesign():
            return _bandit(plan, plan.design)
        case SwitchbackDesign():
            return _switchback(plan.design)
    return []


def _off_policy(plan: ExperimentPlan, design: OffPolicyDesign) -> Facts:
    if design.source is LogSource.FILE:
        return [("The log", "a file, given on the results page"), ("Decisions belong to", f"{plan.unit_type}s")]
    by = "the decision's id" if design.reward_by is RewardBy.DECISION else f"the {plan.unit_type}, newest decision"
    return [
        ("The log", f"events “{design.decision_event}”, {plan.planned_days} days of them"),
        ("A reward finds its decision by", by),
        ("A reward is waited for", _hours(design.window_hours)),
        ("Decisions belong to", f"{plan.unit_type}s"),
    ]


def _interleaving(plan: ExperimentPlan, design: InterleavingDesign) -> Facts:
    facts = [
        ("Who prefers", f"{plan.unit_type}s, each counted once"),
        ("Traffic", percent(plan.allocation)),
        ("A list is shown", f"“{design.shown_event}”, up to {design.length} items"),
        ("An item is chosen", f"“{design.clicked_event}”, by {design.item_property}"),
    ]
    return [*facts, ("Compared with the A/B test", design.beside)] if design.beside else facts


def _bandit(plan: ExperimentPlan, design: BanditDesign) -> Facts:
    how = {
        BanditPolicy.THOMPSON: "the probability of being best (Thompson)",
        BanditPolicy.TOP_TWO: "half to the leader, half to its rivals (top-two)",
    }
    return [
        ("Dealt once and kept by", f"each {plan.unit_type}"),
        ("Shares follow", how[design.policy]),
        ("Least share of each", percent(design.floor)),
        ("Shares change", f"every {_hours(design.batch_hours)}, from {design.first_units:,} units of each on"),
        ("A reward is waited for", _hours(design.window_hours)),
    ]


def _switchback(design: SwitchbackDesign) -> Facts:
    where = f"{len(design.regions)}, each by itself" if design.regions else "the whole market at once"
    return [
        ("Regions", where),
        ("A block lasts", f"{design.block_minutes} minutes"),
        ("Left out after a switch", f"{design.burn_in_minutes} minutes"),
        *([("Events name their region in", design.region_property)] if design.regions else []),
    ]


def _hours(hours: int) -> str:
    if hours % 24 == 0:
        return f"{hours // 24} day{'s' if hours > 24 else ''}"
    return f"{hours} hour{'s' if hours > 1 else ''}"
