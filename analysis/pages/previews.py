"""A metric tried on the last days' events: its histogram and what it would mean, beside its form and on its page."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from analysis.pages.metrics import part_of_page
from analysis.preview import Preview, preview
from analysis.stats.unavailable import NotComputable
from experiments.access import SignedInRequest, get_project
from experiments.domain.definition_words import sentence
from experiments.domain.definitions import Definition, flaws
from experiments.domain.units import UnitType
from experiments.forms.metrics import MetricForm
from experiments.models import Project
from experiments.pages.formats import percent, quantity

BAR, HEIGHT = 14, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the drawn histogram."""

    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A preview as its part of a page writes it."""

    preview: Preview
    bars: list[Bar]
    width: int
    low: str
    high: str
    facts: list[tuple[str, str]]
    hint: str


@login_required
@never_cache
@require_POST
def try_form(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Try what the form says so far."""
    project, _ = get_project(request.user, project_slug)
    form = MetricForm(project, request.POST)
    said = form.sentence
    if form.definition is None or flaws(form.definition):
        return render(request, "metrics/preview.html", {"reason": said})
    context = _tried(project, form.definition, request.POST.get("display_unit", ""))
    return render(request, "metrics/preview.html", context)


@login_required
@never_cache
@require_GET
def try_metric(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Try a metric's newest version."""
    project, _ = get_project(request.user, project_slug)
    metric = project.metrics.filter(key=key).first()
    if metric is None:
        raise Http404(f"Project {project_slug!r} has no metric {key!r}.")
    context = _tried(project, metric.definition(), metric.display_unit)
    context |= {"project": project, "metric": metric}
    return part_of_page(request, "metrics/preview.html", context, "On your own events")


def _tried(project: Project, definition: Definition, unit: str) -> dict[str, object]:
    found = preview(project, definition, UnitType.USER, timezone.now())
    context: dict[str, object] = {"sentence": sentence(definition, UnitType.USER.value)}
    if isinstance(found, NotComputable):
        context["reason"] = f"Nothing to show: {found.reason}."
    else:
        context["shown"] = _shown(found, definition, unit, project.currency)
    return context


def _shown(found: Preview, definition: Definition, unit: str, currency: str) -> Shown:
    def written(value: float | None) -> str:
        return quantity(value, unit if not definition.is_bounded or value is None else "percent", currency)

    most = max((one.units for one in found.bins), default=0) or 1
    bars = [
        Bar(x=index * BAR, y=round(HEIGHT * (1 - one.units / most), 1), height=round(HEIGHT * one.units / most, 1))
        for index, one in enumerate(found.bins)
    ]
    facts = [("Value", written(found.value)), ("Users", f"{found.units:,}"), ("Zeros", percent(found.zeros, 1))]
    if found.deviation is not None and not definition.is_bounded:
        facts.append(("Standard deviation", quantity(found.deviation, unit, currency)))
    if not definition.is_bounded:
        facts.append(("Largest", ", ".join(quantity(one, unit, currency) for one in found.top[:3])))
    if found.cap is not None:
        facts.append(("Capped", f"{found.capped:,} users at {quantity(found.cap, unit, currency)}"))
        facts.append(("Without the cap", quantity(found.uncapped, unit, currency)))
    if found.missing:
        facts.append(("No number", f"{found.missing:,} events"))
    low, high = ("", "") if not found.bins else (found.bins[0].low, found.bins[-1].high)
    return Shown(
        preview=found,
        bars=bars,
        width=BAR * max(1, len(bars)),
        low="" if low == "" else quantity(float(low), unit, currency),
        high="" if high == "" else quantity(float(high), unit, currency),
        facts=facts,
        hint=_hint(found),
    )


def _hint(found: Preview) -> str:
    if found.change is None:
        return ""
    days = "1 day" if found.days == 1 else f"{found.days} days"
    return (
        f"As many users as in these {days}, in two equal variants, would show a change of "
        f"{percent(found.change, 1)} or more with 80% chance."
    )
