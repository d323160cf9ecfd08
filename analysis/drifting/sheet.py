"""Drift of predicted scores as a table for spreadsheets: one row a variant and day."""

import csv
import io

from analysis.drifting.reading import Day, OfVariant, Reading
from analysis.pages.spreadsheet import cell
from analysis.stats.drift import Drift

COLUMNS = [
    "experiment", "variant", "model_version", "day", "units", "mean", "launch_units", "launch_mean", "size", "psi",
    "psi_p_value", "ks", "ks_p_value", "not_known",
]  # fmt: skip


def as_csv(experiment: str, reading: Reading) -> str:
    """Return the whole table; what cannot be computed is an empty cell, with its reason in the last column."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in reading.variants:
        for on in one.days:
            writer.writerow([cell(value) for value in _row(experiment, one, on)])
    return sheet.getvalue()


def _row(experiment: str, one: OfVariant, on: Day) -> list[object]:
    found = on.found
    said = (
        [on.size.value, found.psi, found.psi_p_value, found.ks, found.ks_p_value, None]
        if isinstance(found, Drift)
        else [None, None, None, None, None, found.reason]
    )
    about = [experiment, one.variant.key, one.model, on.day.isoformat(), on.units, on.mean]
    return [*about, one.launch_units, one.launch_mean, *said]
