"""What a file can get wrong while its totals look right: each finding is one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.decisions import wording
from analysis.stats.compare import Difference
from analysis.stats.settings import DEFAULTS
from analysis.stats.srm import SplitTest, split_test
from analysis.tables.figures import KEPT
from analysis.tables.loading import Loaded
from analysis.tables.request import MetricType, Request

_TOP_SHARE = 0.001
_CARRIES = 0.2
_NOT_NOISE = 0.5
"""A share of the standard error: below it, what the largest units add is what chance adds."""
_WIDESPREAD = 0.05
_MANY_LEVELS = 1000
_WIDE_MISSING = 0.001


@dataclass(frozen=True, slots=True)
class Level:
    """Units a variant within one level of a segment, or on one day."""

    name: str
    counts: Mapping[str, int]


def unit_is_not_randomised(table: Loaded, request: Request) -> list[str]:
    """Say when so many units are in several variants that something else was randomised."""
    total = sum(table.counts.values()) + table.quarantined
    if not table.quarantined:
        return []
    share = table.quarantined / total
    found = f"{table.quarantined:,} units ({wording.percent(share)}) are in several variants and were left out"
    if share <= _WIDESPREAD:
        return [found + "."]
    return [
        f"{found}. That many mean that {request.unit!r} is not what was randomised: name the column that was "
        "(a session, a request, a customer) with --unit."
    ]


def levels(table: Loaded, expression: str) -> list[Level]:
    """Count units a variant in each level, the largest levels first."""
    found = table.query(
        f"SELECT CAST({expression} AS VARCHAR) AS level, v, count(*) FROM units "
        f"WHERE {KEPT} AND {expression} IS NOT NULL "
        f"GROUP BY level, v ORDER BY level, v LIMIT {_MANY_LEVELS * 50}"
    )
    counts: dict[str, dict[str, int]] = {}
    for level, variant, units in found:
        counts.setdefault(str(level), {})[str(variant)] = int(str(units))
    return [Level(name, of) for name, of in counts.items()]


def uneven_levels(what: str, found: Sequence[Level], weights: Mapping[str, float]) -> list[str]:
    """Test the split within each level, with Holm's correction over the levels.

    The total can be right while one day or one browser is not: errors that cancel, or that few units share.
    """
    from statsmodels.stats.multitest import multipletests  # with pandas: a second that no start should take

    tested = [(level, split_test(level.counts, weights)) for level in found]
    known = [(level, test) for level, test in tested if isinstance(test, SplitTest)]
    if not known:
        return []
    adjusted = multipletests([test.p_value for _, test in known], method="holm")[1]
    broken = [
        (float(p), level) for p, (level, _) in zip(adjusted, known, strict=True) if float(p) < DEFAULTS.srm_threshold
    ]
    broken.sort(key=lambda one: one[0])
    if not broken:
        return []
    worst = broken[0][1]
    shares = ", ".join(f"{variant} {units:,}" for variant, units in worst.counts.items())
    more = f" and {len(broken) - 1} more of {len(known)}" if len(broken) > 1 else f" of {len(known)}"
    return [
        f"The split is broken within {what} {worst.name}{more} ({shares}; {wording.p_value(broken[0][0])} after Holm), "
        "whatever the total says. Look for what differs there before reading the numbers."
    ]


def outliers(table: Loaded, index: int, chosen: str, treatment: str, control: str, found: Difference) -> list[str]:
    """Say when the largest 0.1 % of units carry a good part of the difference."""
    spec = table.metrics[index]
    if spec.type not in (MetricType.MEAN, MetricType.COUNT):
        return []
    arms = f"v IN ({literal(treatment)}, {literal(control)})"
    rows = table.query(f"SELECT v, count(*) FROM units WHERE {KEPT} AND {arms} AND m{index} IS NOT NULL GROUP BY v")
    sizes = {str(v): int(str(n)) for v, n in rows}
    top = max(1, round(_TOP_SHARE * sum(sizes.values())))
    whole = sum(sizes.values())
    among = f"(SELECT v, {chosen} AS w FROM units WHERE {KEPT} AND {arms} AND m{index} IS NOT NULL)"
    # Units at one value (at a cap, say) are in or out together: which of them were taken would be the sort's choice.
    below = f"(SELECT quantile_disc(w, {(whole - top - 0.5) / whole!r}) FROM {among})"
    largest = table.query(f"SELECT v, sum(w), count(*) FROM {among} WHERE w > {below} GROUP BY v")
    sums = {str(v): float(str(total)) for v, total, _ in largest}
    top = sum(int(str(count)) for _, _, count in largest)
    carried = sums.get(treatment, 0.0) / sizes[treatment] - sums.get(control, 0.0) / sizes[control]
    if abs(carried) <= _CARRIES * abs(found.value) or abs(carried) < _NOT_NOISE * found.standard_error:
        return []
    units = "unit carries" if top == 1 else f"{top:,} units carry"
    return [
        f"Outliers: the largest {units} {signed(carried)} of the difference of "
        f"{signed(found.value)}. Read it beside --cap {spec.name}=p99.9."
    ]


def unequal_missing(table: Loaded, index: int) -> list[str]:
    """Say when leaving out units without a value takes more from one variant than from another."""
    spec = table.metrics[index]
    if spec.type in (MetricType.PROPORTION, MetricType.COUNT):
        return []
    column = table.value_names[spec.column]
    if spec.type is MetricType.QUANTILE:
        rows = table.query(f"SELECT v, count(*), count({column}) FROM rows WHERE v IS NOT NULL GROUP BY v ORDER BY v")
    else:
        rows = table.query(f"SELECT v, count(*), count(m{index}) FROM units WHERE {KEPT} GROUP BY v ORDER BY v")
    lines = [(str(v), int(str(n)), int(str(have))) for v, n, have in rows]
    if len(lines) < 2 or all(n == have for _, n, have in lines) or not any(have for _, _, have in lines):
        return []
    p = float(stats.chi2_contingency([[have, n - have] for _, n, have in lines]).pvalue)
    if p >= _WIDE_MISSING:
        return []
    shares = ", ".join(f"{v} {wording.percent(1 - have / n)}" for v, n, have in lines)
    return [
        f"{spec.name} is missing more often in one variant ({shares}; {wording.p_value(p)}), so the units that are "
        "left are not alike. If no value means that nothing happened, write 0 in the file or use :count."
    ]


def signed(value: float) -> str:
    """Write a number with its sign."""
    return f"{value:+.4g}".replace("-", "−")


def literal(word: str) -> str:
    """Return a word as SQL writes it."""
    return "'" + word.replace("'", "''") + "'"
