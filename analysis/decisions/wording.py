"""Numbers and names inside sentences: true minus, sensible rounding, no false precision."""

from experiments.domain.metrics import DisplayUnit

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_GENERIC = {"treatment", "variant", "b", "test", "on", "new", "variant b", "treatment b", "challenger"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(value: float, decimals: int | None = None) -> str:
    """Write a number with thousands separators; without ``decimals``, one decimal from 1 up, two digits below."""
    if decimals is None:
        decimals = _decimals(value)
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.{decimals}f}"
    return "0" if text in {"-0", "0"} else text.replace("-", "−")


def percent(share: float) -> str:
    """Write a fraction as a percentage: 0.0562 is 5.6%, 0.0046 is 0.46%."""
    return f"{number(100 * share)}%"


def signed_percent(share: float) -> str:
    """Write a change as a percentage with its sign."""
    text = percent(share)
    return text if text.startswith("−") or text == "0%" else f"+{text}"


def p_value(p: float) -> str:
    """Write a p-value: two significant digits, and no more than is meaningful at the small end."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def amount(value: float, unit: DisplayUnit, currency: str = "EUR") -> str:
    """Write a difference in a metric's own unit, without its sign."""
    size = abs(value)
    if unit is DisplayUnit.PERCENT:
        return f"{number(100 * size)} percentage points"
    if unit is DisplayUnit.CURRENCY:
        symbol = _SYMBOLS.get(currency)
        return f"{symbol}{number(size, 2)}" if symbol else f"{number(size, 2)} {currency}"
    return f"{number(size)} ms" if unit is DisplayUnit.MILLISECONDS else number(size)


def signed_amount(value: float, unit: DisplayUnit, currency: str = "EUR") -> str:
    """Write a difference in a metric's own unit with its sign."""
    return ("+" if value > 0 else "−" if value < 0 else "") + amount(value, unit, currency)


def units(count: int, unit_type: str) -> str:
    """Write a number of units: 1 user, 12,400 users."""
    return f"{count:,} {unit_type if count == 1 else unit_type + 's'}"


def inside(name: str) -> str:
    """Return a name as it stands inside a sentence: "Revenue per user" in lower case, "CTR" as it is."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def opening(text: str) -> str:
    """Return a text as it stands at the start of a sentence."""
    return text[:1].upper() + text[1:]


def listed(names: list[str]) -> str:
    """Join names: "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def is_generic(name: str) -> bool:
    """Say whether a variant's name says nothing outside its experiment ("Treatment")."""
    return name.strip().lower() in _GENERIC


def day(moment_day: int, month: int) -> str:
    """Write a date inside a sentence: 3 Mar."""
    return f"{moment_day} {_MONTHS[month - 1]}"


def _decimals(value: float) -> int:
    size = abs(value)
    if size >= 1000:
        return 0
    if size >= 0.995 or size == 0:
        return 1
    decimals = 2
    while decimals < 8 and round(size, decimals - 1) == 0:
        decimals += 1
    return decimals
