"""How the risks of a decision are shared out over its metrics, so that the decision keeps them.

Ship when at least one success metric is significant, every guardrail is non-inferior, nothing deteriorates and the
quality checks pass. False ships: only success metrics multiply the chances, so they share alpha; all guardrails must
hold at once, so each keeps the whole alpha (intersection-union). Missed ships: every guardrail is one more thing that
may fail by chance, so each test gets a part of beta.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """The level of each test and the power each must be planned with.

    Attributes:
        success_alpha: two-sided, of each success metric in each comparison.
        guardrail_alpha: one-sided, of each non-inferiority test.
        deterioration_alpha: one-sided, of each test that nothing got worse.
        beta: of each success and guardrail test; plan each with power 1 - beta.
    """

    success_alpha: float
    guardrail_alpha: float
    deterioration_alpha: float
    beta: float

    @property
    def power(self) -> float:
        """Return the power that each metric is planned with."""
        return 1 - self.beta


def allot(
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    success_metrics: int,
    comparisons: int = 1,
    guardrails: int = 0,
    deterioration_risk: float = 0.0,
    deterioration_tests: int = 0,
) -> Allotment:
    """Share out alpha and beta.

    Args:
        alpha: risk of shipping without any effect.
        power: chance to ship a treatment that has the effect planned for and harms nothing.
        success_metrics: metrics of which one suffices.
        comparisons: treatments against the control.
        guardrails: metrics that must be shown to hold.
        deterioration_risk: total risk of a false alarm among the deterioration and quality tests; it is taken from
            beta, since a false alarm stops a good treatment.
        deterioration_tests: how many share that risk.

    Source: Schultzberg, Ankargren, Frånberg 2024, arXiv 2402.11609: alpha / (success x comparisons), guardrails
    unadjusted, beta / (G + 1).

    Raises:
        ValueError: no success metric, or a risk that leaves nothing for beta.
    """
    if success_metrics < 1 or comparisons < 1:
        raise ValueError(f"a decision needs a success metric and a treatment; got {success_metrics} and {comparisons}")
    beta = 1 - power - deterioration_risk
    if beta <= 0:
        raise ValueError(
            f"the risk of false alarms {deterioration_risk} is not below 1 - power = {1 - power:g}; lower one of them"
        )
    return Allotment(
        success_alpha=alpha / (success_metrics * comparisons),
        guardrail_alpha=alpha,
        deterioration_alpha=deterioration_risk / max(1, deterioration_tests),
        beta=beta / (guardrails + 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTests:
    """The p-values that the rule reads.

    Attributes:
        success: two-sided p-value and whether it is a gain, of each success metric.
        guardrails: one-sided non-inferiority p-values.
        deterioration: one-sided p-values for "got worse", of every metric.
        quality: whether each check passed.
    """

    success: Sequence[tuple[float, bool]]
    guardrails: Sequence[float] = ()
    deterioration: Sequence[float] = ()
    quality: Sequence[bool] = ()


def ships(tests: RuleTests, shares: Allotment) -> bool:
    """Apply the rule: one success, all guardrails held, nothing worse, quality passed."""
    gained = any(gain and p < shares.success_alpha for p, gain in tests.success)
    held = all(p < shares.guardrail_alpha for p in tests.guardrails)
    worse = any(p < shares.deterioration_alpha for p in tests.deterioration)
    return gained and held and not worse and all(tests.quality)
