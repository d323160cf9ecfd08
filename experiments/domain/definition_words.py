"""A metric's definition in one plain sentence, so that everybody can check what is counted."""

from decimal import Decimal

from experiments.domain import filters as conditions
from experiments.domain.definitions import Definition
from experiments.domain.filters import Filter
from experiments.domain.metrics import MetricKind


def sentence(of: Definition, unit: str = "unit") -> str:
    """Return what the metric is, for people.

    >>> sentence(Definition(kind=MetricKind.PROPORTION, event="Order Completed", window_hours=168), "user")
    'Share of users with an Order Completed within 7 days of first exposure.'
    """
    return f"{_what(of, unit)}{_when(of)}{_cap(of, unit)}{_minimum(of, unit)}."


def _what(of: Definition, unit: str) -> str:
    event = of.event + conditions.in_words(of.filters)
    match of.kind:
        case MetricKind.PROPORTION | MetricKind.RETENTION:
            return f"Share of {unit}s with {_a(of.event)}{conditions.in_words(of.filters)}"
        case MetricKind.COUNT:
            return f"Number of {event} per {unit}"
        case MetricKind.SUM:
            refund = f", less {of.refund_property} of {of.refund_event}," if of.refund_event else ""
            return f"Total {of.property} of {event}{refund} per {unit}"
        case MetricKind.MEAN:
            return f"Average {of.property} of {event}"
        case MetricKind.RATIO:
            top = _side(of.event, of.property, of.filters)
            below = _side(of.denominator_event, of.denominator_property, of.denominator_filters)
            return f"{top} divided by {below[:1].lower()}{below[1:]}"
        case MetricKind.QUANTILE:
            return f"{percentile(of.level or 0).capitalize()} of {of.property} over all {event}"
        case MetricKind.DISTINCT:
            return f"Number of different {of.property} values of {event} per {unit}"
        case _:
            steps = ", then ".join(step.event + conditions.in_words(step.filters) for step in of.steps)
            return f"Share of {unit}s with {steps}, in this order"


def _side(event: str, name: str, filters: tuple[Filter, ...]) -> str:
    what = f"Total {name} of {event}" if name else f"Number of {event}"
    return what + conditions.in_words(filters)


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _when(of: Definition) -> str:
    if of.window_hours is None:
        return f" from {time(of.delay_hours)} after first exposure on" if of.delay_hours else ""
    if not of.delay_hours:
        return f" within {time(of.window_hours)} of first exposure"
    return f" between {time(of.delay_hours)} and {time(of.delay_hours + of.window_hours)} after first exposure"


def _cap(of: Definition, unit: str) -> str:
    if of.cap_value is not None:
        return f", at most {plain(of.cap_value)} for each {unit}"
    if of.cap_share is not None:
        return f", no {unit} above the {percentile(of.cap_share)} of all {unit}s"
    return ""


def _minimum(of: Definition, unit: str) -> str:
    if of.minimum_hours <= of.delay_hours + (of.window_hours or 0):
        return ""
    return f"; only {unit}s that have been in for at least {time(of.minimum_hours)}"


def differences(before: Definition, after: Definition) -> list[tuple[str, str, str]]:
    """Return what is different between two definitions: (part, before, after), in words."""
    first, second = _parts(before), _parts(after)
    return [(name, first[name] or NOTHING, second[name] or NOTHING) for name in first if first[name] != second[name]]


def _parts(of: Definition) -> dict[str, str]:
    return {
        "Kind": of.kind.value,
        "Event": of.event,
        "Property": of.property,
        "Filters": conditions.in_words(of.filters).removeprefix(" where "),
        "Divided by": _side(of.denominator_event, of.denominator_property, of.denominator_filters)
        if of.denominator_event
        else "",
        "Refund": f"{of.refund_property} of {of.refund_event}" if of.refund_event else "",
        "Steps": ", then ".join(step.event + conditions.in_words(step.filters) for step in of.steps),
        "Quantile": percentile(of.level) if of.level else "",
        "Window": _when(of).strip(),
        "Only units that have been in for": time(of.minimum_hours) if of.minimum_hours else "",
        "Cap": _cap(of, "unit").removeprefix(", "),
        "Adjusted for the days before": time(24 * of.covariate_days) if of.covariate_days else "",
    }


NOTHING = "–"


def percentile(level: int) -> str:
    """Return a level in ten-thousandths in words: 9500 is the 95th percentile."""
    if level == 5000:
        return "median"
    number = f"{level / 100:g}"
    last = number.replace(".", "")[-1]
    tail = "th" if number[-2:-1] == "1" and "." not in number else {"1": "st", "2": "nd", "3": "rd"}.get(last, "th")
    return f"{number}{tail} percentile"


def time(hours: int) -> str:
    """Return a stretch of time as one says it: 168 hours are 7 days."""
    count, word = (hours // 24, "day") if hours and hours % 24 == 0 else (hours, "hour")
    return f"{count} {word}{'' if count == 1 else 's'}"


def plain(amount: Decimal) -> str:
    """Return an amount without zeros that say nothing."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
