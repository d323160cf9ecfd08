"""The bar that says how precise a result is and when it will be as precise as planned."""

from dataclasses import dataclass

from analysis.results.precision import Precision, precision
from analysis.results.schema import Results
from experiments.domain.shares import WHOLE
from experiments.models import Experiment
from experiments.pages.formats import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionBar:
    """The bar in words. ``percent`` is how full it is."""

    sentence: str
    hint: str
    percent: int


def precision_bar(experiment: Experiment, results: Results) -> PrecisionBar | None:
    """Return the bar of a result, where there is anything to be precise about."""
    found = precision(results, experiment.matters / WHOLE if experiment.matters else None)
    if found is None:
        return None
    return PrecisionBar(sentence=_sentence(found), hint=_hint(found), percent=round(100 * found.done))


def _sentence(found: Precision) -> str:
    now = "not known within bounds yet" if found.now is None else f"known to {around(found.now)}"
    said = f"{found.metric} is {now}; "
    if found.over:
        return said + (f"{around(found.planned)} was planned." if found.done < 1 else "as precise as planned.")
    if found.done >= 1 or found.days_left == 0:
        return said + f"the planned {around(found.planned)} is reached."
    said += f"{around(found.planned)} is planned, "
    if found.never:
        return said + "and today’s traffic does not bring it within half a year."
    return said + ("in about 1 day." if found.days_left == 1 else f"in about {found.days_left} days.")


def _hint(found: Precision) -> str:
    if found.by_what_matters:
        return "Planned is what it takes to see the change that matters, four times out of five."
    return "Planned is what the units of the planned time bring. Twice as precise takes four times as many."


def around(half: float) -> str:
    """Write half an interval: ±1.8%."""
    size = 100 * half
    return f"±{percent(half, 1 if size >= 0.95 else 2)}"
