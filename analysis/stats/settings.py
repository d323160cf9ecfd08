"""Every threshold of the statistics in one frozen object, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Thresholds of ``analysis.stats``; ``DEFAULTS`` holds the ones in use."""

    alpha: float = 0.05
    """Two-sided risk of calling a difference where there is none. The convention of the field."""

    srm_threshold: float = 0.001
    """A split is called broken below this p. Looked at daily for a month it gives about 1 % false alarms, and a broken
    split is worth that: no other number can be read beside it (Fabijan et al., KDD 2019, use .0005 to .001)."""

    srm_min_expected: float = 5.0
    """Fewest expected units in every variant for the chi-square approximation (Cochran 1954)."""

    small_cell: int = 20
    """Fewer successes or failures than this in a variant and the normal interval of a proportion is off in its tails;
    a score-type interval is shown beside it."""

    skew_warning: float = 0.03
    """|kappa| above which one tail of the test is off by about a quarter of a percentage point at 5 %."""

    skew_refusal: float = 0.12
    """|kappa| above which one tail is off by about one percentage point: nothing one-sided may be claimed."""

    denominator_warning: float = 0.001
    """p below which a ratio's reader is told that its denominator moved: as seldom wrong as the check of the split."""

    max_condition: float = 1e10
    """Largest condition number of the covariates' correlations; smaller directions only repeat the others, and slopes
    along them would be rounding."""

    covariate_imbalance: float = 3.29
    """|z| of a covariate's difference above which it was hardly measured before the exposure (p = .001, as a split)."""

    gain_worth_saying: float = 0.02
    """Share of variance below which an adjustment is said to gain almost nothing."""

    thin_stratum: int = 20
    """Fewer units of a stratum than this in a variant and its own variance is a guess; it is merged with others."""

    rows_beyond: int = 10
    """Rows beyond a quantile, in effective numbers, below which its interval rests on single values."""

    few_clusters: int = 40
    """Fewer units than this in a variant and the delta method's variance of a ratio is too small on average."""

    drift_least: int = 200
    """Fewest values on each side to compare distributions: some twenty in each of ten groups."""

    drift_slight: float = 0.10
    """Population stability index from which a distribution is said to have moved (Siddiqi, Credit Risk Scorecards,
    2006: below .10 no change, from .25 a major one)."""

    drift_large: float = 0.25
    """Index from which what was learned from the first days may not hold any more (Siddiqi 2006)."""

    drift_alpha: float = 0.001
    """p-value below which chance does not explain an index; looked at daily for a month, as the split."""

    check_alpha: float = 0.001
    """p-value below which a share of units that should not depend on the variant is called uneven: looked at daily for
    a month, as the split."""

    volume_z: float = 4.0
    """Standardised distance from which a volume is unusual. Real traffic has heavier tails than the normal law, and an
    hour must stay so for two in a row: measured in docs/notifications.md."""

    volume_change: float = 0.30
    """Least share of what is usual that is missing or too much before anybody is asked to look."""

    volume_least: int = 100
    """Fewest events, come or usual, of an hour or day worth judging."""


DEFAULTS = Settings()
