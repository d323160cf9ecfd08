"""Boundaries that hold at every moment and for any number of units: for shares, events and quantiles that start small.

An asymptotic confidence sequence needs hundreds of units first; these need none. ``s`` is a sum of deviations and ``v``
its variance so far (intrinsic time). Each log mixture is the logarithm of an e-value: it averages to at most 1 without
effect, so it passes 1 / alpha at any time with probability alpha at most.

Sources: Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49 (mixtures, stitching; their appendix names the
conjugate mixtures); Howard and Ramdas 2022, Bernoulli 28 (quantiles, empirical processes). Agrees with confseq.
"""

import math
from collections.abc import Callable

from scipy import optimize, special, stats

_EDGE = 1e-12

LogMixture = Callable[[float, float], float]
"""(s, v) -> logarithm of the e-value."""


def best_rho(tuned_for: float, alpha: float, *, one_sided: bool = False) -> float:
    """Return the mixture's precision that makes the boundary lowest at v = ``tuned_for``; fixed before the start."""
    log = math.log(1 / (2 * alpha if one_sided else alpha))
    return tuned_for / (2 * log + math.log1p(2 * log))


def normal_mixture(rho: float, *, one_sided: bool = False) -> LogMixture:
    """Return the normal mixture, for sums with Gaussian tails; one-sided mixes over positive drifts only."""

    def log_mixture(s: float, v: float) -> float:
        two = 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho))
        return two + math.log(2) + float(stats.norm.logcdf(s / math.sqrt(v + rho))) if one_sided else two

    return log_mixture


def gamma_exponential_mixture(rho: float, scale: float) -> LogMixture:
    """Return the gamma mixture of exponential tails: sums of deviations with scale c, such as waiting times."""
    c2 = scale * scale
    a = rho / c2
    constant = a * math.log(a) - special.gammaln(a) - math.log(special.gammainc(a, a))

    def log_mixture(s: float, v: float) -> float:
        shape, rate = (v + rho) / c2, (scale * s + v + rho) / c2
        tail = math.log(special.gammainc(shape, rate))
        return float(constant + special.gammaln(shape) + tail - shape * math.log(rate) + rate - a)

    return log_mixture


def gamma_poisson_mixture(rho: float, scale: float) -> LogMixture:
    """Return the gamma mixture of Poisson tails: counts of events in steps of at most c."""
    c2 = scale * scale
    a = rho / c2
    constant = a * math.log(a) - special.gammaln(a) - math.log(special.gammaincc(a, a))

    def log_mixture(s: float, v: float) -> float:
        rate = (v + rho) / c2
        shape = s / scale + rate
        tail = math.log(special.gammaincc(shape, rate))
        return float(constant + special.gammaln(shape) + tail - shape * math.log(rate) + v / c2)

    return log_mixture


def beta_binomial_mixture(rho: float, below: float, above: float, *, one_sided: bool = False) -> LogMixture:
    """Return the beta mixture for deviations that are either -``below`` or +``above``, as those of a share are."""
    g, h = below, above
    r = max(rho - g * h, 1e-3 * g * h)
    end = h / (g + h) if one_sided else 1.0
    normaliser = _log_beta(r / (g * (g + h)), r / (h * (g + h)), end)

    def log_mixture(s: float, v: float) -> float:
        ups, downs = (v + h * s) / (h * (g + h)), (v - g * s) / (g * (g + h))
        likelihood = v / (g * h) * math.log(g + h) - ups * math.log(g) - downs * math.log(h)
        return likelihood + _log_beta(r / (g * (g + h)) + downs, r / (h * (g + h)) + ups, end) - normaliser

    return log_mixture


def _log_beta(a: float, b: float, end: float) -> float:
    whole = float(special.betaln(a, b))
    return whole if end == 1.0 else whole + math.log(special.betainc(a, b, end))


def mixture_bound(log_mixture: LogMixture, v: float, alpha: float, largest: float = math.inf) -> float:
    """Return the sum s at which the e-value reaches 1 / alpha, or ``largest`` where no possible sum does."""
    limit = math.log(1 / alpha)
    high = largest
    if math.isinf(high):
        high = max(1.0, v)
        while log_mixture(high, v) < limit:
            high *= 2
    if log_mixture(high, v) < limit:
        return high
    return float(optimize.brentq(lambda s: log_mixture(s, v) - limit, 0.0, high, xtol=1e-12))


def stitched_bound(
    v: float, alpha: float, earliest: float, scale: float = 0.0, power: float = 1.4, step: float = 2.0
) -> float:
    """Return the polynomially stitched boundary, whose width follows the law of the iterated logarithm.

    Args:
        v: intrinsic time; before ``earliest`` the boundary is that of ``earliest``.
        alpha: risk over all times together.
        earliest: from where on it should be tight.
        scale: of the deviations' tails (0 for Gaussian ones, below 0 for lighter).
        power, step: of the stitching: how risk is spread over epochs, and how much longer each epoch is than the last.
    """
    at = max(v, earliest)
    epochs = power * math.log(math.log(step * at / earliest))
    log = epochs + math.log(special.zeta(power) / math.log(step) ** power) + math.log(1 / alpha)
    k1, k2 = (step**0.25 + step**-0.25) / math.sqrt(2), (math.sqrt(step) + 1) / 2
    tail = k2 * scale * log
    return math.sqrt(k1 * k1 * at * log + tail * tail) + tail


def empirical_process_bound(n: int, alpha: float, earliest: float, factor: float = 0.85) -> float:
    """Return how far the empirical distribution may be from the true one, at all values and all n from ``earliest`` on.

    A bound on every quantile at once: ``factor`` above 1 / sqrt(2) trades the constant for the rate.
    """
    if n < earliest:
        return math.inf
    constant = _process_constant(alpha, factor)
    return factor * math.sqrt((math.log1p(math.log(n / earliest)) + constant) / n)


def _process_constant(alpha: float, factor: float) -> float:
    def risk(constant: float, step: float) -> float:
        square = 2 / step * (factor - math.sqrt(2 * (step - 1) / constant)) ** 2
        if square <= 1:
            return math.inf
        return 4 * math.exp(-square * constant) * (1 + 1 / ((square - 1) * math.log(step)))

    def least(constant: float) -> float:
        longest = optimize.brentq(
            lambda step: math.sqrt(step / 2) + math.sqrt(2 * (step - 1) / constant) - factor, 1.0, 2 * factor * factor
        )
        found = optimize.minimize_scalar(
            lambda step: min(1e300, risk(constant, step)),
            bounds=(1 + 1e-9, longest - 1e-9),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return float(found.fun)

    return float(optimize.brentq(lambda constant: math.log(least(constant) / alpha), 2.0, 500.0, xtol=1e-10))


def quantile_bound(
    level: float,
    n: float,
    alpha: float,
    earliest: float,
    width: float = 0.5,
    power: float = 1.4,
    step: float = 2.0,
) -> float:
    """Return how many rows more than ``level`` n may lie below the quantile at all n (double stitching).

    Args:
        level: of the quantile.
        n: rows so far.
        alpha: risk over all n and all levels together.
        earliest: n from which on it should be tight.
        width: of the grid of levels, on the logit scale.
        power, step: as in ``stitched_bound``.
    """
    at = max(n, earliest)
    away = math.log(level / (1 - level))
    near = away + 2 * width * math.sqrt(earliest * step / at)
    r = level if level >= 0.5 else min(0.5, 1 / (1 + math.exp(-near)))
    variance, tail_scale = r * (1 - r), (1 - 2 * level) / 3
    zeta = float(special.zeta(power))
    cells = math.sqrt(at / earliest) * abs(away) / (2 * width) + 1
    log = power * (math.log(math.log(step * at / earliest)) + math.log(cells))
    log += math.log(2 * zeta * (2 * zeta + 1) / (alpha * math.log(step) ** power))
    k1, k2 = (step**0.25 + step**-0.25) / math.sqrt(2), (math.sqrt(step) + 1) / 2
    tail = k2 * tail_scale * log
    grid = width * math.sqrt(step * at * variance / earliest)
    return grid + math.sqrt(k1 * k1 * variance * at * log + tail * tail) + tail


def share_sequence(successes: float, n: int, alpha: float, tuned_for: float) -> tuple[float, float]:
    """Return the confidence sequence of a share: valid at any time and from the first unit on.

    Args:
        successes, n: so far.
        alpha: risk over all looks together.
        tuned_for: n at which it is tightest; fixed before the start.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes lie between 0 and n, and n is at least 1; got {successes} of {n}")
    share, limit = successes / n, math.log(1 / alpha)

    def over(p: float) -> float:
        inside = min(max(p, _EDGE), 1 - _EDGE)
        rho = best_rho(inside * (1 - inside) * tuned_for, alpha)
        mixture = beta_binomial_mixture(rho, inside, 1 - inside)
        return mixture((share - inside) * n, inside * (1 - inside) * n) - limit

    low, high = (
        end if share == end or over(end) <= 0 else float(optimize.brentq(over, *sorted((end, share)), xtol=1e-14))
        for end in (0.0, 1.0)
    )
    return low, high
