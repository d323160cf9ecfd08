"""The bar of the set-up's steps: where one is, what each says so far and what it still lacks."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain import hypothesis
from experiments.domain.metrics import MetricRole
from experiments.domain.shares import WHOLE, percent
from experiments.plans import ExperimentPlan, MetricPlan, Problem, problems_of


class StepName(StrEnum):
    """The steps in their order; the words are in their addresses."""

    WHY = "why"
    WHO = "who"
    WHAT = "what"
    HOW = "how"


TITLES = {
    StepName.WHY: "Why",
    StepName.WHO: "Who",
    StepName.WHAT: "What",
    StepName.HOW: "How we decide",
}
PARTS = {
    StepName.WHY: ("key", "name", "hypothesis"),
    StepName.WHO: ("unit_type", "allocation"),
    StepName.WHAT: ("variants",),
    StepName.HOW: ("planned_days", "planned_units", "matters", "metrics"),
}
"""Which parts of a plan are set in which step, by the names of its problems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One step as the bar shows it; ``blocks`` says that the start waits for what is missing."""

    name: StepName
    number: int
    says: str
    missing: str = ""
    blocks: bool = False
    is_current: bool = False

    @property
    def title(self) -> str:
        """Return the step's name for people."""
        return TITLES[self.name]

    @property
    def tone(self) -> str:
        """Return how it is coloured."""
        return "bad" if self.blocks else "warn" if self.missing else "good"


def following(name: StepName) -> StepName | None:
    """Return the step after this one, or None after the last."""
    names = list(StepName)
    place = names.index(name) + 1
    return names[place] if place < len(names) else None


def bar(
    plan: ExperimentPlan, metrics: Iterable[str], audience: str, current: StepName | None = None
) -> list[StepState]:
    """Return every step with what it says; ``metrics`` are the names that a hypothesis may use."""
    problems = list(problems_of(plan))
    says = {
        StepName.WHY: plan.name,
        StepName.WHO: f"{percent(plan.allocation)} of {plan.unit_type}s" if plan.allocation < WHOLE else audience,
        StepName.WHAT: f"{len(plan.variants)} variants",
        StepName.HOW: _decides(plan.metrics),
    }
    advice = {StepName.WHY: _lacks(plan.hypothesis, metrics), StepName.HOW: _unguarded(plan.metrics)}
    return [
        StepState(
            name=name,
            number=number,
            says=says[name],
            missing=(wrong := _problem(name, problems)) or advice.get(name, ""),
            blocks=bool(wrong),
            is_current=name is current,
        )
        for number, name in enumerate(StepName, start=1)
    ]


def first_unfinished(steps: Iterable[StepState]) -> StepName:
    """Return where to go on: the first step that lacks something, or the first of all."""
    return next((step.name for step in steps if step.missing), StepName.WHY)


def _problem(name: StepName, problems: Iterable[Problem]) -> str:
    return next((problem.message for problem in problems if problem.part in PARTS[name]), "")


def _lacks(text: str, metrics: Iterable[str]) -> str:
    if not text.strip():
        return "No hypothesis yet."
    parts = [found.part for found in hypothesis.read(text, metrics) if not found.ok]
    return f"The hypothesis seems to lack a {' and a '.join(parts)}." if parts else ""


def _decides(uses: Iterable[MetricPlan]) -> str:
    names = [use.metric.name for use in uses if use.role is MetricRole.PRIMARY]
    return f"{' or '.join(names)} decides" if names else "Nothing decides"


def _unguarded(uses: Iterable[MetricPlan]) -> str:
    return "" if any(use.role is MetricRole.GUARDRAIL for use in uses) else "No guardrail: what must not get worse?"
