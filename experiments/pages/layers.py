"""Layers: what is taken and what is free, and a new one."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.units import UnitType
from experiments.forms.errors import summary
from experiments.forms.settings import LayerForm
from experiments.layers import create_layer
from experiments.pages.kept import typed
from experiments.pages.layer_bars import bars
from experiments.refusals import RefusedError


@login_required
@require_http_methods(["GET", "POST"])
def layer_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show each layer as a bar of who holds what, and make new ones."""
    posts = request.method == "POST"
    project, role = get_project(request.user, project_slug, Role.EDITOR if posts else Role.VIEWER)
    form = LayerForm(typed(request))
    if posts and form.is_valid():
        chosen = form.cleaned_data
        unit_type = UnitType(chosen["unit_type"])
        try:
            layer = create_layer(project, request.user, chosen["key"], chosen["name"], unit_type, chosen["description"])
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{layer.name} is there. A draft takes its part of it under “Who takes part”.")
            return redirect("layer_list", project.slug)
    context = {
        "project": project,
        "settings_page": "layers",
        "bars": bars(project),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "settings/layer_list.html", context, status=400 if request.method == "POST" else 200)
