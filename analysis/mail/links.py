"""Whole addresses for e-mails, which are read far from the site."""

from django.conf import settings
from django.urls import reverse

from analysis.models import Digest, OutboxMessage, Recipient
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


def experiment_url(experiment: Experiment) -> str:
    """Return the experiment's set-up."""
    return absolute(reverse("experiment_detail", args=[experiment.project.slug, experiment.key]))


def alerts_url(project: Project) -> str:
    """Return the project's alerts."""
    return absolute(reverse("alert_list", args=[project.slug]))


def project_url(project: Project) -> str:
    """Return the project's first page."""
    return absolute(reverse("project_home", args=[project.slug]))


def unsubscribe_url(digest: Digest) -> str:
    """Return the address that ends this digest: a button for people, one POST for mail programs (RFC 8058)."""
    return absolute(reverse("unsubscribe", args=[digest.token]))


def preferences_url(recipient: Recipient) -> str:
    """Return the page on which a recipient says how to hear of things, without signing in."""
    return absolute(reverse("preferences", args=[recipient.token]))


def silence_url(recipient: Recipient) -> str:
    """Return the address that ends every message but digests: a button for people, one POST for mail programs."""
    return absolute(reverse("silence", args=[recipient.token]))


def way_out(message: OutboxMessage) -> str:
    """Return the address that ends messages such as this one, or nothing where none follows it."""
    if message.digest is not None:
        return unsubscribe_url(message.digest)
    return silence_url(message.reader) if message.reader is not None else ""
