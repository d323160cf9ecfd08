"""Drift of predicted scores over the API: what the section of the results page says."""

from datetime import date, datetime

from django.utils import timezone
from msgspec import Struct

from analysis.drifting.reading import Day, OfVariant, read
from analysis.drifting.wording import finding
from analysis.stats.drift import Drift, DriftSize
from analysis.stats.unavailable import NotComputable
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation
from experiments.models import Experiment


class DriftDay(Struct, frozen=True, kw_only=True):
    """One day's scores against the launch week's; ``not_known`` says why they cannot be compared.

    ``psi`` is the population stability index over the launch week's deciles, ``ks`` the largest distance between the
    two distribution functions, each with the probability that chance alone gives as much. ``shares`` of the day lie in
    the groups that held ``launch_shares``.
    """

    day: date
    units: int
    mean: float
    size: DriftSize
    psi: float | None
    psi_p_value: float | None
    ks: float | None
    ks_p_value: float | None
    shares: list[float]
    launch_shares: list[float]
    not_known: str | None


class DriftOfVariant(Struct, frozen=True, kw_only=True):
    """A variant's scores: its launch week, each day since, and how far the last two days both have moved."""

    variant: str
    model_version: str | None
    launch_units: int
    launch_mean: float | None
    lasting: DriftSize
    days: list[DriftDay]


class DriftAnswer(Struct, frozen=True, kw_only=True):
    """Whether predicted scores still spread as in the launch week; ``not_known`` says why nothing can be said.

    The launch week is half open.
    """

    headline: str | None
    explanation: str
    what_to_do: str
    launched: date | None
    launch_ends: date | None
    everywhere: bool
    variants: list[DriftOfVariant]
    not_known: str | None


def show(call: Call) -> DriftAnswer:
    """Return how far scores have moved since the launch week."""
    return answer(experiment_of(call), timezone.now())


def answer(experiment: Experiment, now: datetime) -> DriftAnswer:
    """Return what is to be said of an experiment's scores as they stand now."""
    found = read(experiment, now)
    if isinstance(found, NotComputable):
        return DriftAnswer(
            headline=None, explanation="", what_to_do="", launched=None, launch_ends=None, everywhere=False,
            variants=[], not_known=found.reason,
        )  # fmt: skip
    said = finding(found)
    return DriftAnswer(
        headline=said.headline,
        explanation=said.explanation,
        what_to_do=said.what_to_do,
        launched=found.launched,
        launch_ends=found.launch_ends,
        everywhere=found.everywhere,
        variants=[_variant(one) for one in found.variants if one.launch_units],
        not_known=None,
    )


def _variant(one: OfVariant) -> DriftOfVariant:
    return DriftOfVariant(
        variant=one.variant.key,
        model_version=one.model or None,
        launch_units=one.launch_units,
        launch_mean=one.launch_mean,
        lasting=one.lasting,
        days=[_day(day) for day in one.days],
    )


def _day(day: Day) -> DriftDay:
    known = day.found if isinstance(day.found, Drift) else None
    return DriftDay(
        day=day.day,
        units=day.units,
        mean=day.mean,
        size=day.size,
        psi=known.psi if known else None,
        psi_p_value=known.psi_p_value if known else None,
        ks=known.ks if known else None,
        ks_p_value=known.ks_p_value if known else None,
        shares=list(known.shares) if known else [],
        launch_shares=list(known.reference_shares) if known else [],
        not_known=day.found.reason if isinstance(day.found, NotComputable) else None,
    )


OPERATIONS = [
    Operation(
        method="GET",
        path="/experiments/{key}/drift",
        summary="Read whether predicted scores have moved since the launch week",
        handle=show,
        answers=DriftAnswer,
    ),
]
