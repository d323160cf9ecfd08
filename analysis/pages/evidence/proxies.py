"""Which proxies can we trust? The answer, every proxy on one scale, and all there is about the chosen one."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.charts.scatter import MOST_POINTS, scatter_figure
from analysis.decisions.wording import inside, listed
from analysis.pages.evidence.forms import QuestionForm
from analysis.programme import readings, vectors, wording
from analysis.programme.choice import Question, known_metrics
from analysis.programme.schema import Detail, Mixture, Point, Proxies, ProxyFinding, SlopeFact, Trust
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.models import Project
from experiments.pages.formats import bounds, lift, percent

TONES = {Trust.TRUSTED: "good", Trust.MISLEADING: "bad", Trust.HINTED: "warn"}
SIGNS = {Trust.TRUSTED: "✓", Trust.MISLEADING: "!", Trust.HINTED: "!"}
ROWS_A_PAGE = 25
USEFUL = 0.3
"""Correlation with the true business effect below which a mixture is not worth looking at: 9 % of the variance."""
THREE = {
    "user_level": ("Between users", ""),
    "naive": (
        "Naive line",
        "Through the experiments' estimates. Both estimates of one experiment come from the same users, so their noise "
        "goes together and pulls this line towards the first one. More experiments do not mend it.",
    ),
    "corrected": (
        "Corrected",
        "With each experiment's own noise taken out: what changes have done. This is the answer.",
    ),
}
METHODS = {
    "user_level": "Between users",
    "naive": "Naive regression",
    "corrected": "Structural maximum likelihood",
    "weighted_total_covariance": "Covariance less noise, weighted",
    "total_covariance": "Covariance less noise",
    "liml": "LIML",
    "cross_fold": "Across hash buckets",
    "anderson_rubin": "Anderson-Rubin region",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One proxy of the table."""

    finding: ProxyFinding
    tone: str
    sign: str
    slope: str
    span: str
    naive: str
    mark: Mark | None
    label: str
    agreement: str
    lacking: str
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One of the three slopes that stand side by side."""

    title: str
    value: str
    span: str
    said: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """One experiment of the table beside the chart."""

    point: Point
    x: str
    y: str
    x_span: str
    y_span: str
    weight: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the template shows."""

    found: Proxies
    rows: list[Row]
    scale: Scale | None
    ticks: list[tuple[float, str]]
    cards: list[Card]
    figure: dict[str, Any] | None
    points: list[PointRow]
    drawn: int
    methods: list[tuple[str, str, str]]
    rules: list[dict[str, str]]
    mixture: str
    tone: str

    @property
    def detail(self) -> Detail | None:
        """Return what is known of the chosen proxy."""
        return self.found.detail


@login_required
@require_GET
def proxies(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show which proxies can be trusted."""
    project, role = get_project(request.user, project_slug)
    known = known_metrics(project)
    names = {key: one.name for key, one in known.items()}
    form = QuestionForm(request.GET, names, vectors.families(project))
    form.is_valid()
    asked = form.question()
    kept = readings.proxies_of(project, asked)
    wanted = form.cleaned_data.get("page") or 1
    shown = QuestionForm({**request.GET.dict(), "business": kept.reading.business or ""}, names, kept.reading.families)
    context = {
        "project": project,
        "form": shown,
        "kept": kept,
        "page": _page(project, kept.reading, asked, wanted),
        "place": _place(kept.reading.detail, wanted, request),
        "asked_fields": _fields(asked),
        "may_edit": may(role, Role.EDITOR),
        "evidence_tab": "proxies",
    }
    return render(request, "evidence/proxies.html", context)


@login_required
@require_POST
def renew(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Read the newest data now, and show the same question again."""
    project, _ = get_project(request.user, project_slug)
    names = {key: one.name for key, one in known_metrics(project).items()}
    form = QuestionForm(request.POST, names, vectors.families(project))
    form.is_valid()
    readings.proxies_of(project, form.question(), fresh=True)
    return redirect(f"{reverse('evidence', args=[project.slug])}?{_address(form.question())}")


def _page(project: Project, found: Proxies, asked: Question, wanted: int) -> Page:
    told = [one.corrected.interval for one in found.findings if _is_told(one) and one.corrected.interval]
    scale = scale_for(told, [one.corrected.value or 0.0 for one in found.findings if _is_told(one)]) if told else None
    chosen = found.detail.finding.metric if found.detail else ""
    return Page(
        found=found,
        rows=[_row(project, one, scale, asked, chosen) for one in found.findings],
        scale=scale,
        ticks=[(one.x, wording.slope(one.value) if one.value else "0") for one in scale.ticks] if scale else [],
        cards=_cards(found),
        figure=_figure(project, found),
        points=_points(found.detail, wanted),
        drawn=min(MOST_POINTS, len(found.detail.points)) if found.detail else 0,
        methods=[(METHODS[s.method], wording.slope(s.value), wording.span(s) or s.reason) for s in _slopes(found)],
        rules=_rules(found.detail),
        mixture=_mixture(found.mixture, found),
        tone=_tone(found),
    )


def _is_told(one: ProxyFinding) -> bool:
    return one.trust is not Trust.UNIDENTIFIED and one.corrected.value is not None


def _tone(found: Proxies) -> str:
    trusts = {one.trust for one in found.findings}
    return "good" if Trust.TRUSTED in trusts else "warn" if trusts - {Trust.UNIDENTIFIED} else "flat"


def _row(project: Project, one: ProxyFinding, scale: Scale | None, asked: Question, chosen: str) -> Row:
    told = _is_told(one)
    ends = one.corrected.interval if told and not one.corrected.excluded else None
    return Row(
        finding=one,
        tone=TONES.get(one.trust, "flat"),
        sign=SIGNS.get(one.trust, "–"),
        slope=wording.slope(one.corrected.value) if told else "",
        span=wording.span(one.corrected) if told else "",
        naive=wording.slope(one.naive.value) if told else "",
        mark=None if scale is None or ends is None else mark(scale, ends, one.corrected.value),
        label=f"{one.name}: {wording.slope(one.corrected.value)} ({wording.span(one.corrected)})",
        agreement=percent(one.sign_agreement, 0) if told and one.sign_agreement is not None else "",
        lacking="" if told else _lacking(one),
        address=f"{reverse('evidence', args=[project.slug])}?{_address(asked, proxy=one.metric)}#detail",
        is_chosen=one.metric == chosen,
    )


def _lacking(one: ProxyFinding) -> str:
    if one.missing is None:
        return "no signal seen"
    return f"about {wording.rounded(one.missing):,} more experiments"


def _address(asked: Question, **changed: str) -> str:
    return urlencode({**_fields(asked), **changed})


def _fields(asked: Question) -> dict[str, str]:
    """Return what was asked as an address writes it, what is as usual left out."""
    fields = {
        "business": asked.business,
        "proxy": asked.proxy,
        "family": asked.family,
        "period": asked.period if asked.period != "all" else "",
        "units": str(asked.units or ""),
        "gain": "" if asked.gain == 0.01 else f"{asked.gain:g}",
    }
    return {name: value for name, value in fields.items() if value}


def _slopes(found: Proxies) -> list[SlopeFact]:
    return found.detail.slopes if found.detail else []


def _cards(found: Proxies) -> list[Card]:
    """Return the three slopes side by side; without enough signal none is shown as an answer."""
    detail = found.detail
    if detail is None or not _is_told(detail.finding):
        return []
    by_method = {one.method: one for one in detail.slopes}
    return [
        Card(
            title=title,
            value=wording.slope(by_method[method].value),
            span=wording.span(by_method[method]),
            said=_lacking_slope(by_method[method]) or said or _between_users(detail.finding.name, found),
            tone=TONES.get(detail.finding.trust, "flat") if method == "corrected" else "flat",
        )
        for method, (title, said) in THREE.items()
    ]


def _lacking_slope(found: SlopeFact) -> str:
    return f"{found.reason[:1].upper()}{found.reason[1:]}." if found.value is None and found.reason else ""


def _between_users(proxy: str, found: Proxies) -> str:
    return (
        f"Users with 1% more {inside(proxy)} have that much more {inside(found.business_name)}. It says "
        "how users differ, not what a change does to them."
    )


def _figure(project: Project, found: Proxies) -> dict[str, Any] | None:
    detail = found.detail
    if detail is None:
        return None
    base = reverse("experiment_results", args=[project.slug, "KEY"])
    line = detail.line if _is_told(detail.finding) else None
    return scatter_figure(detail.points, line, (detail.finding.name, found.business_name), base)


def _points(detail: Detail | None, wanted: int) -> list[PointRow]:
    if detail is None:
        return []
    shown = detail.points[(wanted - 1) * ROWS_A_PAGE : wanted * ROWS_A_PAGE]
    return [
        PointRow(
            point=one,
            x=_lift(one.x),
            y=_lift(one.y),
            x_span=_ends(one.x, one.xx),
            y_span=_ends(one.y, one.yy),
            weight=percent(one.weight, 1),
        )
        for one in shown
    ]


def _lift(value: float) -> str:
    interval = wording.as_lifts((value, value))
    return lift(interval[0] if interval else None)


def _ends(value: float, variance: float) -> str:
    half = 1.959964 * variance**0.5
    return bounds(wording.as_lifts((value - half, value + half)))


def _place(detail: Detail | None, wanted: int, request: SignedInRequest) -> dict[str, str]:
    """Return the addresses of the table's page before and after, where there are any."""
    total = len(detail.points) if detail else 0
    kept = request.GET.copy()
    found = {"from": str((wanted - 1) * ROWS_A_PAGE + 1), "to": str(min(total, wanted * ROWS_A_PAGE)), "of": str(total)}
    for name, number in (("before", wanted - 1), ("after", wanted + 1)):
        if number > 0 and (number - 1) * ROWS_A_PAGE < total:
            kept["page"] = str(number)
            found[name] = f"?{kept.urlencode()}#experiments"
    return found


def _rules(detail: Detail | None) -> list[dict[str, str]]:
    if detail is None:
        return []
    return [
        {
            "name": one.name,
            "shipped": percent(one.shipped, 0),
            "gain": lift(one.gain, 2),
            "difference": "" if one.difference is None else lift(one.difference, 2),
            "span": bounds(one.difference_interval, 2),
        }
        for one in detail.rules
    ]


def _mixture(found: Mixture | None, all_of_it: Proxies) -> str:
    """Say which mixture of proxies to look at in the next experiment, and whether that is worth it."""
    if found is None:
        return ""
    single = all_of_it.metrics.get(found.best_single, found.best_single)
    size = f"In an experiment of {found.units:,} units"
    if found.quality < USEFUL:
        return f"{size}, even the best mixture of all proxies says little (correlation {found.quality:.2f})."
    if found.quality - found.best_single_quality < 0.03:
        return (
            f"{size}, {inside(single)} by itself is as good as any mixture: its measured effect correlates "
            f"{found.best_single_quality:.2f} with the true effect on {inside(all_of_it.business_name)}."
        )
    parts = [
        f"{abs(w):.0%} {'' if w > 0 else 'less '}{inside(all_of_it.metrics.get(key, key))}"
        for key, w in found.weights.items()
        if abs(w) >= 0.05
    ]
    return (
        f"{size}, the best mixture is {listed(parts)}: it correlates {found.quality:.2f} with the true effect on "
        f"{inside(all_of_it.business_name)}, {inside(single)} by itself {found.best_single_quality:.2f}."
        f"{_implied(found, all_of_it)}"
    )


def _implied(found: Mixture, all_of_it: Proxies) -> str:
    """Name what was left out because the other metrics already say it."""
    if not found.implied:
        return ""
    names = [all_of_it.metrics.get(key, key) for key in found.implied]
    verb, it = ("is", "it follows") if len(names) == 1 else ("are", "they follow")
    first = listed([names[0], *map(inside, names[1:])])
    return f" {first} {verb} left out: {it} from the other metrics."
