"""Saved views: keep a list under a name, for oneself or for all members, and forget it again."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs

from django.db import transaction
from django.db.models import Q

from analysis.models import SavedView
from analysis.overview.wanted import Wanted, read
from experiments import audit
from experiments.models import Project, User
from experiments.names import lock_names
from experiments.refusals import RefusedError

MOST_VIEWS = 50
LONGEST_NAME = 80


class ViewError(RefusedError):
    """A view cannot be saved or deleted as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The views that one person sees: their own, and those that others share."""

    own: list[SavedView]
    shared: list[SavedView]

    @property
    def default(self) -> SavedView | None:
        """Return the view that opens by itself."""
        return next((view for view in self.own if view.is_default), None)


def shelf(project: Project, user: User) -> Shelf:
    """Return the saved views that a member sees, in one query."""
    views = SavedView.objects.filter(project=project).filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")
    views = views.only("project", "name", "query", "is_default", "is_shared", "owner__name", "owner__email")
    return Shelf(
        own=[view for view in views if view.owner_id == user.pk],
        shared=[view for view in views if view.owner_id != user.pk],
    )


def wanted_of(view: SavedView) -> Wanted:
    """Return the list that a view opens."""
    return _wanted(view.query)


@lru_cache(maxsize=4096)  # each list looks through the views for the one that it is
def _wanted(query: str) -> Wanted:
    pairs = parse_qs(query)
    return read({name: values[-1] for name, values in pairs.items()}, pairs.get("stage", []))


@transaction.atomic
def save(
    project: Project, user: User | None, name: str, wanted: Wanted, *, shared: bool = False, default: bool = False
) -> SavedView:
    """Save a list under a name; the same name again replaces what was there. Only what others see is audited.

    Raises
    ------
    ViewError
        When the name is empty or too long, or there are too many views.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise ViewError(f"Give the view a name of 1 to {LONGEST_NAME} characters.")
    lock_names(project)
    mine = SavedView.objects.filter(project=project, owner=user)
    found = mine.filter(name=name).first()
    if found is None and mine.count() >= MOST_VIEWS:
        raise ViewError(f"There are {MOST_VIEWS} views already; delete one first.")
    if default:
        mine.filter(is_default=True).update(is_default=False)
    before = _facts(found) if found and found.is_shared else None
    view = found or SavedView(project=project, owner=user, name=name)
    view.query, view.is_shared, view.is_default = wanted.query[:2000], shared, default
    view.save()
    if shared or before:
        audit.record(project, user, "view.save", _subject(view), before=before, after=_facts(view))
    return view


@transaction.atomic
def delete(view: SavedView, user: User | None, *, may_clear: bool) -> bool:
    """Delete a view; return whether this call did it. Those of others are deleted by who keeps the project in order.

    Raises
    ------
    ViewError
        When it is somebody else's and the person ``may_clear`` nothing of others.
    """
    if (view.owner_id != (user.pk if user else None)) and not may_clear:
        raise ViewError(f"{view.name} belongs to {view.owner or 'the project'}; only they or an admin can delete it.")
    gone, _ = SavedView.objects.filter(pk=view.pk).delete()
    if gone and view.is_shared:
        audit.record(view.project, user, "view.delete", _subject(view), before=_facts(view))
    return bool(gone)


def _facts(view: SavedView) -> dict[str, object]:
    return {"name": view.name, "query": view.query, "shared": view.is_shared}


def _subject(view: SavedView) -> str:
    return f"view:{view.name}"
