"""A summary of series as aligned text for a terminal, and the words of one series for every shape."""

from analysis.decisions import wording
from analysis.tables.summary import Series, Summary
from analysis.tables.text import table

HEAD = ("experiment", "metric", "variant", "dates", "difference at the end", "p at the end", "peeking", "always valid")


def to_text(found: Summary) -> str:
    """Write the sentence first, then one line a series, then what was left out."""
    lines = [found.sentence, "", *table(HEAD, [row(one) for one in found.series]), ""]
    if found.health.skipped_rows:
        lines.append(f"{found.health.skipped_rows:,} rows without n or variance were left out.")
    return "\n".join([*lines, *found.health.warnings])


def row(one: Series) -> tuple[str, ...]:
    """Return one series' cells under ``HEAD``."""
    last = one.looks[-1] if one.looks else None
    return (
        one.experiment or "–",
        one.metric or "–",
        one.variant,
        str(len(one.looks)),
        "–" if last is None or last.difference is None else f"{last.difference:+.4g}".replace("-", "−"),
        "–" if last is None or last.p_value is None else wording.p_value(last.p_value),
        f"called at {short(one.first_peek)}" if one.peeked else "never",
        f"called at {short(one.first_sequential)}" if one.sequential else "never",
    )


def short(date: str | None) -> str:
    """Write a date as it is, a number of days without its rounding."""
    try:
        return f"{float(date or ''):.6g}"
    except ValueError:
        return date or ""
