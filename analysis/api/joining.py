"""How exposures and events meet, over the API: what the page of the same name says, without ids."""

from django.utils import timezone
from msgspec import Struct

from analysis.joining.reading import Joining, read, shapes
from analysis.joining.wording import findings
from analysis.stats.left_out import Uneven
from analysis.stats.unavailable import NotComputable
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation


class SilentOfVariant(Struct, frozen=True, kw_only=True):
    """A variant's units that had a day to act, and those of them that sent nothing that a metric counts."""

    variant: str
    exposed: int
    silent: int


class MetAnswer(Struct, frozen=True, kw_only=True):
    """The newest events that metrics count, their units, and how ids look on both sides."""

    events: int
    without_unit: int
    units: int
    exposed_units: int
    by_other_id: int
    exposure_ids: str
    event_ids: str


class JoiningFinding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    key: str
    sentence: str
    what_to_do: str


class JoiningAnswer(Struct, frozen=True, kw_only=True):
    """How exposures and events meet; ``not_known`` says why that cannot be said."""

    findings: list[JoiningFinding]
    variants: list[SilentOfVariant]
    silent_p_value: float | None
    events_looked_for: list[str]
    newest: MetAnswer | None
    not_known: str | None


def show(call: Call) -> JoiningAnswer:
    """Return how exposures and events of an experiment meet."""
    found = read(experiment_of(call), timezone.now())
    if isinstance(found, NotComputable):
        return JoiningAnswer(
            findings=[], variants=[], silent_p_value=None, events_looked_for=[], newest=None, not_known=found.reason
        )
    return JoiningAnswer(
        findings=[
            JoiningFinding(key=one.key, sentence=one.sentence, what_to_do=one.what_to_do) for one in findings(found)
        ],
        variants=[SilentOfVariant(variant=one.key, exposed=one.exposed, silent=one.silent) for one in found.variants],
        silent_p_value=found.silence.p_value if isinstance(found.silence, Uneven) else None,
        events_looked_for=list(found.names),
        newest=_met(found),
        not_known=None,
    )


def _met(found: Joining) -> MetAnswer:
    exposures, events = shapes(found.met)
    return MetAnswer(
        events=found.met.events,
        without_unit=found.met.without_unit,
        units=found.met.units,
        exposed_units=found.met.exposed,
        by_other_id=found.met.by_other_id,
        exposure_ids=exposures,
        event_ids=events,
    )


OPERATIONS = [
    Operation(
        method="GET",
        path="/experiments/{key}/joining",
        summary="Read whether exposures and events of an experiment meet",
        handle=show,
        answers=JoiningAnswer,
    ),
]
