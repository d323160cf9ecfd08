"""What e-mails add to the site's number formats: the recipient's own clock, counts, one-line headers."""

from datetime import datetime

from analysis.mail.schedule import find_zone


def moment(at: datetime | None, time_zone: str) -> str:
    """Write a moment on the recipient's clock: 3 Mar 2026, 07:00 (Europe/Berlin)."""
    if at is None:
        return "not known yet"
    local = at.astimezone(find_zone(time_zone))
    return f"{local.day} {local:%b %Y, %H:%M} ({time_zone})"


def day(at: datetime, time_zone: str) -> str:
    """Write the day of a moment on the recipient's calendar: Mon 2 Mar."""
    local = at.astimezone(find_zone(time_zone))
    return f"{local:%a} {local.day} {local:%b}"


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 user, 1,204 users."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(text: str, limit: int) -> str:
    """Return the text without line breaks and not longer than ``limit``: fit for a header."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
