"""The pages of all experiments: list, board and timeline, saved views, and what is done with several at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from analysis.charts.interval import Scale
from analysis.models import SavedView
from analysis.overview import saving
from analysis.overview.board import Column, columns
from analysis.overview.finding import Options, counted, counts, found, of_known_stages, of_stages, options, placed
from analysis.overview.forms import MOST_AT_ONCE, Bulk, BulkForm, SaveForm
from analysis.overview.rows import Row, rows
from analysis.overview.timeline import Timeline, timeline, window
from analysis.overview.wanted import MINE, SORTS, SPANS, Sort, View, Wanted, read
from experiments import filing
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.conclusions import Recommendation
from experiments.domain.kinds import ExperimentKind
from experiments.domain.stages import Stage
from experiments.models import Experiment, Project, User
from experiments.refusals import RefusedError

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything that the template shows."""

    wanted: Wanted
    counts: dict[Stage, int]
    options: Options
    shelf: saving.Shelf
    open_view: SavedView | None
    rows: list[Row]
    scale: Scale | None
    columns: list[Column]
    timeline: Timeline | None
    total: int
    archive_of: int

    @property
    def last_page(self) -> int:
        """Return the number of the last page."""
        return max(1, -(-self.total // PAGE))

    @property
    def first(self) -> int:
        """Return which of all experiments the first row is, from 1."""
        return (self.wanted.page - 1) * PAGE + 1

    @property
    def last(self) -> int:
        """Return which of all experiments the last row is."""
        return self.first + len(self.rows) - 1

    @property
    def all_stages(self) -> int:
        """Return how many there are whatever their stage."""
        return sum(self.counts.values())


@login_required
@require_GET
def experiment_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show all experiments, as their address asks for; with nothing asked for, one's default view."""
    project, role = get_project(request.user, project_slug)
    shelf = saving.shelf(project, request.user)
    wanted, view = _asked(request, shelf)
    listing = _listing(project, request.user, wanted, shelf, view, timezone.now())
    context = {
        "project": project,
        "listing": listing,
        "may_edit": may(role, Role.EDITOR),
        "views": list(View),
        "sorts": SORTS,
        "spans": SPANS,
        "kinds": list(ExperimentKind),
        "verdicts": list(Recommendation),
        "mine": MINE,
        "save_form": SaveForm(initial={"query": wanted.query, "name": view.name if view else ""}),
    }
    return render(request, "overview/list.html", context)


def _asked(request: SignedInRequest, shelf: saving.Shelf) -> tuple[Wanted, SavedView | None]:
    if not request.GET and shelf.default is not None:
        return saving.wanted_of(shelf.default), shelf.default
    wanted = read(request.GET.dict(), request.GET.getlist("stage"))
    seen = [*shelf.own, *shelf.shared]
    asked = wanted.but(page=1)
    return wanted, next((view for view in seen if saving.wanted_of(view) == asked and asked.query), None)


def _listing(
    project: Project, user: User, wanted: Wanted, shelf: saving.Shelf, view: SavedView | None, now: datetime
) -> Listing:
    of_all = found(project, user, wanted, now)
    in_order = [] if wanted.view is View.TIMELINE else placed(of_all, _order(wanted))
    counts_of = counts(of_all) if wanted.view is View.TIMELINE else counted(in_order)
    total = sum(n for stage, n in counts_of.items() if not wanted.stages or stage in wanted.stages)
    chosen = [one for one in in_order if not wanted.stages or one[1] in wanted.stages]
    shown, scale = _page(project, chosen, wanted, now) if wanted.view is View.LIST else ([], None)
    return Listing(
        wanted=wanted,
        counts=counts_of,
        options=options(project),
        shelf=shelf,
        open_view=view,
        rows=shown,
        scale=scale,
        columns=columns(project, chosen, counts_of, now) if wanted.view is View.BOARD else [],
        timeline=timeline(project, of_stages(of_all, wanted.stages), window(now, wanted.span, wanted.back), now)
        if wanted.view is View.TIMELINE
        else None,
        total=total,
        archive_of=Experiment.objects.filter(project=project, archived_at__isnull=False).count(),
    )


def _order(wanted: Wanted) -> Sort:
    return wanted.sort if wanted.view is View.LIST else Sort.NEWEST


def _page(
    project: Project, chosen: Sequence[tuple[int, str]], wanted: Wanted, now: datetime
) -> tuple[list[Row], Scale | None]:
    start = (wanted.page - 1) * PAGE
    return rows(project, of_known_stages(dict(chosen[start : start + PAGE])), now)


@login_required
@require_POST
def view_save(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Save the list under a name."""
    project, role = get_project(request.user, project_slug)
    form = SaveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The view was not saved: give it a name of at most 80 characters.")
        return _back(project, request.POST.get("query", ""))
    chosen = form.cleaned_data
    wanted = _list_of(chosen["query"])
    shared = chosen["shared"] and may(role, Role.ANALYST)
    try:
        view = saving.save(project, request.user, chosen["name"], wanted, shared=shared, default=chosen["default"])
    except RefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The view “{view.name}” is saved{' for all members' if shared else ''}.")
    return _back(project, wanted.query)


@login_required
@require_POST
def view_delete(request: SignedInRequest, project_slug: str, view_id: int) -> HttpResponse:
    """Delete a view; the experiments in it stay."""
    project, role = get_project(request.user, project_slug)
    seen = SavedView.objects.select_related("project", "owner").filter(project=project)
    view = get_object_or_404(seen, pk=view_id)
    if view.owner_id != request.user.pk and not view.is_shared:
        return redirect("experiment_list", project.slug)
    try:
        saving.delete(view, request.user, may_clear=may(role, Role.ADMIN))
    except RefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The view “{view.name}” is deleted; its experiments stay.")
    return redirect("experiment_list", project.slug)


@login_required
@require_POST
def bulk(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Tag, archive or restore several experiments; those that cannot be archived are named, the others are."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    form = BulkForm(request.POST)
    keys = request.POST.getlist("pick")[:MOST_AT_ONCE]
    chosen = list(Experiment.objects.filter(project=project, key__in=keys).select_related("project"))
    if not form.is_valid() or not chosen:
        messages.error(request, "Nothing was changed: choose experiments in the list, then what to do with them.")
        return _back(project, request.POST.get("query", ""))
    _do(request, Bulk(form.cleaned_data["do"]), chosen, form.cleaned_data["tags"])
    return _back(project, form.cleaned_data["query"])


def _do(request: SignedInRequest, what: Bulk, chosen: list[Experiment], tags: list[str]) -> None:
    if what is Bulk.TAG and not tags:
        messages.error(request, "Nothing was changed: name a tag to add.")
        return
    done, refused = 0, []
    for one in chosen:
        try:
            done += _act(what, one, tags, request.user)
        except RefusedError as error:
            refused.append(str(error))
    words = {Bulk.TAG: "tagged", Bulk.ARCHIVE: "archived", Bulk.RESTORE: "restored"}[what]
    messages.success(request, f"{done} experiment{'' if done == 1 else 's'} {words}.")
    for problem in refused[:5]:
        messages.error(request, problem)


def _act(what: Bulk, one: Experiment, tags: list[str], user: User) -> bool:
    match what:
        case Bulk.TAG:
            return filing.set_tags(one, [*one.tags, *tags], user)
        case Bulk.ARCHIVE:
            return filing.archive(one, user)
    return filing.restore(one, user)


def _list_of(query: str) -> Wanted:
    return saving.wanted_of(SavedView(query=query[:2000]))


def _back(project: Project, query: str) -> HttpResponseRedirect:
    # Read and written anew: only what a list can be asked comes back.
    asked = _list_of(query).query
    return HttpResponseRedirect(f"{reverse('experiment_list', args=[project.slug])}?{asked or 'sort=' + Sort.STAGE}")
