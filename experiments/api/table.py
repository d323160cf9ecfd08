"""Every operation on what is set up."""

from experiments.api import (
    business,
    conditions,
    filing,
    flags,
    holdouts,
    layers,
    metrics,
    model_versions,
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
    *business.OPERATIONS,
    *model_versions.OPERATIONS,
    *trail.OPERATIONS,
]
