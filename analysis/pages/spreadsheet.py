"""A result as a table for spreadsheets: plain numbers, one row a metric and treatment."""

import csv
import io

from analysis.results.schema import Comparison, Interval, MetricResult, Results

COLUMNS = [
    "experiment", "as_of", "trustworthy", "metric", "role", "kind", "direction", "variant", "control", "n", "control_n",
    "value", "control_value", "difference", "difference_low", "difference_high", "lift", "lift_low", "lift_high",
    "p_value", "standard_error", "reading", "margin", "margin_crossed",
    "size", "reading_plan", "look", "boundary", "fixed_p_value", "fixed_lift_low", "fixed_lift_high",
    "definition", "version", "variance_reduction", "unadjusted_difference", "unadjusted_low", "unadjusted_high",
    "unadjusted_p_value", "uncapped_difference", "uncapped_low", "uncapped_high", "uncapped_p_value",
]  # fmt: skip


def as_csv(results: Results) -> str:
    """Return the whole table; a value that cannot be computed is an empty cell."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for metric in results.metrics:
        for comparison in metric.comparisons:
            writer.writerow([cell(value) for value in _row(results, metric, comparison)])
    return sheet.getvalue()


def _row(results: Results, metric: MetricResult, c: Comparison) -> list[object]:
    looks = results.looks
    return [
        results.experiment.key, results.as_of.isoformat(), results.health.trustworthy, metric.name, metric.role,
        metric.kind, metric.direction, c.variant, c.control, c.n, c.control_n, c.value, c.control_value, c.difference,
        *_ends(c.difference_interval), c.lift, *_ends(c.lift_interval), c.p_value, c.standard_error, c.reading.value,
        metric.margin, c.margin_crossed, c.size, looks.plan if looks else None, looks.look if looks else None,
        c.boundary, c.fixed_p_value, *_ends(c.fixed_lift_interval), metric.definition, metric.version,
        c.variance_reduction, *_beside(c, "unadjusted"), *_beside(c, "uncapped"),
    ]  # fmt: skip


def _beside(comparison: Comparison, way: str) -> tuple[float | None, ...]:
    found = next((one for one in comparison.beside if one.way == way), None)
    if found is None:
        return (None, None, None, None)
    return (found.difference, *_ends(found.difference_interval), found.p_value)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return interval or (None, None)


def cell(value: object) -> object:
    """Return a value as a cell that a spreadsheet shows and does not run."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    # A spreadsheet would run a text that begins like a formula.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
