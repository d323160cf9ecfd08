"""Servers of other projects that a benchmark runs beside Truelift's."""
