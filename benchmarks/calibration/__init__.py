"""Seeded simulations of every method, by name; `python -m benchmarks.calibration` runs them."""

from benchmarks.calibration import (
    alarms,
    chain,
    comparing,
    deciding,
    deeper,
    estimating,
    evidence,
    experience,
    looking,
    planned,
    programme,
    quality,
)
from benchmarks.calibration.figures import Scenario, registered

MODULES = (
    comparing,
    estimating,
    planned,
    looking,
    deciding,
    alarms,
    deeper,
    evidence,
    experience,
    chain,
    programme,
    quality,
)
SCENARIOS: dict[str, Scenario] = {
    one.__name__: one for module in MODULES for one in registered() if one.__module__ == module.__name__
}
