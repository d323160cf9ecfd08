"""Template filters for numbers as people read them: true minus, fixed precision, words for what is unknown."""

import json
from datetime import UTC, date, datetime

from django import template

from experiments.domain.metrics import DisplayUnit

register = template.Library()

MINUS = "\u2212"
NO_BREAK = "\u00a0"
UNKNOWN = "–"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}


def _signed(number: float, digits: int) -> str:
    text = f"{abs(number):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return f"{'+' if number > 0 else MINUS}{text}"


def _plain(number: float, digits: int) -> str:
    text = _signed(number, digits)
    return text.removeprefix("+")


@register.filter
def percent(share: float | None, digits: int = 2) -> str:
    """Write a share: 0.1204 is 12.04%."""
    return UNKNOWN if share is None else f"{_plain(share * 100, digits)}%"


@register.filter
def weight(ten_thousandths: int) -> str:
    """Write a weight or margin kept in ten-thousandths: 5000 is 50%."""
    return f"{ten_thousandths / 100:g}%"


@register.filter
def lift(change: float | None, digits: int = 1) -> str:
    """Write a relative change with its sign: 0.056 is +5.6%."""
    return UNKNOWN if change is None else f"{_signed(change * 100, digits)}%"


@register.filter
def level(alpha: float) -> str:
    """Write the level of an interval: 0.05 is 95%."""
    return f"{100 * (1 - alpha):.4g}%"


@register.filter
def bounds(interval: tuple[float | None, float | None] | None, digits: int = 1) -> str:
    """Write an interval of relative changes: +2.1% to +9.2%; an open end in words."""
    if interval is None:
        return ""
    low, high = interval
    if low is None and high is None:
        return "any size"
    if low is None:
        return f"up to {lift(high, digits)}"
    if high is None:
        return f"{lift(low, digits)} or more"
    return f"{lift(low, digits)} to {lift(high, digits)}"


@register.filter
def p_value(p: float | None) -> str:
    """Write a p-value: three decimals while small, two when large, never 0."""
    if p is None:
        return UNKNOWN
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


@register.filter
def p_said(p: float | None) -> str:
    """Write a p-value within a sentence: p = 0.02, p < 0.001."""
    written = p_value(p)
    return f"p < {written[1:]}" if written.startswith("<") else f"p = {written}"


@register.filter
def number(count: float | None) -> str:
    """Write a count with separators."""
    return UNKNOWN if count is None else f"{count:,.0f}"


@register.filter
def money(amount: float | None, currency: str = "EUR") -> str:
    """Write an amount: €18.42; a currency without a common symbol by its code."""
    if amount is None:
        return UNKNOWN
    text = f"{abs(amount):,.2f}"
    sign = MINUS if amount < 0 and text.strip("0.,") else ""
    return f"{sign}{SYMBOLS[currency]}{text}" if currency in SYMBOLS else f"{sign}{text} {currency}"


@register.filter
def duration(milliseconds: float | None) -> str:
    """Write a duration: 184 ms, and 1.84 s from a second on; a line never breaks before the unit."""
    if milliseconds is None:
        return UNKNOWN
    if abs(milliseconds) >= 1000:
        return f"{_plain(milliseconds / 1000, 2)}{NO_BREAK}s"
    return f"{_plain(milliseconds, 0 if abs(milliseconds) >= 100 else 1)}{NO_BREAK}ms"


def quantity(value: float | None, unit: str, currency: str) -> str:
    """Write a metric's value in its own unit."""
    match unit:
        case DisplayUnit.PERCENT:
            return percent(value)
        case DisplayUnit.CURRENCY:
            return money(value, currency)
        case DisplayUnit.MILLISECONDS:
            return duration(value)
        case _:
            return UNKNOWN if value is None else _plain(value, 3 if abs(value) < 10 else 1)


def change(difference: float | None, unit: str, currency: str) -> str:
    """Write a difference in the metric's own unit, with its sign; shares differ by percentage points."""
    if difference is None:
        return UNKNOWN
    if unit == DisplayUnit.PERCENT:
        return f"{_signed(difference * 100, 2)}{NO_BREAK}pt"
    text = quantity(abs(difference), unit, currency)
    if not text.strip(f"0., {NO_BREAK}€$£¥₹sm{currency}"):
        return text
    return f"{'+' if difference > 0 else MINUS}{text}"


@register.filter
def moment(at: datetime | None) -> str:
    """Write a moment in UTC: 3 Mar 2026, 06:00 UTC."""
    if at is None:
        return UNKNOWN
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


@register.filter
def day(on: date | None) -> str:
    """Write a day: 3 Mar 2026."""
    return UNKNOWN if on is None else f"{on.day} {on:%b %Y}"


@register.filter
def decimals(value: float | None, digits: int = 2) -> str:
    """Write a number with a fixed count of decimals."""
    return UNKNOWN if value is None else _plain(value, digits)


@register.filter(name="json")
def as_json(value: object) -> str:
    """Write a value as apps receive it."""
    return json.dumps(value, ensure_ascii=False)


GLYPHS = {"good": "✓", "bad": "!", "warn": "!", "flat": "–"}


@register.filter
def glyph(tone: str) -> str:
    """Return the sign that stands beside a tone's words, so that colour is never alone."""
    return GLYPHS.get(tone, "–")


SEVERITY_TONES = {"urgent": "bad", "warning": "warn", "note": "flat"}


@register.filter
def severity_tone(severity: str) -> str:
    """Return the tone in which an alert of this severity is shown."""
    return SEVERITY_TONES.get(severity, "flat")


@register.filter
def tick(value: float) -> str:
    """Write a label of an axis of relative changes, with no more decimals than it needs."""
    digits = next((d for d in (0, 1) if abs(value * 100 - round(value * 100, d)) < 1e-9), 2)
    return lift(value, digits)


@register.filter
def sentence(text: str) -> str:
    """End a text with a full stop, so that another sentence can follow; nothing stays nothing."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
