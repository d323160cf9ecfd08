"""What a programme says, in sentences: no Greek, no false precision, and what to do next."""

import math
from collections.abc import Sequence

from analysis.decisions.wording import inside, listed, number
from analysis.programme.schema import ProxyFinding, SlopeFact, Trust
from analysis.results.schema import Interval
from experiments.pages.formats import MINUS, bounds


def slope(value: float | None) -> str:
    """Write a slope as the per cent that follow one per cent: +0.42%."""
    if value is None:
        return "–"
    text = f"{abs(value):.2f}"
    return f"{'' if float(text) == 0 else '+' if value > 0 else MINUS}{text}%"


def span(found: SlopeFact) -> str:
    """Write what a slope may be: an interval, an open end, or everything but a stretch."""
    if found.interval is None:
        return ""
    low, high = found.interval
    if found.excluded:
        return f"anything but {slope(low)} to {slope(high)}"
    return ends(low, high)


def ends(low: float | None, high: float | None) -> str:
    """Write two ends of which each may be open."""
    if low is None and high is None:
        return "any size"
    if low is None:
        return f"up to {slope(high)}"
    if high is None:
        return f"{slope(low)} or more"
    return f"{slope(low)} to {slope(high)}"


def has_meant(proxy: str, business: str, found: SlopeFact) -> str:
    """Write a slope as a sentence without its full stop."""
    inner = span(found)
    bracket = f" ({inner})" if inner else ""
    return f"+1% {inside(proxy)} has meant {slope(found.value)} {inside(business)}{bracket}"


def missing(experiments: int, more: int | None) -> str:
    """Say what is lacking where no slope can be told."""
    if more is None:
        return (
            f"Not identified: over {_experiments(experiments)} its effects spread no more than their noise. "
            "More of the same will not help; larger experiments or bolder changes will."
        )
    return f"Not identified yet: about {rounded(more):,} more experiments of this size are needed."


def of_proxy(proxy: str, business: str, trust: Trust, found: ProxyFinding) -> str:
    """Say in a sentence or two whether a proxy may stand in for the business metric."""
    meant = has_meant(proxy, business, found.corrected)
    match trust:
        case Trust.UNIDENTIFIED:
            return missing(found.experiments, found.missing)
        case Trust.TRUSTED:
            return f"{meant}."
        case Trust.HINTED:
            return f"{meant}: by itself that would be clear, but one of several proxies looks so by chance."
        case Trust.MISLEADING:
            return f"{meant}: a gain here has gone with a loss there."
        case _:
            return f"{meant}: no link can be seen.{_fooled(found)}"


def _fooled(found: ProxyFinding) -> str:
    """Say what the line that everybody draws would have claimed, where it claims anything."""
    ends = found.naive.interval
    if ends is None or ends[0] is None or ends[1] is None or ends[0] <= 0 <= ends[1]:
        return ""
    return f" The naive line says {slope(found.naive.value)}: that is how users differ, not what changes do."


def headline(business: str, findings: Sequence[ProxyFinding]) -> tuple[str, str]:
    """Return the answer in one sentence, and what stands behind it."""
    name = inside(business)
    trusted = [inside(one.name) for one in findings if one.trust is Trust.TRUSTED]
    against = [inside(one.name) for one in findings if one.trust is Trust.MISLEADING]
    without = [inside(one.name) for one in findings if one.trust in (Trust.UNRELATED, Trust.HINTED)]
    unknown = [inside(one.name) for one in findings if one.trust is Trust.UNIDENTIFIED]
    if trusted:
        said = f"A gain in {_few(trusted)} has meant a gain in {name}."
    elif without or against:
        said = f"No proxy can be trusted for {name}."
    else:
        said = f"It cannot be told yet which proxy can be trusted for {name}."
    rest = []
    if against:
        rest.append(f"{_opened(against)} pointed the wrong way.")
    if without:
        rest.append(f"For {_few(without)} no link was shown.")
    if unknown:
        rest.append(f"{_opened(unknown)} {'needs' if len(unknown) == 1 else 'need'} more experiments.")
    return said, " ".join(rest)


def _few(names: list[str], most: int = 3) -> str:
    return listed(names if len(names) <= most else [*names[:most], f"{len(names) - most} more"])


def _opened(names: list[str]) -> str:
    text = _few(names)
    return text[:1].upper() + text[1:]


def rounded(count: int) -> int:
    """Round a rough count to two digits: it rests on an estimated signal."""
    return round(count, min(0, 2 - len(str(count))))


def _experiments(count: int) -> str:
    return f"{count:,} experiment{'' if count == 1 else 's'}"


def points(value: float) -> str:
    """Write an offline gain in points: 0.01 is +1 point."""
    shown = number(abs(100 * value))
    return f"{'+' if value >= 0 else MINUS}{shown} point{'' if shown == '1' else 's'}"


def lifts(interval: Interval | None) -> str:
    """Write an interval of log lifts as relative changes."""
    return bounds(as_lifts(interval), 2)


def as_lifts(interval: Interval | None) -> Interval | None:
    """Return relative changes from log lifts."""
    if interval is None:
        return None
    low, high = interval
    return (None if low is None else math.expm1(low), None if high is None else math.expm1(high))
