"""Everything about one proxy: slopes, checks, the chart's points, what rules would have brought, and offline gains."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from analysis.decisions.wording import inside, p_value
from analysis.past.keeping import CORRELATIONS
from analysis.programme import offline, past, wording
from analysis.programme.choice import Known, Question
from analysis.programme.facts import finite, region_fact, slope_fact
from analysis.programme.schema import Checked, Detail, Influence, Line, Point, ProxyFinding, RuleFact, SlopeFact
from analysis.programme.table import Rows, Table
from analysis.programme.vectors import Vector
from analysis.stats.moments import Array
from analysis.stats.programme.archive import Archive, archive
from analysis.stats.programme.crossfold import cross_fold
from analysis.stats.programme.decision_rules import Rule, RuleDifference, RuleValue, compare_rules, rule_value
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.slopes import Slope, efficient_weights
from analysis.stats.programme.structural import structure
from analysis.stats.programme.study import Study, study
from analysis.stats.unavailable import NotComputable
from experiments.pages.formats import bounds, lift

FEW_CARRY = 10.0
"""Experiments that carry a slope, below which it is theirs and not the programme's."""
BAND_POINTS = 25


def detail(
    table: Table,
    rows: Rows,
    programme: Programme,
    found: Study,
    finding: ProxyFinding,
    proxy: Known,
    business: Known,
    asked: Question,
) -> Detail:
    """Return all that is shown of one proxy."""
    vectors = [table.vectors[row] for row in rows]
    folds = table.fold_effects([proxy.key, business.key], rows)
    crossed = _crossed(folds, programme)
    influence = _influence(found, vectors)
    return Detail(
        finding=finding,
        slopes=list(_slopes(found, crossed)),
        checks=[
            *_checks(found, crossed, influence, programme, proxy, business),
            *_shared_noise(vectors, programme, table.groups[rows]),
        ],
        influence=influence,
        points=_points(vectors, programme),
        line=_line(found, programme),
        rules=_rules(folds, programme, found, proxy, business),
        offline=offline.readings(vectors, programme, proxy, business, asked.gain),
    )


def _crossed(folds: Array, programme: Programme) -> Slope | NotComputable:
    """Return the slope by hash buckets, of the treatments whose units are here."""
    here = np.isfinite(folds).all(axis=(1, 2))
    if not here.any():
        return NotComputable("imported experiments come without their units")
    return cross_fold(folds[here], efficient_weights(programme)[here])


def _shared_noise(vectors: Sequence[Vector], programme: Programme, groups: Rows) -> Iterator[Checked]:
    """Say what the slope would be had the noise of imported experiments been assumed to go together otherwise."""
    is_past = np.array([bool(one.past) for one in vectors])
    if not is_past.any():
        return
    said, above = [], []
    for correlation in CORRELATIONS:
        found = study(past.with_correlation(programme, is_past, correlation), groups=groups)
        if isinstance(found, NotComputable) or isinstance(found.corrected, NotComputable):
            said.append(f"none at {correlation:g}")
            continue
        fact = slope_fact("corrected", found.corrected)
        said.append(f"{wording.slope(fact.value)} ({wording.span(fact)}) at {correlation:g}")
        above.append(_side(fact))
    same = len(above) == len(CORRELATIONS) and len(set(above)) == 1
    yield Checked(
        name="Assumed noise of imported experiments",
        ok=same,
        said=f"with the two metrics' noise correlated otherwise the slope would be {'; '.join(said)}",
    )


def _side(fact: SlopeFact) -> int:
    """Return on which side of 0 a whole interval lies; 0 where it holds it."""
    if fact.interval is None or fact.excluded:
        return 0
    low, high = fact.interval
    return 1 if low is not None and low > 0 else -1 if high is not None and high < 0 else 0


def picked_over(table: Table, business: Known) -> str | None:
    """Say that effects near zero are missing from the archive, if they are."""
    for metric in [business.key, *(key for key in table.metrics if key != business.key)][:2]:
        pair = [metric, business.key] if metric != business.key else [metric, *_another(table, metric)]
        programme, _ = table.programme(pair)
        if isinstance(programme, NotComputable):
            continue
        fitted = structure(programme)
        if isinstance(fitted, NotComputable):
            continue
        found = archive(programme, fitted, metric=0)
        if isinstance(found, Archive) and found.doubtful:
            return (
                f"Only {found.unclear} of {programme.count} experiments have an unclear effect where about "
                f"{found.expected:.0f} would be expected ({p_value(found.p_value)}): it looks as if only those that "
                "came out clearly were kept. A slope from winners alone misleads."
            )
    return None


def _another(table: Table, metric: str) -> list[str]:
    return [key for key in table.metrics if key != metric][:1]


def _slopes(found: Study, crossed: Slope | NotComputable) -> Iterator[SlopeFact]:
    yield slope_fact("user_level", found.user_level)
    yield slope_fact("naive", found.naive)
    yield slope_fact("corrected", found.corrected)
    yield slope_fact("weighted_total_covariance", found.weighted)
    yield slope_fact("total_covariance", found.total)
    liml = found.kappa
    if isinstance(liml, NotComputable):
        yield SlopeFact(method="liml", value=None, reason=liml.reason)
    else:
        yield SlopeFact(method="liml", value=finite(float(liml.slopes[0])))
    yield slope_fact("cross_fold", crossed)
    yield region_fact("anderson_rubin", found.region)


def _checks(
    found: Study,
    crossed: Slope | NotComputable,
    influence: Influence | None,
    programme: Programme,
    proxy: Known,
    business: Known,
) -> Iterator[Checked]:
    yield _carried(found, programme)
    if influence is not None and isinstance(found.corrected, Slope):
        same = (influence.without > 0) == (found.corrected.value > 0)
        said = f"without {influence.name} it would be {wording.slope(influence.without)}"
        yield Checked(name="One experiment", ok=same, said=said)
    yield _agrees("By hash buckets, without any covariance", found, crossed)
    yield _agrees("By moments", found, found.weighted)
    if not isinstance(found.intercept, NotComputable):
        low, high = found.intercept.interval
        yield Checked(
            name="Nothing happens, nothing follows",
            ok=low <= 0 <= high,
            said=f"an experiment that leaves {inside(proxy.name)} alone has moved {inside(business.name)} by "
            f"{lift(math.expm1(found.intercept.value), 2)} ({bounds(wording.as_lifts((low, high)), 2)})",
        )
    if not isinstance(found.direct, NotComputable):
        alone = found.direct.p_value >= 0.05
        said = "the line explains all but noise" if alone else "experiments also reach it in other ways"
        yield Checked(name="The only way", ok=alone or None, said=f"{said} (Q, {p_value(found.direct.p_value)})")


def _carried(found: Study, programme: Programme) -> Checked:
    said = f"about {found.effective:.0f} of {programme.count} experiments carry the slope"
    return Checked(name="A handful", ok=found.effective >= FEW_CARRY, said=said)


def _agrees(name: str, found: Study, other: Slope | NotComputable) -> Checked:
    """Hold another estimator to the corrected interval."""
    if isinstance(other, NotComputable):
        return Checked(name=name, ok=None, said=other.reason)
    said = f"{wording.slope(other.value)} ({wording.span(slope_fact('', other))})"
    if isinstance(found.corrected, NotComputable) or found.corrected.region is None or other.region is None:
        return Checked(name=name, ok=None, said=said)
    agree = found.corrected.region.holds(other.value) or other.region.holds(found.corrected.value)
    return Checked(name=name, ok=agree, said=said)


def _influence(found: Study, vectors: Sequence[Vector]) -> Influence | None:
    without = found.without_each
    if isinstance(without, NotComputable) or not isinstance(found.weighted, Slope) or not np.isfinite(without).any():
        return None
    most = int(np.nanargmax(np.abs(without - found.weighted.value)))
    return Influence(experiment=vectors[most].key, name=named(vectors[most]), without=float(without[most]))


def named(one: Vector) -> str:
    """Return how an experiment's treatment is called in a list."""
    return f"{one.name}: {one.treatment}" if one.treatment else one.name


def _points(vectors: Sequence[Vector], programme: Programme) -> list[Point]:
    """Return the chart's points, those that carry the slope most first."""
    x = programme.effects[:, 0]
    w = efficient_weights(programme)
    parts = w * (x - w @ x / w.sum()) ** 2
    shares = parts / max(float(parts.sum()), 1e-300)
    return [
        Point(
            experiment=vectors[i].key,
            name=named(vectors[i]),
            x=float(programme.effects[i, 0]),
            y=float(programme.effects[i, 1]),
            xx=float(programme.covariances[i, 0, 0]),
            xy=float(programme.covariances[i, 0, 1]),
            yy=float(programme.covariances[i, 1, 1]),
            weight=float(shares[i]),
            units=vectors[i].units,
            imported=bool(vectors[i].past),
        )
        for i in np.argsort(-shares)
    ]


def _line(found: Study, programme: Programme) -> Line | None:
    """Return the corrected line with the band of its mean, and the naive line."""
    slope = found.corrected
    if isinstance(slope, NotComputable) or not found.identified.identified or slope.standard_error is None:
        return None
    fitted, x = found.fitted, programme.effects[:, 0]
    xs = np.linspace(float(x.min()), float(x.max()), BAND_POINTS)
    across = np.array([-slope.value, 1.0])
    variance = float(across @ fitted.mean_covariance @ across) + (slope.standard_error * (xs - fitted.mean[0])) ** 2
    ys, half = fitted.mean[1] + slope.value * (xs - fitted.mean[0]), 1.959964 * np.sqrt(variance)
    naive = None if isinstance(found.naive, NotComputable) else found.naive.value
    centre = programme.effects.mean(axis=0)
    return Line(
        xs=xs.tolist(),
        ys=ys.tolist(),
        low=(ys - half).tolist(),
        high=(ys + half).tolist(),
        naive_slope=naive,
        naive_intercept=None if naive is None else float(centre[1] - naive * centre[0]),
    )


def _rules(folds: Array, programme: Programme, found: Study, proxy: Known, business: Known) -> list[RuleFact]:
    """Return what shipping by the proxy, by the business metric, or by both together would have brought.

    Of experiments run here alone: a rule decides on some of the units and is judged by the others.
    """
    here = np.isfinite(folds).all(axis=(1, 2))
    if not here.any():
        return []
    folds = folds[here]
    turned = np.array([proxy.sign, business.sign])
    effects = folds * np.array([1.0, 1.0])
    effects[:, :, 1] *= business.sign
    noise = programme.covariances[here] * np.array([[1.0, business.sign], [business.sign, 1.0]])
    if not np.isfinite(effects).all():
        return []
    best = _joined(found, programme) * np.array([business.sign, 1.0])
    chosen = [
        Rule(name=f"{proxy.name} clearly better", weights=np.array([turned[0], 0.0]), threshold=1.959964),
        Rule(name=f"{business.name} clearly better", weights=np.array([0.0, 1.0]), threshold=1.959964),
        Rule(name="Both together point to a gain", weights=best, threshold=0.0),
    ]
    values = [one for one in (rule_value(effects, noise, rule) for rule in chosen) if isinstance(one, RuleValue)]
    if len(values) < len(chosen):
        return []
    return [_rule_fact(one, values[1]) for one in values]


def _joined(found: Study, programme: Programme) -> Array:
    """Return the weights on proxy and business estimate that best predict the business effect, at a middling noise."""
    total = found.fitted.spread + np.median(programme.covariances, axis=0)
    return np.asarray(np.linalg.lstsq(total, found.fitted.spread[:, -1], rcond=None)[0])


def _rule_fact(one: RuleValue, base: RuleValue) -> RuleFact:
    against = None if one is base else compare_rules(one, base)
    told = isinstance(against, RuleDifference)
    return RuleFact(
        name=one.name,
        gain=one.gain,
        standard_error=one.standard_error,
        shipped=one.shipped,
        difference=against.value if isinstance(against, RuleDifference) else None,
        difference_interval=against.interval if told and isinstance(against, RuleDifference) else None,
    )
