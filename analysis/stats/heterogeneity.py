"""Does the effect differ between segments? They are formed by what was known before the exposure, or it is circular."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.stats.multiplicity import Correction, correct
from analysis.stats.shrinkage import Prior, Shrunk, shrink
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect with its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """Cochran's test that all segments share one effect.

    Attributes:
        statistic: Q = sum of ((effect - pooled) / se)²; chi-square with ``df`` if the effects are one.
        df: segments - 1.
        p_value: of one common effect.
        pooled: the effect weighted by precision.
        share: I², the part of the spread that is not noise, 0 to 1.
        shrunk: each segment's effect drawn towards the pooled one; show these, not the raw ones. Their standard errors
            count that the pooled effect is an estimate too: effects that do not differ are still not known for certain.
    """

    statistic: float
    df: int
    p_value: float
    pooled: Effect
    share: float
    shrunk: dict[str, Shrunk]


def heterogeneity(effects: Mapping[str, Effect | NotComputable]) -> Heterogeneity | NotComputable:
    """Test whether the effects differ between segments.

    Args:
        effects: of disjoint segments; those that could not be computed are left out.

    Source: Cochran 1954, Biometrics 10; I² after Higgins and Thompson 2002.
    """
    known = {name: one for name, one in effects.items() if isinstance(one, Effect) and one.standard_error > 0}
    if len(known) < 2:
        return NotComputable("fewer than two segments have an effect")
    weights = {name: 1 / one.standard_error**2 for name, one in known.items()}
    whole = sum(weights.values())
    centre = sum(weights[name] * one.value for name, one in known.items()) / whole
    q = sum(weights[name] * (one.value - centre) ** 2 for name, one in known.items())
    df = len(known) - 1
    spread = max(0.0, (q - df) / (whole - sum(w**2 for w in weights.values()) / whole))
    prior = Prior(mean=centre, variance=spread)
    centre_variance = 1 / whole + spread * sum(w**2 for w in weights.values()) / whole**2
    return Heterogeneity(
        statistic=q,
        df=df,
        p_value=float(stats.chi2.sf(q, df)),
        pooled=Effect(value=centre, standard_error=1 / math.sqrt(whole)),
        share=max(0.0, 1 - df / q) if q > 0 else 0.0,
        shrunk={name: _shrunk(one, prior, centre_variance) for name, one in known.items()},
    )


def _shrunk(one: Effect, prior: Prior, centre_variance: float) -> Shrunk:
    """Shrink, and add what the uncertain centre contributes (Morris 1983, JASA 78)."""
    bare = shrink(one.value, one.standard_error, prior)
    variance = bare.standard_error**2 + (1 - bare.weight) ** 2 * centre_variance
    return Shrunk(value=bare.value, standard_error=math.sqrt(variance), weight=bare.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One breakdown of one metric, with the p-value corrected over all that were looked at."""

    name: str
    found: Heterogeneity | NotComputable
    adjusted_p_value: float | None
    differs: bool


def explore(
    breakdowns: Sequence[tuple[str, Mapping[str, Effect | NotComputable]]],
    alpha: float = 0.05,
    correction: Correction = Correction.BENJAMINI_HOCHBERG,
) -> tuple[Dimension, ...]:
    """Test every dimension of every metric, with the false discovery rate kept over all of them together.

    Args:
        breakdowns: (name, effects by segment) for each dimension and metric.
        alpha: share of false calls that is accepted.
        correction: Benjamini-Hochberg unless the family calls for another.
    """
    found = [heterogeneity(effects) for _, effects in breakdowns]
    p_values = [one.p_value if isinstance(one, Heterogeneity) else None for one in found]
    family = correct(p_values, correction, alpha)
    return tuple(
        Dimension(name=name, found=one, adjusted_p_value=p, differs=called)
        for (name, _), one, p, called in zip(breakdowns, found, family.adjusted, family.called, strict=True)
    )
