"""Who sees what and who is analysed, before and after a step: said before anybody confirms it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.shares import WHOLE, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What decides who sees what. ``variants`` are (name, weight), control first; shares are in ten-thousandths."""

    status: Status
    kind: ExperimentKind = ExperimentKind.STANDARD
    variants: tuple[tuple[str, int], ...]
    units: str = "users"
    allocation: int = WHOLE
    is_targeted: bool = False
    in_layer: bool = False
    held_out: int = 0
    overrides: int = 0
    shipped: str | None = None
    shipped_share: int = WHOLE
    holdback: int = 0
    is_new_phase: bool = False

    @property
    def control(self) -> str:
        """Return the control's name."""
        return self.variants[0][0] if self.variants else "Control"

    @property
    def without(self) -> str:
        """Say what everyone sees while the experiment assigns nobody."""
        match self.kind:
            case ExperimentKind.HOLDOUT:
                return EVERYTHING
            case ExperimentKind.HOLDBACK:
                return self.variants[-1][0]
        return self.control


EVERYTHING = "Every experiment and all that was shipped"
NOTHING = "The control everywhere"


class Group(StrEnum):
    """The groups that a step may treat differently, besides the variants' own units."""

    OUT_OF_TRAFFIC = "out of traffic"
    NOT_TARGETED = "not targeted"
    HELD_OUT = "held out"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What one group sees, and whether it is analysed."""

    sees: str
    analysed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One group, now and after the step."""

    who: str
    now: Cells
    then: Cells

    @property
    def changes(self) -> bool:
        """Say whether the step changes anything for the group."""
        return self.now != self.then


def lines(now: Situation, then: Situation) -> list[Line]:
    """Compare two situations of the same experiment, group by group."""
    return [
        *(
            Line(
                who=f"{name}: {percent(weight)} of the {now.units} in the experiment",
                now=_of_variant(now, position),
                then=_of_variant(then, position),
            )
            for position, (name, weight) in enumerate(now.variants)
        ),
        *(
            Line(who=_words(group, now), now=_of_group(now, group), then=_of_group(then, group))
            for group in _groups(now)
        ),
    ]


def _groups(now: Situation) -> Iterator[Group]:
    if now.allocation < WHOLE or now.in_layer:
        yield Group.OUT_OF_TRAFFIC
    if now.is_targeted:
        yield Group.NOT_TARGETED
    if now.held_out:
        yield Group.HELD_OUT
    if now.overrides:
        yield Group.OVERRIDDEN


def _words(group: Group, now: Situation) -> str:
    match group:
        case Group.OUT_OF_TRAFFIC:
            share = f" ({percent(WHOLE - now.allocation)})" if not now.in_layer else ""
            return f"{now.units.capitalize()} outside its traffic{share}"
        case Group.NOT_TARGETED:
            return f"{now.units.capitalize()} who do not match the targeting"
        case Group.HELD_OUT:
            return f"{now.units.capitalize()} in the holdout ({percent(now.held_out)} of all)"
        case Group.OVERRIDDEN:
            return f"QA overrides ({now.overrides})"


def _of_variant(at: Situation, position: int) -> Cells:
    name = at.variants[position][0]
    match at.status:
        case Status.DRAFT:
            return Cells(sees="What your app shows by itself", analysed="No")
        case Status.RUNNING if at.is_new_phase:
            return Cells(sees=f"{name}, but other {at.units} than before", analysed="Yes, from now on, as a new phase")
        case Status.RUNNING:
            held = at.kind is ExperimentKind.HOLDOUT
            sees = (EVERYTHING if position else NOTHING) if held else name
            return Cells(sees=sees, analysed="Yes, from the first exposure on")
        case Status.PAUSED:
            return Cells(sees=at.without, analysed="Who was exposed before: yes, also while it is paused. Nobody new")
    analysed = "Yes, what happened up to the stop"
    if at.shipped and at.holdback and position == 0:
        analysed += "; those held back go on in the follow-up experiment"
    return Cells(sees=_shipped(at, of_control=position == 0), analysed=analysed)


def _shipped(at: Situation, *, of_control: bool) -> str:
    if at.shipped is None:
        return at.without
    if of_control and at.holdback:
        return f"{at.shipped}, except those held back ({percent(at.holdback)} of all): they keep {at.control}"
    if at.shipped_share < WHOLE:
        return f"{at.shipped} for {percent(at.shipped_share)} of all at first, {at.control} for the rest"
    return at.shipped


def _of_group(at: Situation, group: Group) -> Cells:
    if at.status is Status.DRAFT:
        return Cells(sees="What your app shows by itself", analysed="No")
    match group:
        case Group.HELD_OUT:
            return Cells(sees=at.control, analysed="In the holdout's own comparison alone")
        case Group.OVERRIDDEN:
            sees = "The variant set for each" if at.status is Status.RUNNING else _shipped(at, of_control=False)
            return Cells(sees=sees, analysed="Never")
        case Group.OUT_OF_TRAFFIC if at.shipped:
            return Cells(sees=_shipped(at, of_control=False), analysed="No")
    is_holdout = at.kind is ExperimentKind.HOLDOUT
    return Cells(sees=EVERYTHING if is_holdout else at.control, analysed="No")


def after_pause(now: Situation) -> Situation:
    """Return the situation once paused."""
    return replace(now, status=Status.PAUSED)


def after_resume(now: Situation) -> Situation:
    """Return the situation once it runs again."""
    return replace(now, status=Status.RUNNING)


def after_stop(now: Situation) -> Situation:
    """Return the situation once stopped without shipping."""
    return replace(now, status=Status.STOPPED, shipped=None)


def after_ship(now: Situation, variant: str, *, share: int, holdback: int) -> Situation:
    """Return the situation once ``variant`` is shipped to ``share`` of all, with ``holdback`` kept on the control."""
    return replace(now, status=Status.STOPPED, shipped=variant, shipped_share=share, holdback=holdback)
