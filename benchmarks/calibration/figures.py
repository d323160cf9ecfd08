"""One measured figure with what it must be, and how a scenario is registered."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

LOWEST, HIGHEST = -math.inf, math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured. ``control`` marks a negative control: a naive method that must fail as predicted."""

    method: str
    scenario: str
    what: str
    measured: float
    low: float = LOWEST
    high: float = HIGHEST
    runs: int = 0
    control: bool = False

    @property
    def passed(self) -> bool:
        """Say whether the figure is where it must be (NaN never is)."""
        return self.low <= self.measured <= self.high

    @property
    def tolerance(self) -> str:
        """Write the range."""
        if self.low == LOWEST:
            return f"≤ {_number(self.high)}"
        if self.high == HIGHEST:
            return f"≥ {_number(self.low)}"
        return _number(self.low) if self.low == self.high else f"{_number(self.low)} to {_number(self.high)}"

    @property
    def shown(self) -> str:
        """Write the measured figure."""
        return _number(self.measured)


Scenario = Callable[[], Iterable[Figure]]
_REGISTERED: list[Scenario] = []


def scenario(function: Scenario) -> Scenario:
    """Register a scenario; each seeds its own generator by its name, so that none depends on another."""
    _REGISTERED.append(function)
    return function


def seeded(name: str) -> np.random.Generator:
    """Return the generator of a scenario."""
    return np.random.default_rng([2026, *name.encode()])


def tolerance(p: float, runs: int) -> float:
    """Return three standard errors of a share estimated from independent runs."""
    return 3 * math.sqrt(p * (1 - p) / runs)


def near(p: float, runs: int) -> dict[str, float]:
    """Return the range of a share that should be ``p``."""
    return {"low": p - tolerance(p, runs), "high": p + tolerance(p, runs)}


def at_most(p: float, runs: int) -> dict[str, float]:
    """Return the range of a share that should be ``p`` at most."""
    return {"high": p + tolerance(p, runs)}


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.5f}" if abs(value) < 0.01 else f"{value:.4f}"


def registered() -> tuple[Scenario, ...]:
    """Return every scenario of the modules imported so far."""
    return tuple(_REGISTERED)
