"""What a result says about the bots that were left out of it: how many in each variant, and whether that differs."""

from collections.abc import Mapping

from analysis.models import BotRule
from analysis.results.schema import Check
from analysis.rollup import sql, units
from analysis.stats.left_out import Uneven, uneven
from experiments.models import Experiment
from experiments.pages.formats import p_said

# A bot's variant is that of its first exposure, as everyone's is.
BY_VARIANT = """
SELECT first.variant, count(*)
FROM (
    SELECT DISTINCT b.unit
    FROM analysis_botday b JOIN analysis_botrule r ON r.project_id = b.project_id
    WHERE b.project_id = %(project)s AND b.unit_type = %(unit_type)s AND b.day >= %(since)s::date
      AND (%(until)s = '' OR b.day <= nullif(%(until)s, '')::date)
      AND (b.events > r.most_a_day OR b.busiest > r.most_a_minute)
) b
CROSS JOIN LATERAL (
    SELECT l.variant FROM events_log l
    WHERE l.project_id = %(project)s AND {unit} = b.unit {indexed} AND l.experiment = %(key)s AND l.environment = 0
      AND l.at >= %(began)s::timestamptz AND (%(ended)s = '' OR l.at <= nullif(%(ended)s, '')::timestamptz)
    ORDER BY l.at LIMIT 1
) first
GROUP BY first.variant
"""

UNFAIR = (
    "A variant changes how often the rule is broken, so that leaving units out is no longer fair. See whether the "
    "variant itself sends too many events; the rule is switched off under Events, Data quality, Bots."
)


def left_out(experiment: Experiment) -> dict[str, int]:
    """Return how many units the rule for bots leaves out of each variant, by key; empty where no rule applies."""
    rule, began = BotRule.objects.filter(project=experiment.project_id).first(), experiment.counts_from
    if rule is None or began is None:
        return {}
    ended = experiment.stopped_at
    if ended is not None and ended < rule.switched_on_at:
        return {}
    asked: dict[str, sql.Parameter] = {
        "project": experiment.project_id, "unit_type": experiment.unit_type, "key": experiment.key,
        "since": began.date().isoformat(), "until": ended.date().isoformat() if ended else "",
        "began": began.isoformat(), "ended": ended.isoformat() if ended else "",
    }  # fmt: skip
    unit, indexed = units.unit_of(experiment.unit_type), units.indexed(experiment.unit_type)
    return dict(sql.rows(BY_VARIANT.format(unit=unit, indexed=indexed), asked))


def bots_check(experiment: Experiment, kept: Mapping[str, int]) -> Check | None:
    """Return the health check on bots that were left out; None where there were none. ``kept``: units by variant."""
    out = left_out(experiment)
    variants = [(key, name) for key, name in experiment.variants.order_by("position", "pk").values_list("key", "name")]
    counts = [out.get(key, 0) for key, _ in variants]
    if not sum(counts):
        return None
    found = uneven(counts, [count + kept.get(key, 0) for count, (key, _) in zip(counts, variants, strict=True)])
    differs = isinstance(found, Uneven) and found.uneven
    said = ", ".join(f"{name} {count:,}" for count, (_, name) in zip(counts, variants, strict=True))
    total = "1 unit" if sum(counts) == 1 else f"{sum(counts):,} units"
    chance = f" ({p_said(found.p_value)})" if isinstance(found, Uneven) and differs else ""
    return Check(
        key="bots",
        name="Bots",
        ok=not differs,
        summary=f"{total} left out by the rule for bots: {said}{chance}",
        what_to_do=UNFAIR if differs else "",
    )
