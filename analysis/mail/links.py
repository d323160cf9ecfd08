"""Whole addresses for e-mails, which are read far from the site."""

from django.conf import settings
from django.urls import reverse

from analysis.models import Digest
from experiments.models import Experiment, Project


def absolute(path: str) -> str:
    """Return the address under which the world sees this path."""
    return f"{settings.BASE_URL}{path}"


def snapshot_url(experiment: Experiment, snapshot_id: int) -> str:
    """Return the page of exactly this result, which never changes."""
    return absolute(reverse("result_snapshot", args=[experiment.project.slug, experiment.key, snapshot_id]))


def results_url(experiment: Experiment) -> str:
    """Return the experiment's current results."""
    return absolute(reverse("experiment_results", args=[experiment.project.slug, experiment.key]))


def project_url(project: Project) -> str:
    """Return the project's first page."""
    return absolute(reverse("project_home", args=[project.slug]))


def unsubscribe_url(digest: Digest) -> str:
    """Return the address that ends this digest: a button for people, one POST for mail programs (RFC 8058)."""
    return absolute(reverse("unsubscribe", args=[digest.token]))
