"""The forecast beside a plan: asked for by the set-up's page while somebody types, or opened for a plan as saved."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from analysis import outlook
from analysis.outlook import Asked, Outlook, Past
from analysis.stats.unavailable import NotComputable
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole
from experiments.domain.shares import WHOLE
from experiments.models import Experiment, Metric

_ROW = re.compile(r"^guardrails-\d{1,3}-metric$")
LONGEST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plan as typed or as saved; what is no number yet, because somebody is typing, is as if it were not there."""

    primary: Metric | None
    primaries: int
    guardrails: tuple[tuple[Metric, float], ...]
    days: int
    reading: ReadingPlan
    planned_units: int | None
    matters: float | None


@login_required
@require_GET
def forecast(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Say what a plan can promise, as typed so far or as saved."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    metrics = {metric.pk: metric for metric in experiment.project.metrics.all()}
    draft = typed(request.GET, metrics) if "planned_days" in request.GET else saved(experiment)
    found, reason = look_ahead(experiment, draft)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "outlook": found,
        "reason": reason,
        "fits_in": _whole_weeks(found),
        "units": units_by(found) if found else None,
        "least_percent": _rounded_up(found),
    }
    template = "results/_forecast.html" if "HX-Request" in request.headers else "results/forecast.html"
    return render(request, template, context)


def look_ahead(experiment: Experiment, draft: Draft) -> tuple[Outlook | None, str]:
    """Return the outlook of a plan, or why there is none."""
    if draft.primary is None:
        return None, "Choose a primary metric, and the forecast follows."
    metrics = [draft.primary, *(metric for metric, _ in draft.guardrails)]
    sources = outlook.sources(metrics)
    if draft.primary.pk not in sources:
        return None, (
            f"Nobody knows yet what {draft.primary.name} is without a change: no experiment has units for it. "
            "An A/A test of a week would say it."
        )
    pasts = {
        metric.pk: found
        for metric in metrics
        if metric.pk in sources and isinstance(found := outlook.past(metric, sources[metric.pk]), Past)
    }
    mine = outlook.past(draft.primary, sources[draft.primary.pk])
    if isinstance(mine, NotComputable):
        return None, f"{draft.primary.name} cannot be planned: {mine.reason}."
    return outlook.outlook(mine, asked(experiment, draft), pasts), ""


def asked(experiment: Experiment, draft: Draft) -> Asked:
    """Return the question with the experiment's own split and share of the traffic."""
    weights = list(experiment.variants.order_by("position").values_list("weight", flat=True)) or [5000, 5000]
    return Asked(
        days=draft.days,
        control_share=weights[0] / WHOLE,
        treatment_share=min(weights[1:], default=WHOLE - weights[0]) / WHOLE,
        share=experiment.allocation / WHOLE,
        treatments=max(1, len(weights) - 1),
        primaries=draft.primaries,
        reading=draft.reading,
        planned_units=draft.planned_units,
        matters=draft.matters,
        guardrails=draft.guardrails,
    )


def saved(experiment: Experiment) -> Draft:
    """Return an experiment's plan as it is kept."""
    uses = list(experiment.plan.select_related("metric"))
    primaries = [use.metric for use in uses if use.role == MetricRole.PRIMARY]
    for use in uses:
        use.metric.project = experiment.project
    return Draft(
        primary=primaries[0] if primaries else None,
        primaries=max(1, len(primaries)),
        guardrails=tuple((use.metric, use.margin / WHOLE) for use in uses if use.margin is not None),
        days=experiment.planned_days,
        reading=ReadingPlan(experiment.reading),
        planned_units=experiment.planned_units,
        matters=experiment.matters / WHOLE if experiment.matters else None,
    )


def typed(fields: Mapping[str, str], metrics: Mapping[int, Metric]) -> Draft:
    """Return a plan as its form holds it at the moment."""
    also = [pk for pk in getattr(fields, "getlist", lambda _: [])("also") if pk != fields.get("primary")]
    matters = _number(fields.get("matters", ""))
    units = _number(fields.get("planned_units", ""))
    reading = fields.get("reading", "")
    return Draft(
        primary=_metric(fields.get("primary", ""), metrics),
        primaries=1 + len(also),
        guardrails=tuple(_guardrails(fields, metrics)),
        days=int(min(LONGEST_DAYS, max(1, _number(fields.get("planned_days", "")) or 14))),
        reading=ReadingPlan(reading) if reading in list(ReadingPlan) else ReadingPlan.FIXED,
        planned_units=int(units) if units and units >= 1 else None,
        matters=matters / 100 if matters and 0 < matters <= 100 else None,
    )


def _guardrails(fields: Mapping[str, str], metrics: Mapping[int, Metric]) -> Iterator[tuple[Metric, float]]:
    for name in fields:
        metric = _metric(fields[name], metrics) if _ROW.match(name) else None
        margin = _number(fields.get(f"{name.removesuffix('metric')}margin", ""))
        if metric is not None and margin is not None and 0 <= margin <= 100:
            yield metric, margin / 100


def _metric(text: str, metrics: Mapping[int, Metric]) -> Metric | None:
    return metrics.get(int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) < 1e15 else None


def _whole_weeks(found: Outlook | None) -> int | None:
    """Return the days to plan instead, where others would be better."""
    if found is None or not isinstance(found.needed_days, int) or found.needed_days == found.asked.days:
        return None
    return found.needed_days if not found.is_enough else None


def units_by(found: Outlook) -> int:
    """Return how many units will have come by the planned end."""
    return max(1, round(found.units))


def _rounded_up(found: Outlook | None) -> str:
    """Return the smallest change that the plan can see in percent, rounded so that it still can."""
    if found is None or isinstance(found.least, NotComputable) or found.least > 1:
        return ""
    return f"{max(0.01, math.ceil(found.least * 1000) / 10):g}"
