"""How the risk of a false alarm is shared out over the looks of an experiment that is read while it runs."""

import math
from enum import StrEnum

from scipy import stats


class Spending(StrEnum):
    """A spending function of Lan and DeMets 1983, by the boundary it comes close to."""

    OBRIEN_FLEMING = "obrien-fleming"
    """Nearly nothing early, nearly all at the end: the largest experiment barely grows (4 % at 14 looks)."""

    POCOCK = "pocock"
    """Spends early: stops soonest where the effect is large, and costs a quarter more units where it is not."""

    POWER = "power"
    """alpha t^rho (Kim and DeMets 1987); rho = 2 lies between the two."""


def spent(kind: Spending, fraction: float, risk: float, rho: float = 2.0) -> float:
    """Return the risk that may be spent by an information fraction.

    Args:
        kind: the spending function.
        fraction: information so far over the planned information; from 1 on everything is spent.
        risk: of one side.
        rho: exponent of the power function.

    Source: Lan and DeMets 1983, Biometrika 70: 2(1 - Phi(z_{1 - risk/2} / sqrt t)) and risk ln(1 + (e - 1) t); Kim and
    DeMets 1987, Biometrika 74: risk t^rho.

    Raises:
        ValueError: a risk outside 0 to 1/2, or rho that is not positive.
    """
    if not 0 < risk <= 0.5:
        raise ValueError(f"the risk of one side is above 0 and at most 0.5; got {risk}")
    if rho <= 0:
        raise ValueError(f"rho is above 0; got {rho}")
    if fraction <= 0:
        return 0.0
    if fraction >= 1:
        return risk
    if kind is Spending.OBRIEN_FLEMING:
        return float(2 * stats.norm.sf(stats.norm.isf(risk / 2) / math.sqrt(fraction)))
    if kind is Spending.POCOCK:
        return risk * math.log1p((math.e - 1) * fraction)
    return float(risk * fraction**rho)
