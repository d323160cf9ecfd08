"""Seeded simulations of every method, by name; `python -m benchmarks.calibration` runs them."""

from benchmarks.calibration import comparing, deciding, deeper, looking, planned
from benchmarks.calibration.figures import Scenario, registered

MODULES = (comparing, planned, looking, deciding, deeper)
SCENARIOS: dict[str, Scenario] = {one.__name__: one for one in registered()}
