"""Segments: saved answers to "who", made, changed and archived."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.kinds import SegmentKind
from experiments.forms.conditions import in_words
from experiments.forms.settings import SegmentForm
from experiments.models import Project, Segment
from experiments.pages.history import history
from experiments.pages.kept import typed
from experiments.refusals import RefusedError
from experiments.segments import SegmentPlan, archive_segment, create_segment, edit_segment, subject_of, uses


@login_required
@require_GET
def segment_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the segments in use, each in words."""
    project, role = get_project(request.user, project_slug)
    segments = list(project.segments.filter(archived_at__isnull=True))
    names = {segment.key: segment.name for segment in segments}
    context = {
        "project": project,
        "settings_page": "segments",
        "rows": [{"segment": one, "words": _words(one, names)} for one in segments],
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "settings/segment_list.html", context)


def _words(segment: Segment, names: dict[str, str]) -> str:
    if segment.kind == SegmentKind.CONDITION:
        return in_words(segment.targeting, names)
    count = len(segment.values)
    return f"{count:,} value{'' if count == 1 else 's'} of {segment.unit_attribute}"


@login_required
@require_http_methods(["GET", "POST"])
def segment_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or make the segment."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    form = _form(request, project)
    if request.method == "POST" and form.is_valid():
        try:
            segment = create_segment(project, request.user, _plan(form, form.cleaned_data["key"]))
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{segment.name} can be chosen in targeting.")
            return redirect("segment_list", project.slug)
    return _page(request, project, form)


@login_required
@require_http_methods(["GET", "POST"])
def segment_edit(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show a segment with what uses it, or change it. Nobody may leave what has started."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    segment = _segment(project, key)
    form = _form(request, project, segment)
    if request.method == "POST" and form.is_valid():
        try:
            revision = form.cleaned_data["revision"]
            if edit_segment(segment, request.user, _plan(form, segment.key), revision=revision):
                messages.success(request, "Saved.")
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            return redirect("segment_list", project.slug)
    return _page(request, project, form, segment)


@login_required
@require_POST
def segment_archive(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Take a segment that nothing uses out of the lists."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    segment = _segment(project, key)
    try:
        if archive_segment(segment, request.user):
            messages.success(request, f"{segment.name} is archived.")
    except RefusedError as error:
        messages.error(request, str(error))
        return redirect("segment_edit", project.slug, key)
    return redirect("segment_list", project.slug)


def _form(request: SignedInRequest, project: Project, segment: Segment | None = None) -> SegmentForm:
    posted = typed(request)
    segments = list(project.segments.filter(archived_at__isnull=True))
    return SegmentForm(posted, segments=segments, segment=segment)


def _segment(project: Project, key: str) -> Segment:
    segment = project.segments.filter(key=key).first()
    if segment is None:
        raise Http404(f"Project {project.slug!r} has no segment {key!r}.")
    segment.project = project
    return segment


def _plan(form: SegmentForm, key: str) -> SegmentPlan:
    chosen = form.cleaned_data
    kind = SegmentKind(chosen["kind"])
    return SegmentPlan(
        key=key,
        name=chosen["name"],
        kind=kind,
        description=chosen["description"],
        unit_attribute=chosen["unit_attribute"],
        values=chosen["values"],
        targeting=form.targeting.condition if kind is SegmentKind.CONDITION else {},
    )


def _page(
    request: SignedInRequest, project: Project, form: SegmentForm, segment: Segment | None = None
) -> HttpResponse:
    context = {
        "project": project,
        "settings_page": "segments",
        "segment": segment,
        "form": form,
        "errors": form.problems,
        "uses": list(uses(segment)) if segment else [],
        "history": history(project, subject_of(segment)) if segment else [],
    }
    return render(request, "settings/segment.html", context, status=400 if request.method == "POST" else 200)
