"""Quarters of the calendar, in UTC, half open."""

import re
from datetime import UTC, datetime

WORD = re.compile(r"(\d{4})-Q([1-4])")


def of(moment: datetime) -> str:
    """Return the quarter that a moment lies in: 2026-Q4."""
    at = moment.astimezone(UTC)
    return f"{at.year}-Q{(at.month - 1) // 3 + 1}"


def bounds(word: str) -> tuple[datetime, datetime] | None:
    """Return a quarter's first moment and that of the next one; None for what is no quarter."""
    found = WORD.fullmatch(word)
    if found is None or not 1 <= int(found[1]) <= 9998:
        return None
    year, number = int(found[1]), int(found[2])
    following = (year, number + 1) if number < 4 else (year + 1, 1)
    return _first(year, number), _first(*following)


def between(first: datetime, last: datetime) -> list[str]:
    """Return the quarters from one moment to another, the newest first."""
    found: list[str] = []
    at = last
    while of(at) >= of(first) and len(found) < 40:
        found.append(of(at))
        span = bounds(found[-1])
        assert span is not None  # noqa: S101  (``of`` writes quarters)
        at = datetime.fromtimestamp(span[0].timestamp() - 1, UTC)
    return found


def _first(year: int, number: int) -> datetime:
    return datetime(year, 3 * number - 2, 1, tzinfo=UTC)
