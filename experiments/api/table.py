"""Every operation on what is set up."""

from experiments.api import (
    catalogue,
    conditions,
    filing,
    flags,
    holdouts,
    layers,
    metrics,
    north_star,
    overrides,
    plans,
    rules,
    segments,
    steps,
    trail,
)

OPERATIONS = [
    *plans.OPERATIONS,
    *steps.OPERATIONS,
    *conditions.OPERATIONS,
    *overrides.OPERATIONS,
    *filing.OPERATIONS,
    *flags.OPERATIONS,
    *rules.OPERATIONS,
    *segments.OPERATIONS,
    *layers.OPERATIONS,
    *holdouts.OPERATIONS,
    *metrics.OPERATIONS,
    *north_star.OPERATIONS,
    *catalogue.OPERATIONS,
    *trail.OPERATIONS,
]
