"""What to believe of a change before any data, where a project's past is too short to learn it from."""

from analysis.stats.shrinkage import Prior

SPREAD = 0.10
"""Standard deviation of true log changes: a choice, not a finding. Nineteen of twenty true changes then lie within
about 20 %: wide enough to let a large effect speak, narrow enough to doubt a doubling that a few dozen units show."""

WEAK = Prior(mean=0.0, variance=SPREAD**2)
