"""Every threshold of the decisions in one frozen object, each with its reason."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of ``analysis.decisions``; ``DEFAULTS`` holds the ones in use."""

    min_units: int = 100
    """Fewest units in each variant for any reading: below, one unit weighs a percent and means are not normal."""

    min_expected_conversions: float = 10.0
    """Fewest successes (and failures) of a proportion expected in each variant if both had the pooled rate. Expected
    and not observed, so that 0 errors against 40 is read and not waited for."""

    interim_alpha: float = 0.001
    """Two-sided level of the test for harm before the planned end. A bar this high leaves the risk at the planned end
    all but untouched, however often one looks (Haybittle 1971; Peto et al. 1976)."""

    max_quarantined_share: float = 0.01
    """Above this share of units seen in two variants, leaving them out may itself move a metric by about as much as the
    changes that experiments look for."""

    stale_after: timedelta = timedelta(hours=2)
    """Older data than this in a running experiment means that something does not flow (folding is due in minutes)."""

    gap_needs_daily_units: int = 10
    """A day without a new unit is a gap only where the median day brings at least this many."""

    horizon_grace: timedelta = timedelta(hours=1)
    """An experiment stopped by hand or by a clock this much before its last planned hour has still run as planned."""


DEFAULTS = Rules()
