"""Move experiments on: start, pause, resume, stop, ship, withdraw, grow, deal anew."""

from collections.abc import Callable
from http import HTTPStatus

from experiments import lifecycle
from experiments.api.answers import bad_value, conflict
from experiments.api.fields import Reason, ReasonOnly, Share, ShareOrNone, Taken, Targeting, Why, WhyOnly
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation
from experiments.api.plans import show
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.lifecycle import TRANSITIONS, Step
from experiments.domain.ramps import RampStep
from experiments.domain.shares import WHOLE
from experiments.models import Experiment


class Shipping(Taken, frozen=True, kw_only=True):
    """Give everyone a variant, but for those held back, at once or by steps."""

    variant: str
    why: Reason
    holdback: ShareOrNone = 0
    ramp: list[RampStep] = []


class Growth(Taken, frozen=True, kw_only=True):
    """A larger share of the traffic."""

    traffic: Share
    why: Why = ""


class NewPhase(Taken, frozen=True, kw_only=True):
    """Deal every unit anew, with other weights (of all variants, by key), traffic or targeting."""

    why: Reason
    weights: dict[str, Share] | None = None
    traffic: Share | None = None
    targeting: Targeting | None = None


def start(call: Call, body: WhyOnly) -> ExperimentAnswer:
    """Start a draft."""
    return _moved(call, Step.START, lambda one: lifecycle.start(one, None, why=body.why))


def pause(call: Call, body: ReasonOnly) -> ExperimentAnswer:
    """Give everyone the control for a while."""
    return _moved(call, Step.PAUSE, lambda one: lifecycle.pause(one, None, body.why))


def resume(call: Call, body: WhyOnly) -> ExperimentAnswer:
    """Go on after a pause."""
    return _moved(call, Step.RESUME, lambda one: lifecycle.resume(one, None, body.why))


def stop(call: Call, body: ReasonOnly) -> ExperimentAnswer:
    """Stop for good."""
    return _moved(call, Step.STOP, lambda one: lifecycle.stop(one, None, body.why))


def _moved(call: Call, step: Step, move: Callable[[Experiment], bool]) -> ExperimentAnswer:
    """Make a move, or say why not; what is there already is answered as if it had been made now."""
    experiment = experiment_of(call)
    sources, target = TRANSITIONS[step]
    if experiment.status != target and experiment.status not in sources:
        message = f"{experiment.name} is {experiment.status}; only what is {' or '.join(sources)} can {step.value}."
        raise conflict(message, "wrong_status")
    if experiment.status != target:
        move(experiment)
    return experiment_answer(experiment)


def ship(call: Call, body: Shipping) -> ExperimentAnswer:
    """Stop it and give everyone a variant."""
    experiment = experiment_of(call)
    variant = experiment.variants.filter(key=body.variant).first()
    if variant is None:
        there = ", ".join(experiment.variants.values_list("key", flat=True))
        raise bad_value(f"{experiment.name} has no variant {body.variant[:60]!r}, only {there}.", "variant")
    lifecycle.ship(experiment, variant, body.holdback, None, body.why, body.ramp or None)
    return experiment_answer(experiment)


def withdraw(call: Call, body: ReasonOnly) -> ExperimentAnswer:
    """Take the shipped variant back."""
    experiment = experiment_of(call)
    lifecycle.withdraw(experiment, None, body.why)
    return experiment_answer(experiment)


def grow(call: Call, body: Growth) -> ExperimentAnswer:
    """Let a larger share take part."""
    experiment = experiment_of(call)
    lifecycle.grow_traffic(experiment, None, body.traffic, body.why)
    return experiment_answer(experiment)


def new_phase(call: Call, body: NewPhase) -> ExperimentAnswer:
    """Deal all units anew."""
    if body.weights is not None and sum(body.weights.values()) != WHOLE:
        total = sum(body.weights.values()) / 100
        raise bad_value(f"The weights add up to {total:g} %; they must add up to exactly 100 %.", "weights")
    experiment = experiment_of(call)
    lifecycle.new_phase(
        experiment, None, body.why, weights=body.weights, allocation=body.traffic, targeting=body.targeting
    )
    return experiment_answer(experiment)


def _step(path: str, summary: str, handle: Callable[..., object], takes: type[Taken]) -> Operation:
    return Operation(
        method="POST", path=f"/experiments/{{key}}/{path}", summary=summary, handle=handle,
        takes=takes, answers=ExperimentAnswer, current=show, status=HTTPStatus.OK,
    )  # fmt: skip


OPERATIONS = [
    _step("start", "Start a draft", start, WhyOnly),
    _step("pause", "Give everyone the control for a while", pause, ReasonOnly),
    _step("resume", "Go on after a pause", resume, WhyOnly),
    _step("stop", "Stop it for good", stop, ReasonOnly),
    _step("ship", "Give everyone a variant, but for a held-back share", ship, Shipping),
    _step("withdraw", "Take a shipped variant back", withdraw, ReasonOnly),
    _step("traffic", "Let a larger share of the traffic take part", grow, Growth),
    _step("phases", "Deal all units anew: results count from now on", new_phase, NewPhase),
]
