"""What an experiment can begin from: a set-up without results, salt and units. Four come with the product."""

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from experiments.domain.environments import Environment
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import DisplayUnit, MetricRole
from experiments.domain.shares import WHOLE
from experiments.domain.units import UnitType


class VariantContent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variant; ``weight`` is in ten-thousandths."""

    key: str
    name: str
    weight: int
    value: Any = None


class UseContent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a metric, by its key, is for; a guardrail's ``margin`` is in ten-thousandths."""

    metric: str
    role: MetricRole
    margin: int | None = None


EVEN = (
    VariantContent(key="control", name="Control", weight=5000),
    VariantContent(key="treatment", name="Treatment", weight=5000),
)


class Content(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set-up. Shares are in ten-thousandths, as everywhere."""

    hypothesis: str = ""
    unit_type: UnitType = UnitType.USER
    planned_days: int = 14
    allocation: int = WHOLE
    reading: ReadingPlan = ReadingPlan.FIXED
    planned_units: int | None = None
    matters: int | None = None
    adjusted: bool = True
    variants: tuple[VariantContent, ...] = EVEN
    metrics: tuple[UseContent, ...] = ()
    targeting: dict[str, Any] = {}
    environments: tuple[Environment, ...] = tuple(Environment)
    respects_holdout: bool = True
    page_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A template that every project has. ``guardrails`` are the margins of metrics of a kind where lower is better."""

    key: str
    name: str
    description: str
    content: Content
    guardrails: dict[DisplayUnit, int]


def _named(control: str, treatment: str) -> tuple[VariantContent, ...]:
    return (
        VariantContent(key="control", name=control, weight=5000),
        VariantContent(key="treatment", name=treatment, weight=5000),
    )


SLOWER_BY = {DisplayUnit.MILLISECONDS: 500}
BUILT_IN: tuple[BuiltIn, ...] = (
    BuiltIn(
        key="ui-change",
        name="UI change",
        description="A page looks or works differently. Two weeks, once at the end; pages may not get 5 % slower.",
        content=Content(
            hypothesis="If we show …, then … rises, because people ….", variants=_named("Page as it is", "New page")
        ),
        guardrails=SLOWER_BY,
    ),
    BuiltIn(
        key="ranking-model",
        name="Ranking model",
        description="A new model version orders or recommends. Register both versions, and the result says whether the "
        "offline gain reached the business.",
        content=Content(
            hypothesis="If we rank by the new model version, then … rises, because it …. Offline it gained … in ….",
            planned_days=21,
            variants=_named("Model in production", "New model"),
        ),
        guardrails=SLOWER_BY,
    ),
    BuiltIn(
        key="pricing",
        name="Pricing",
        description="Prices, discounts or shipping costs. Four weeks, by account, so that nobody sees two prices; "
        "small losses matter here.",
        content=Content(
            hypothesis="If we charge …, then revenue rises, because …, while orders fall by less than ….",
            unit_type=UnitType.ACCOUNT,
            planned_days=28,
            matters=100,
            variants=_named("Price of today", "New price"),
        ),
        guardrails={DisplayUnit.PERCENT: 200},
    ),
    BuiltIn(
        key="e-mail",
        name="E-mail",
        description="Subject, content or time of a mail. Half of those who get it; one week is often enough.",
        content=Content(
            hypothesis="If we send …, then … rises, because …. Unsubscribing does not rise.",
            planned_days=7,
            variants=_named("Mail as it is", "New mail"),
        ),
        guardrails={DisplayUnit.PERCENT: 500},
    ),
)


def built_in(key: str) -> BuiltIn | None:
    """Return the template of this key that comes with the product."""
    return next((one for one in BUILT_IN if one.key == key), None)
