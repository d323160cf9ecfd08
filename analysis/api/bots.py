"""Bots over the API: implausible rates, and the rule that leaves their units out of results."""

from datetime import date, datetime
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.bots import excluding
from analysis.bots.excluding import Limits, OfExperiment
from analysis.bots.flagging import MANY_A_DAY, MANY_A_MINUTE
from analysis.bots.forms import MOST
from analysis.models import BotDay
from experiments.api.fields import Taken, Why
from experiments.api.operations import Call, Operation

DayLimit = Annotated[int, Meta(ge=MANY_A_DAY, le=MOST)]
MinuteLimit = Annotated[int, Meta(ge=MANY_A_MINUTE, le=MOST)]


class BotLimits(Taken, frozen=True, kw_only=True):
    """The most events that are believed of one unit in a day and in a minute."""

    most_a_day: DayLimit
    most_a_minute: MinuteLimit
    why: Why = ""


class TriedLimits(Taken, frozen=True, kw_only=True):
    """Limits to try; left out, those of the rule, or the lowest."""

    most_a_day: DayLimit | None = None
    most_a_minute: MinuteLimit | None = None


class BotRuleAnswer(Struct, frozen=True, kw_only=True):
    """The rule, or what is tried. ``on`` says whether results follow it."""

    on: bool
    most_a_day: int
    most_a_minute: int
    switched_on_at: datetime | None


class BotAnswer(Struct, frozen=True, kw_only=True):
    """A unit that sent implausibly many events on a day."""

    unit: str
    unit_type: str
    day: date
    events: int
    busiest_minute: int


class LeftOutOfVariant(Struct, frozen=True, kw_only=True):
    """How many of a variant's enrolled units are beyond the limits."""

    variant: str
    left_out: int
    enrolled: int


class LeftOutOfExperiment(Struct, frozen=True, kw_only=True):
    """What the limits would leave out of a running experiment."""

    experiment: str
    variants: list[LeftOutOfVariant]


class Bots(Struct, frozen=True, kw_only=True):
    """The rule, what the limits would leave out of running experiments, and implausible rates of two weeks."""

    rule: BotRuleAnswer
    tried: BotRuleAnswer
    preview: list[LeftOutOfExperiment]
    seen: list[BotAnswer]


def show(call: Call) -> Bots:
    """Return the rule with its evidence, and what other limits would leave out."""
    query: TriedLimits = call.query
    rule = _rule(call)
    tried = Limits(
        most_a_day=query.most_a_day or rule.most_a_day, most_a_minute=query.most_a_minute or rule.most_a_minute
    )
    return Bots(
        rule=rule,
        tried=BotRuleAnswer(
            on=False, most_a_day=tried.most_a_day, most_a_minute=tried.most_a_minute, switched_on_at=None
        ),
        preview=[_left_out(one) for one in excluding.preview(call.project, tried)],
        seen=[_seen(one) for one in excluding.evidence(call.project, timezone.now().date())],
    )


def put(call: Call, body: BotLimits) -> BotRuleAnswer:
    """Leave units beyond the limits out of results."""
    limits = Limits(most_a_day=body.most_a_day, most_a_minute=body.most_a_minute)
    excluding.switch_on(call.project, None, limits, timezone.now(), body.why)
    return _rule(call)


def delete(call: Call) -> BotRuleAnswer:
    """Let all units count again."""
    excluding.switch_off(call.project, None)
    return _rule(call)


def _rule(call: Call) -> BotRuleAnswer:
    rule = excluding.rule_of(call.project)
    if rule is None:
        return BotRuleAnswer(on=False, most_a_day=MANY_A_DAY, most_a_minute=MANY_A_MINUTE, switched_on_at=None)
    return BotRuleAnswer(
        on=True, most_a_day=rule.most_a_day, most_a_minute=rule.most_a_minute, switched_on_at=rule.switched_on_at
    )


def _left_out(one: OfExperiment) -> LeftOutOfExperiment:
    keys = one.experiment.variants.order_by("position", "pk").values_list("key", flat=True)
    return LeftOutOfExperiment(
        experiment=one.experiment.key,
        variants=[
            LeftOutOfVariant(variant=key, left_out=out, enrolled=units)
            for key, (_, out, units) in zip(keys, one.variants, strict=True)
        ],
    )


def _seen(one: BotDay) -> BotAnswer:
    return BotAnswer(unit=one.unit, unit_type=one.unit_type, day=one.day, events=one.events, busiest_minute=one.busiest)


OPERATIONS = [
    Operation(
        method="GET",
        path="/data-quality/bots",
        summary="Read implausible rates, the rule for bots, and what it or other limits leave out",
        handle=show,
        answers=Bots,
        query=TriedLimits,
    ),
    Operation(
        method="PUT",
        path="/data-quality/bots",
        summary="Leave units with implausible rates out of results",
        handle=put,
        takes=BotLimits,
        answers=BotRuleAnswer,
    ),
    Operation(
        method="DELETE",
        path="/data-quality/bots",
        summary="Let units with implausible rates count again",
        handle=delete,
        answers=BotRuleAnswer,
    ),
]
