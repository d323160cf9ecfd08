"""The only way to load a project's objects: with the caller's role, or not at all.

A stranger gets 404, so that nobody learns which projects exist; a member whose role is too weak gets 403.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from experiments.domain.access import ROLE_RANK, Role
from experiments.models import Experiment, Flag, Membership, Project, User


class SignedInRequest(HttpRequest):
    """A request behind ``login_required``: its user is a person."""

    user: User


def get_project(user: User, slug: str, role: Role = Role.VIEWER) -> tuple[Project, Role]:
    """Return the project and the caller's role in it, if that is at least ``role``."""
    membership = Membership.objects.select_related("project").filter(user=user, project__slug=slug).first()
    if membership is None:
        raise Http404(f"There is no project {slug!r} that you are a member of.")
    return membership.project, _at_least(role, Role(membership.role))


def get_experiment(user: User, slug: str, key: str, role: Role = Role.VIEWER) -> tuple[Experiment, Role]:
    """Return the experiment with its project, and the caller's role, if that is at least ``role``."""
    project, held = get_project(user, slug, role)
    experiment = Experiment.objects.filter(project=project, key=key).first()
    if experiment is None:
        raise Http404(f"Project {slug!r} has no experiment {key!r}.")
    experiment.project = project
    return experiment, held


def get_flag(user: User, slug: str, key: str, role: Role = Role.VIEWER) -> tuple[Flag, Role]:
    """Return the flag with its project, and the caller's role, if that is at least ``role``."""
    project, held = get_project(user, slug, role)
    flag = Flag.objects.filter(project=project, key=key).first()
    if flag is None:
        raise Http404(f"Project {slug!r} has no flag {key!r}.")
    flag.project = project
    return flag, held


def may(held: Role, role: Role) -> bool:
    """Say whether a member with the role ``held`` may do what needs ``role``."""
    return ROLE_RANK[held] >= ROLE_RANK[role]


def _at_least(role: Role, held: Role) -> Role:
    if not may(held, role):
        raise PermissionDenied(
            f"Your role in this project is {held.value}; this needs {role.value}. Ask an admin of the project."
        )
    return held
