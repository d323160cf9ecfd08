"""The rule builder's sentence: what the rows say so far, asked for while somebody types."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils.html import escape
from django.views.decorators.http import require_POST

from experiments.access import SignedInRequest, get_project
from experiments.forms.targeting import TargetingForm

PREFIXES = ("targeting", "segment")


@login_required
@require_POST
def sentence(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Say for whom the posted rows hold, or the first thing that is wrong with them."""
    project, _ = get_project(request.user, project_slug)
    asked = request.GET.get("prefix", "")
    prefix = asked if asked in PREFIXES else PREFIXES[0]
    segments = list(project.segments.filter(archived_at__isnull=True))
    form = TargetingForm(segments=segments, posted=request.POST, prefix=prefix)
    said = form.words if form.is_valid() else form.errors[0].message
    return HttpResponse(escape(said))
