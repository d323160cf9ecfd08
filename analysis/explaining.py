"""One SQL statement that a reader can run: a metric's raw sums straight from the event log, with nothing folded before.

It is written for reading and shares no statement with the fold, so that it is also a second way to the same numbers:
the tests run it for every kind of metric and hold the results to it.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from psycopg.sql import quote

from analysis.counted import Counted
from analysis.models import BotRule
from analysis.rollup import identities
from analysis.rollup.units import Basis
from experiments.domain import filters as conditions
from experiments.domain.filters import Filter
from experiments.domain.metrics import MetricKind as K
from experiments.domain.units import UnitType
from experiments.models import Experiment

EXPOSED = """\
-- 1. Who is in: each {unit}'s first exposure since the start. Who was seen in two variants is left out, and so is
--    whoever has an override{bots}.
WITH exposed AS (
    SELECT {id} AS unit, (array_agg(v.key ORDER BY l.at, v.id))[1] AS variant, min(l.at) AS first_at
    FROM events_log l
    JOIN experiments_variant v ON v.experiment_id = {experiment} AND v.key = l.variant
    WHERE l.project_id = {project} AND l.experiment = {key} AND l.environment = 0
      AND l.at >= {began}{stopped} AND l.received_at <= {as_of}
      AND char_length({id}) BETWEEN 1 AND 255
      AND {id} NOT IN ({overridden}){no_bots}
    GROUP BY 1
    HAVING count(DISTINCT v.id) = 1
), counted AS (
    SELECT unit, variant, first_at FROM exposed{matured}
), """
HAPPENED = """\
happened AS (
    -- 2. What they did after it: events of the metric inside its window.
    SELECT c.unit, c.variant, l.at, l.name, l.props
    FROM counted c
    JOIN events_log l ON l.project_id = {project} AND {id} = c.unit {indexed}
    WHERE l.environment = 0 AND l.received_at <= {as_of} AND l.name IN ({names})
      AND l.at >= c.first_at{opens}{closes}{stopped}
), """
TOTAL = """\
total AS (
    -- 3. One {numbers} a {unit}: everything is added up before anything is averaged. Who did nothing is zero.
    SELECT c.unit, c.variant, {numerator} AS y{denominator}
    FROM counted c LEFT JOIN happened h ON h.unit = c.unit
    GROUP BY 1, 2
)"""
CAPPED = """, cap AS (
    -- The total that {share} of all units stay below or at, those without events included.
    SELECT percentile_disc({level}) WITHIN GROUP (ORDER BY y) AS most FROM total
), capped AS (
    SELECT unit, variant, CASE WHEN most > 0 THEN least(y, most) ELSE y END AS y FROM total CROSS JOIN cap
)"""
CAPPED_AS_IT_WAS = """, capped AS (
    -- The total that {share} of all units stayed below or at when that was last looked for, as the page has it.
    SELECT unit, variant, least(y, {most}) AS y FROM total
)"""
SUMS = """
-- 4. What each variant adds up to: the raw sums of the page.
SELECT variant, count(*) AS units, sum(y) AS sum, sum(y * y) AS sum_of_squares{more}
FROM {source} GROUP BY variant ORDER BY variant
"""
PAIR = ", sum(x) AS sum_below, sum(x * x) AS sum_of_squares_below, sum(x * y) AS sum_of_products"
QUANTILE = """
-- 3. The quantile over all events of a variant, each to four digits that count.
SELECT variant, count(DISTINCT unit) AS units, percentile_disc({level}) WITHIN GROUP (ORDER BY value) AS quantile
FROM (SELECT unit, variant, analysis_rounded(analysis_number(props -> {property})) AS value FROM happened) one
WHERE value IS NOT NULL GROUP BY variant ORDER BY variant
"""

_OVERRIDDEN = "SELECT unit_id FROM experiments_override WHERE experiment_id = {experiment}"
_BOTS = """SELECT unit FROM analysis_botday WHERE project_id = {project} AND unit_type = {unit_type}
        AND day >= {began}{until} AND (events > {most_a_day} OR busiest > {most_a_minute})"""
_BEHIND = """
        SELECT coalesce(i.person, o.id) FROM ({ids}) o(id)
        LEFT JOIN analysis_identity i ON i.project_id = {project} AND i.alias = o.id"""
"""Whoever stands behind these ids: a person is left out for any of them."""
_REPEATING = """(
        SELECT CASE WHEN cardinality(analysis_steps(o.at, s.place ORDER BY o.at, s.place)) = {steps} THEN 1 ELSE 0 END
        FROM happened o JOIN (VALUES {rows}) AS s(place, name, filters) ON s.name = o.name
         AND (s.filters = '[]' OR jsonb_path_match(o.props, analysis_path(s.filters), silent => true))
        WHERE o.unit = c.unit)"""


def statement(experiment: Experiment, one: Counted, as_of: datetime, horizon: datetime) -> str:
    """Return the statement for one metric of a started experiment.

    Args:
        experiment: that has started.
        one: the metric as the experiment counts it; with its cap, where a percentile stays what it was for a while.
        as_of: events that arrived later are left out.
        horizon: how far events were folded; a unit whose window ends later does not count yet.
    """
    text = _Text(experiment, one, as_of, horizon)
    head = text.exposed() + text.happened()
    if one.is_quantile:
        level, prop = (one.definition.level or 5000) / 10_000, quote(one.definition.property)
        return head.rstrip().rstrip(",") + QUANTILE.format(level=level, property=prop)
    return head + text.total() + text.sums()


class _Text:
    """Write the parts of the statement, with every value as a literal."""

    def __init__(self, experiment: Experiment, one: Counted, as_of: datetime, horizon: datetime) -> None:
        self.experiment, self.one, self.definition = experiment, one, one.definition
        self.as_of, self.horizon = _time(as_of), _time(horizon)
        fallback = experiment.fallback_unit_type
        basis = Basis(unit_type=UnitType(experiment.unit_type), fallback=UnitType(fallback) if fallback else None)
        linked = [pk for pk in identities.linked_projects() if pk == experiment.project_id]
        self.id, self.indexed = basis.in_log(linked), basis.indexed()
        self.is_linked = bool(linked) and basis.takes_links

    def exposed(self) -> str:
        began = self.experiment.counts_from or self.experiment.created_at
        bots = self._bots()
        matured = ""
        if self.one.matures:
            over = f"first_at + interval '{self.one.matures} hours'"
            matured = f"\n    WHERE {over} <= {self.horizon}  -- counts once its time is over"
        return EXPOSED.format(
            unit=self.experiment.unit_type, id=self.id, experiment=self.experiment.pk,
            project=self.experiment.project_id, key=quote(self.experiment.key), began=_time(began),
            stopped=self._stopped(), as_of=self.as_of, matured=matured, no_bots=bots,
            overridden=self._behind(_OVERRIDDEN.format(experiment=self.experiment.pk)),
            bots=" or breaks the project's rule for bots" if bots else "",
        )  # fmt: skip

    def happened(self) -> str:
        given = self.definition
        opens = f" + interval '{given.delay_hours} hours'" if given.delay_hours else ""
        closes = ""
        if given.window_hours is not None:
            closes = f" AND l.at < c.first_at + interval '{given.delay_hours + given.window_hours} hours'"
        return HAPPENED.format(
            project=self.experiment.project_id, id=self.id, indexed=self.indexed,
            as_of=self.as_of, names=", ".join(quote(name) for name in given.events), opens=opens, closes=closes,
            stopped=self._stopped(),
        )  # fmt: skip

    def total(self) -> str:
        numerator, denominator = self._numbers()
        return TOTAL.format(
            numbers="pair of numbers" if denominator else "number", unit=self.experiment.unit_type,
            numerator=numerator, denominator=f", {denominator} AS x" if denominator else "",
        )  # fmt: skip

    def sums(self) -> str:
        given, source, cap = self.definition, "total", ""
        if given.cap_share is not None:
            share = given.cap_share / 10_000
            form = CAPPED if self.one.cap is None else CAPPED_AS_IT_WAS
            source, cap = "capped", form.format(level=share, share=f"{share:.4g}", most=self.one.cap)
        return cap + SUMS.format(source=source, more=PAIR if given.is_ratio else "")

    def _numbers(self) -> tuple[str, str]:
        """Return how a unit's events become its number, and what that is divided by."""
        given = self.definition
        value = f"analysis_number(h.props -> {quote(given.property)})"
        chosen = self._chosen(given.event, given.filters)
        match given.kind:
            case K.FUNNEL:
                return self._funnel(), ""
            case K.PROPORTION | K.RETENTION:
                return f"least(1, count(*) FILTER (WHERE {chosen}))", ""
            case K.COUNT:
                return self._at_most(f"count(*) FILTER (WHERE {chosen})"), ""
            case K.DISTINCT:
                hashed = f"analysis_hashed(h.props -> {quote(given.property)})"
                return self._at_most(f"count(DISTINCT {hashed}) FILTER (WHERE {chosen})"), ""
            case K.SUM:
                return self._at_most(f"coalesce(sum({value}) FILTER (WHERE {chosen}), 0){self._refunds()}"), ""
            case K.MEAN:
                return (
                    f"coalesce(sum({value}) FILTER (WHERE {chosen}), 0)",
                    f"count({value}) FILTER (WHERE {chosen})",
                )
            case _:
                return self._ratio(chosen, value)

    def _ratio(self, chosen: str, value: str) -> tuple[str, str]:
        given = self.definition
        below = self._chosen(given.denominator_event, given.denominator_filters)
        divisor = f"count(*) FILTER (WHERE {below})"
        if given.denominator_property:
            number = f"analysis_number(h.props -> {quote(given.denominator_property)})"
            divisor = f"coalesce(sum({number}) FILTER (WHERE {below}), 0)"
        top = f"coalesce(sum({value}) FILTER (WHERE {chosen}), 0)" if given.property else (
            f"count(*) FILTER (WHERE {chosen})"
        )  # fmt: skip
        return top, divisor

    def _funnel(self) -> str:
        """Return 1 where the steps were done in order: each step's first event after that of the step before."""
        steps = [
            f"WHEN {self._chosen(step.event, step.filters)} THEN {place}"
            for place, step in enumerate(self.definition.steps, start=1)
        ]
        if len({step.event for step in self.definition.steps}) < len(self.definition.steps):
            # One event may be several steps: each is offered on its own, in the order of the steps.
            return self._repeating_funnel()
        place = f"CASE {' '.join(steps)} END"
        done = f"cardinality(analysis_steps(h.at, {place} ORDER BY h.at, {place}) FILTER (WHERE {place} IS NOT NULL))"
        return f"CASE WHEN {done} = {len(steps)} THEN 1 ELSE 0 END"

    def _repeating_funnel(self) -> str:
        rows = ", ".join(
            f"({place}, {quote(step.event)}, {quote(json.dumps(conditions.stored(step.filters)))}::jsonb)"
            for place, step in enumerate(self.definition.steps, start=1)
        )
        return _REPEATING.format(steps=len(self.definition.steps), rows=rows)

    def _refunds(self) -> str:
        given = self.definition
        if not given.refund_event:
            return ""
        number = f"analysis_number(h.props -> {quote(given.refund_property)})"
        return f" - coalesce(sum({number}) FILTER (WHERE h.name = {quote(given.refund_event)}), 0)"

    def _at_most(self, number: str) -> str:
        cap = self.definition.cap_value
        return number if cap is None else f"least({cap}, {number})"

    def _chosen(self, event: str, filters: tuple[Filter, ...]) -> str:
        named = f"h.name = {quote(event)}"
        if not filters:
            return named
        path = f"analysis_path({quote(json.dumps(conditions.stored(filters)))})"
        return f"{named} AND jsonb_path_match(h.props, {path}, silent => true)"

    def _stopped(self) -> str:
        stopped = self.experiment.stopped_at
        return "" if stopped is None else f" AND l.at <= {_time(stopped)}"

    def _bots(self) -> str:
        found = map(self._behind, _bot_queries(self.experiment))
        return "".join(f"\n      AND {self.id} NOT IN ({query})" for query in found)

    def _behind(self, ids: str) -> str:
        return _BEHIND.format(ids=ids, project=self.experiment.project_id) if self.is_linked else ids


def _bot_queries(experiment: Experiment) -> Iterator[str]:
    for rule in BotRule.objects.filter(project=experiment.project_id):
        if experiment.stopped_at is not None and experiment.stopped_at < rule.switched_on_at:
            continue
        began = experiment.counts_from or experiment.created_at
        stopped = experiment.stopped_at
        yield _BOTS.format(
            project=experiment.project_id, unit_type=quote(experiment.unit_type),
            began=quote(began.date().isoformat()), most_a_day=rule.most_a_day, most_a_minute=rule.most_a_minute,
            until="" if stopped is None else f" AND day <= {quote(stopped.date().isoformat())}",
        )  # fmt: skip


def _time(at: datetime) -> str:
    return f"timestamptz {quote(at.isoformat())}"
