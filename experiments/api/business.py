"""What an experiment's metrics stand for, and what a gain is weighed against."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from experiments.api.fields import Taken
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation
from experiments.business import MOST_MONEY, MOST_UNITS, Terms, state
from experiments.domain.metrics import StandsFor
from experiments.models import Experiment

Cost = Annotated[int, Meta(ge=-MOST_MONEY, le=MOST_MONEY, description="Hundredths of the project's currency.")]
Value = Annotated[int, Meta(ge=1, le=MOST_MONEY, description="Hundredths of the project's currency.")]
Units = Annotated[int, Meta(ge=1, le=MOST_UNITS)]


class Business(Struct, frozen=True, kw_only=True):
    """What each metric of the plan stands for (null: its words decide), and the terms of a gain that pays."""

    stands_for: dict[str, StandsFor | None]
    monthly_cost: int | None
    monthly_units: int | None
    value_of_one: int | None


class BusinessChange(Taken, frozen=True, kw_only=True):
    """What is to be different; what is left out stays. Nothing here changes a number, only how numbers are read."""

    stands_for: dict[str, StandsFor | None] = {}
    monthly_cost: Cost | UnsetType | None = UNSET
    monthly_units: Units | UnsetType | None = UNSET
    value_of_one: Value | UnsetType | None = UNSET


def _answer(experiment: Experiment) -> Business:
    plan = experiment.plan.select_related("metric")
    return Business(
        stands_for={use.metric.key: StandsFor(use.stands_for) if use.stands_for else None for use in plan},
        monthly_cost=experiment.monthly_cost,
        monthly_units=experiment.monthly_units,
        value_of_one=experiment.value_of_one,
    )


def show(call: Call) -> Business:
    """Return what is stated."""
    return _answer(experiment_of(call))


def change(call: Call, body: BusinessChange) -> Business:
    """Say what metrics stand for and what a gain is weighed against."""
    experiment = experiment_of(call)
    given = {name: getattr(body, name) for name in ("monthly_cost", "monthly_units", "value_of_one")}
    terms = Terms(**{n: getattr(experiment, n) if value is UNSET else value for n, value in given.items()})
    state(experiment, None, body.stands_for, terms)
    return _answer(Experiment.objects.get(pk=experiment.pk))


OPERATIONS = [
    Operation(
        method="GET", path="/experiments/{key}/business", summary="Read what its metrics stand for", handle=show,
        answers=Business,
    ),
    Operation(
        method="PATCH", path="/experiments/{key}/business",
        summary="Say what its metrics stand for and what a gain must earn", handle=change, takes=BusinessChange,
        answers=Business, current=show,
    ),
]  # fmt: skip
