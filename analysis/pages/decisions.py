"""Give a file of logged decisions on the results page."""

import tempfile
from pathlib import Path

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from analysis.offpolicy.giving import FileRefusedError, give
from analysis.pages.results import render_latest
from analysis.tables.refusal import RefusalError
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status

NO_FILE = "Choose a file first."


@login_required
@require_POST
def give_file(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Evaluate the file and show the answer; say beside the form what is wrong with it."""
    experiment, role = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status == Status.DRAFT:
        messages.error(request, f"{experiment.name} is a draft: start it, then give the file.")
        return redirect("experiment_detail", project_slug, key)
    given = request.FILES.get("decisions")
    if not isinstance(given, UploadedFile):
        return render_latest(request, experiment, role, give_error=NO_FILE)
    try:
        with tempfile.NamedTemporaryFile(prefix="truelift-given-") as file:
            for chunk in given.chunks():
                file.write(chunk)
            file.flush()
            give(experiment, Path(file.name), str(given.name), request.user)
    except (RefusalError, FileRefusedError) as refused:
        return render_latest(request, experiment, role, give_error=_about(str(refused), str(given.name)))
    messages.success(request, f"{given.name} is evaluated.")
    return redirect("experiment_results", project_slug, key)


def _about(text: str, name: str) -> str:
    """Return a refusal with the file's own name in place of the temporary one."""
    words = [name if word.startswith(f"{tempfile.gettempdir()}/truelift-given-") else word for word in text.split(" ")]
    return " ".join(words)
