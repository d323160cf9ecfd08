"""The report as aligned text for a terminal."""

from collections.abc import Sequence

from analysis.decisions import wording
from analysis.tables.report import Breakdown, Comparison, Interval, Metric, Report

_HEAD = (
    "metric",
    "role",
    "variant",
    "control",
    "treatment",
    "difference",
    "interval",
    "lift",
    "interval",
    "p",
    "reading",
)


def to_text(report: Report) -> str:
    """Write the verdict first, then the numbers, then what must be known about them."""
    health = report.health
    lines = [f"{report.verdict.decision.upper()}: {report.verdict.sentence}", ""]
    counts = ", ".join(f"{name} {units:,}" for name, units in health.srm.counts.items())
    split = "cannot be tested" if health.srm.p_value is None else f"split {wording.p_value(health.srm.p_value)}"
    lines += [f"{health.rows:,} rows. Units: {counts} ({split}).", ""]
    lines += table(_HEAD, [_row(metric, one) for metric in report.metrics for one in metric.comparisons])
    warned = [(metric, one) for metric in report.metrics for one in metric.comparisons if one.warnings]
    lines += _section("Warnings", health.warnings)
    lines += _section(
        "About the numbers", [f"{m.name}, {one.variant}: {said}" for m, one in warned for said in one.warnings]
    )
    lines += _section("What was done with the rows", health.notes)
    for one in report.segments:
        lines += _breakdown(one)
    return "\n".join([*lines, *_section("Why", report.verdict.reasons)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: words to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return ["  ".join(_cell(cell, widths[i], i) for i, cell in enumerate(row)).rstrip() for row in (head, *rows)]


def _cell(cell: str, width: int, position: int) -> str:
    return cell.ljust(width) if position < 3 else cell.rjust(width)


def _row(metric: Metric, one: Comparison) -> tuple[str, ...]:
    share = metric.type == "proportion"
    return (
        metric.name,
        metric.role,
        one.variant,
        value(one.control_mean, share=share),
        value(one.mean, share=share),
        value(one.difference, share=share, signed=True, unit=" pp"),
        interval(one.difference_interval, share=share, unit=" pp"),
        value(one.lift, share=True, signed=True),
        interval(one.lift_interval, share=True),
        "–" if one.p_value is None else f"{one.p_value:.2g}",
        f"{one.reading} ({wording.percent(1 - one.alpha)} interval)",
    )


def value(number: float | None, *, share: bool, signed: bool = False, unit: str = "%") -> str:
    """Write a number, or a dash where there is none; a share in percent (a difference of shares: ``unit`` pp)."""
    if number is None:
        return "–"
    shown = f"{number * 100 if share else number:{'+' if signed else ''},.4g}" + (unit if share else "")
    return shown.replace("-", "−")


def interval(bounds: Interval | None, *, share: bool, unit: str = "%") -> str:
    """Write an interval, or a dash where there is none."""
    if bounds is None:
        return "–"
    return " to ".join("no bound" if end is None else value(end, share=share, signed=True, unit=unit) for end in bounds)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"- {line}" for line in lines)] if lines else []


def _breakdown(one: Breakdown) -> list[str]:
    p = (
        "cannot be tested"
        if one.adjusted_p_value is None
        else f"{wording.p_value(one.adjusted_p_value)} after correction"
    )
    rows = [
        (
            level.level,
            f"{level.control_n:,}",
            f"{level.n:,}",
            value(level.difference, share=False, signed=True),
            interval(level.difference_interval, share=False),
            value(level.shrunk_difference, share=False, signed=True),
        )
        for level in one.levels
    ]
    head = (one.segment, "control n", "n", "difference", "interval", "shrunk")
    return ["", f"{one.metric} by {one.segment}, {one.variant} (do the levels differ? {p}):", *table(head, rows)]
