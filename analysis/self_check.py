"""Every standard error checked by another way: how far a result moves when one hash bucket is left out."""

from collections.abc import Sequence

import msgspec

from analysis.decisions import wording
from analysis.decisions.reading import FORMS
from analysis.moment_sets import Cells
from analysis.results.schema import Check, Comparison, MetricResult
from analysis.stats.estimates import Form
from analysis.stats.jackknife import SelfCheck, self_check
from experiments.domain.metrics import MetricKind
from experiments.models import Variant

FEWEST_UNITS = 1000
"""Units in a variant below which fifty buckets hold too few each for the comparison to tell anything."""


def with_ratios(results: Sequence[MetricResult], variants: Sequence[Variant], cells: Cells) -> list[MetricResult]:
    """Return the metrics with each comparison's jackknife standard error over the formula's."""
    by_key = {variant.key: variant.pk for variant in variants}
    return [msgspec.structs.replace(result, comparisons=_checked(result, by_key, cells)) for result in results]


def check_of(results: Sequence[MetricResult]) -> list[Check]:
    """Return the health check over all comparisons; none while no standard error could be checked."""
    found = [
        (result.name, comparison.jackknife_ratio)
        for result in results
        for comparison in result.comparisons
        if comparison.jackknife_ratio is not None
    ]
    if not found:
        return []
    key, name = "standard-errors", "Standard errors"
    apart = [(metric, ratio) for metric, ratio in found if not SelfCheck(jackknife=ratio, formula=1, buckets=50).agree]
    if not apart:
        low, high = min(ratio for _, ratio in found), max(ratio for _, ratio in found)
        span = f"{low:.2f} times" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f} times"
        return [Check(key=key, name=name, ok=True, summary=f"a jackknife over 50 buckets finds {span} as large")]
    said = wording.listed([f"{ratio:.2f} times as large for {wording.inside(metric)}" for metric, ratio in apart[:3]])
    return [
        Check(
            key=key,
            name=name,
            ok=False,
            summary=f"a jackknife over 50 buckets finds them {said}",
            what_to_do="Do not trust the intervals of these metrics. See whether a few units carry them, or whether "
            "units are not independent of each other (many ids of one person, bots).",
        )
    ]


def _checked(result: MetricResult, by_key: dict[str, int], cells: Cells) -> list[Comparison]:
    place = cells.place(result.key)
    checked = []
    for one in result.comparisons:
        ratio = None
        if place and min(one.n, one.control_n) >= FEWEST_UNITS:
            arms = [cells.buckets(by_key[key]).select(place) for key in (one.control, one.variant)]
            # Of a metric that waits for a window, the denominator says which units count.
            form = Form.RATIO if len(place) == 2 else FORMS[MetricKind(result.kind)]
            found = self_check(form, *arms)
            ratio = found.ratio if isinstance(found, SelfCheck) and found.formula > 0 else None
        checked.append(msgspec.structs.replace(one, jackknife_ratio=ratio))
    return checked
