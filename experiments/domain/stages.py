"""Where an experiment is in its life, why, and what is next: by its status, plan, newest result and decision."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.conclusions import SAYS_SOMETHING, Choice
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.looking import ReadingPlan


class Stage(StrEnum):
    """The steps of a life, in their order. Wrap-up comes instead of a review: what ended cannot be believed or read."""

    DRAFT = "draft"
    RUNNING = "running"
    READY = "ready for review"
    WRAP_UP = "wrap up"
    CONCLUDED = "concluded"


FOLLOWING = frozenset({ExperimentKind.HOLDOUT, ExperimentKind.HOLDBACK})
"""Kinds that keep measuring what was decided before: nobody decides about them at a planned end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides the stage. ``recommendation`` is empty and ``trustworthy`` None while there is no result."""

    status: Status
    kind: ExperimentKind = ExperimentKind.STANDARD
    day: int = 0
    planned_days: int = 14
    reading: ReadingPlan = ReadingPlan.FIXED
    recommendation: str = ""
    trustworthy: bool | None = None
    waits_for_second: bool = False
    decision: Choice | None = None
    is_shipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stage with its words: ``why`` it is there, and what is ``next``."""

    stage: Stage
    why: str
    next: str

    @property
    def title(self) -> str:
        """Return the stage as a heading."""
        return self.stage.value.capitalize()

    @property
    def steps(self) -> list[tuple[Stage, str]]:
        """Return the stages of a life with their titles; wrap-up stands in the review's place where it is one."""
        left_out = Stage.READY if self.stage is Stage.WRAP_UP else Stage.WRAP_UP
        return [(one, one.value.capitalize()) for one in Stage if one is not left_out]

    @property
    def past(self) -> list[Stage]:
        """Return the stages that lie behind."""
        names = [one for one, _ in self.steps]
        return names[: names.index(self.stage)]


def place(facts: Facts) -> Place:
    """Return where an experiment is in its life."""
    if facts.status is Status.DRAFT:
        return Place(
            stage=Stage.DRAFT,
            why="It has not started: nobody is assigned, and everything can still be changed.",
            next="Complete the four steps and the checklist, then start it.",
        )
    if facts.kind in FOLLOWING:
        return _follow_up(facts)
    if facts.decision is not None:
        return _concluded(facts, facts.decision)
    if facts.is_shipped:
        return _shipped()
    if facts.waits_for_second:
        return Place(
            stage=Stage.READY,
            why="A decision against the rule waits for a second person.",
            next="An editor other than the one who asked agrees or disagrees.",
        )
    if facts.recommendation in SAYS_SOMETHING and facts.trustworthy:
        return Place(
            stage=Stage.READY,
            why=f"Its plan is fulfilled, its health checks pass, and the rule says: {facts.recommendation}.",
            next="Read the results, then conclude: ship, roll back or iterate.",
        )
    if _has_ended(facts):
        return _wrap_up(facts)
    return _running(facts)


def _has_ended(facts: Facts) -> bool:
    if facts.status not in LIVE:
        return True
    return facts.reading is ReadingPlan.FIXED and facts.day > facts.planned_days


def _concluded(facts: Facts, decision: Choice) -> Place:
    if decision is not Choice.SHIP:
        return Place(
            stage=Stage.CONCLUDED,
            why=f"It was decided: {decision}. Everyone keeps the control.",
            next="Nothing. Plan the next one.",
        )
    following = (
        "Watch its holdback, if it has one." if facts.is_shipped else "Ship the variant, with a holdback if you can."
    )
    return Place(stage=Stage.CONCLUDED, why="It was decided: ship.", next=following)


def _shipped() -> Place:
    return Place(
        stage=Stage.CONCLUDED,
        why="A variant was shipped.",
        next="Write down what was learned, and watch its holdback, if it has one.",
    )


def _follow_up(facts: Facts) -> Place:
    if facts.status in LIVE:
        return Place(
            stage=Stage.RUNNING,
            why=f"It is a {facts.kind} and measures on, day {facts.day}.",
            next="Look at it from time to time; stop it when its answer is no longer needed.",
        )
    return Place(stage=Stage.CONCLUDED, why=f"The {facts.kind} has ended.", next="Nothing.")


def _wrap_up(facts: Facts) -> Place:
    ended = "It has ended" if facts.status not in LIVE else f"Its {facts.planned_days} planned days are over"
    if facts.trustworthy is None:
        return Place(
            stage=Stage.WRAP_UP,
            why=f"{ended}, and it has no result.",
            next="Refresh the results. If none come, conclude with what was learned.",
        )
    if not facts.trustworthy:
        return Place(
            stage=Stage.WRAP_UP,
            why=f"{ended}, and a health check fails: its numbers cannot be believed.",
            next="Find the cause on the results page; repair it in a new experiment, and conclude this one.",
        )
    return Place(
        stage=Stage.WRAP_UP,
        why=f"{ended} with too little to decide by: {facts.recommendation}.",
        next="Conclude it with what was learned, or plan a larger one."
        if facts.status not in LIVE
        else "Let it run on if its plan allows, or conclude it with what was learned.",
    )


def _running(facts: Facts) -> Place:
    if facts.status is Status.PAUSED:
        return Place(
            stage=Stage.RUNNING,
            why=f"It is paused on day {facts.day}: everyone gets the control.",
            next="Run it again, or stop it.",
        )
    if facts.trustworthy is False:
        return Place(
            stage=Stage.RUNNING,
            why=f"It runs on day {facts.day}, and a health check fails: its numbers cannot be believed.",
            next="Look at the failed check now; a broken experiment does not heal by waiting.",
        )
    if facts.reading is ReadingPlan.FIXED:
        return Place(
            stage=Stage.RUNNING,
            why=f"It runs: day {facts.day} of {facts.planned_days}.",
            next="Wait for the planned end; what the numbers say earlier decides nothing.",
        )
    return Place(
        stage=Stage.RUNNING,
        why=f"It runs: day {facts.day}. Its plan allows for looking at it early.",
        next="Keep it running until the rule says more than to wait.",
    )
