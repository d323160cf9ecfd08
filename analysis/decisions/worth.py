"""Does the gain pay? What the business metric's change is a year in money, against what the treatment costs to run."""

from dataclasses import dataclass

from analysis.decisions import wording
from analysis.decisions.evidence import Judged
from analysis.results.chain import Worth, WorthSaid
from analysis.results.schema import Reading
from experiments.domain.metrics import Direction, DisplayUnit

MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the plan says of money.

    Attributes:
        monthly_cost: what the treatment costs more to run a month than the control; None where nobody said.
        monthly_units: units a month once everyone gets it.
        estimated: ``monthly_units`` was read from the experiment.
        value_of_one: what one of the business metric is worth in money; None where that is not money and nobody said.
    """

    monthly_cost: float | None
    monthly_units: int
    estimated: bool
    value_of_one: float | None = None


def worth(judged: Judged, terms: Terms, currency: str, unit_type: str) -> Worth | None:
    """Weigh a business metric's change against the cost; None where it has no interval or no value in money.

    Impact a year = 12 * units a month * (change a unit) * (value of one) - 12 * cost a month, at both ends of the
    interval; the effect is taken to last as it was measured. A gain pays where even the lower end does, and does not
    where even the upper end does not; without a stated cost nothing is said to pay.
    """
    found = judged.comparison
    value = 1.0 if judged.plan.display_unit is DisplayUnit.CURRENCY else terms.value_of_one
    if value is None or found.difference is None or found.difference_interval is None or not terms.monthly_units:
        return None
    if judged.reading in (Reading.TOO_EARLY, Reading.NOT_TRUSTWORTHY):
        return None
    sign = 1 if judged.plan.direction is Direction.INCREASE else -1
    scale, cost = sign * value * terms.monthly_units * MONTHS, (terms.monthly_cost or 0.0) * MONTHS
    low, high = (None if end is None else scale * end - cost for end in found.difference_interval)
    low, high = (low, high) if sign > 0 else (high, low)
    said = _said(low, high, terms)
    yearly = scale * found.difference - cost
    return Worth(
        said=said,
        metric=judged.plan.key,
        sentence=_sentence(said, terms, (low, high), currency, unit_type),
        currency=currency,
        smallest_lift=smallest_lift(judged, terms, value),
        yearly=yearly,
        yearly_interval=(low, high),
        yearly_cost=cost,
        monthly_units=terms.monthly_units,
        estimated_units=terms.estimated,
    )


def smallest_lift(judged: Judged, terms: Terms, value: float) -> float | None:
    """Return the gain that pays for the cost, as a fraction of the control's value; None where that is not known."""
    base = judged.comparison.control_value
    if terms.monthly_cost is None or base is None or base * value <= 0 or not terms.monthly_units:
        return None
    return terms.monthly_cost / (terms.monthly_units * base * value)


def money(amount: float, currency: str) -> str:
    """Write a large amount of money shortly: €1.2M, −€340k."""
    size = abs(amount)
    for least, mark in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if size >= 0.9995 * least:
            scaled = size / least
            text = f"{scaled:.1f}" if scaled < 9.95 else f"{scaled:,.0f}"
            return _with_sign(amount, f"{_symbol(currency)}{text}{mark}")
    return _with_sign(round(amount), f"{_symbol(currency)}{size:,.0f}")


def _with_sign(amount: float, text: str) -> str:
    return f"−{text}" if amount < 0 else text


def _symbol(currency: str) -> str:
    return {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}.get(currency, f"{currency} ")


def _said(low: float | None, high: float | None, terms: Terms) -> WorthSaid:
    if low is not None and low > 0 and terms.monthly_cost is not None:
        return WorthSaid.WORTH
    if high is not None and high <= 0:
        return WorthSaid.NOT_WORTH
    return WorthSaid.CANNOT_TELL


def _sentence(
    said: WorthSaid, terms: Terms, interval: tuple[float | None, float | None], currency: str, unit_type: str
) -> str:
    low, high = ("no bound" if end is None else money(end, currency) for end in interval)
    what = f"{low} to {high} a year at {wording.units(terms.monthly_units, unit_type)} a month"
    if terms.monthly_cost is None:
        return f"{what}, before what it costs to run, which nobody has stated."
    cost = f"after {money(terms.monthly_cost * MONTHS, currency)} a year to run it"
    told = {
        WorthSaid.WORTH: "Even the lower end pays",
        WorthSaid.NOT_WORTH: "Even the upper end does not pay",
        WorthSaid.CANNOT_TELL: "It may pay or not",
    }[said]
    return f"{told}: {what}, {cost}."
