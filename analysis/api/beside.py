"""What stands beside an experiment's results over the API: links without an account, notes, metrics in depth."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis import noting, sharing
from analysis.details import keeping
from analysis.details.schema import Detail
from analysis.models import Note, ResultSnapshot, ShareLink
from analysis.pages.share import address_of
from experiments.api.answers import conflict
from experiments.api.fields import Name, Taken
from experiments.api.finding import experiment_of, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation


class ShareAnswer(Struct, frozen=True, kw_only=True):
    """A link to the results without an account. ``address`` is answered once, where it is made."""

    id: int
    purpose: str
    snapshot: int | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    opened: int
    opened_at: datetime | None
    is_open: bool
    address: str | None = None


class ShareList(Struct, frozen=True, kw_only=True):
    """A page of links, newest first."""

    shares: list[ShareAnswer]
    next: str | None


class NewShare(Taken, frozen=True, kw_only=True):
    """A link to make: who it is for and for how long; ``newest`` false keeps it to the results as they are now."""

    purpose: Name
    days: Annotated[int, Meta(ge=1, le=sharing.LONGEST_DAYS)] = 30
    newest: bool = True


class NoteAnswer(Struct, frozen=True, kw_only=True):
    """A note beside the results."""

    id: int
    text: str
    author: str | None
    written_at: datetime
    edited_at: datetime | None


class NoteList(Struct, frozen=True, kw_only=True):
    """A page of notes, newest first."""

    notes: list[NoteAnswer]
    next: str | None


class NoteBody(Taken, frozen=True, kw_only=True):
    """What a note says."""

    text: Annotated[str, Meta(min_length=1, max_length=noting.LONGEST, pattern=r"\S")]


class DepthAnswer(Detail, frozen=True, kw_only=True):
    """A metric in depth, as it was last counted."""

    metric: str
    counted_at: datetime


def share_list(call: Call) -> ShareList:
    """List an experiment's links."""
    rows, following = page(call, ShareLink.objects.filter(experiment=experiment_of(call)))
    return ShareList(shares=[_share(row) for row in rows], next=following)


def share(call: Call, body: NewShare) -> ShareAnswer:
    """Make a link; its address is in this answer and in no later one."""
    experiment, now = experiment_of(call), timezone.now()
    snapshot = None if body.newest else ResultSnapshot.objects.filter(experiment=experiment).first()
    if not body.newest and snapshot is None:
        raise conflict(f"{experiment.name} has no results yet that a link could be kept to.", "no_results_yet")
    made, token = sharing.share(experiment, None, body.purpose.strip(), body.days, now, snapshot)
    return _share(made, address_of(token))


def unshare(call: Call) -> ShareAnswer:
    """End a link at once."""
    experiment = experiment_of(call)
    found = ShareLink.objects.filter(experiment=experiment, pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, "link with the id", call.args["id"])
    found.experiment = experiment
    sharing.revoke(found, None, timezone.now())
    found.refresh_from_db()
    return _share(found)


def note_list(call: Call) -> NoteList:
    """List the notes beside an experiment's results."""
    found = Note.objects.filter(experiment=experiment_of(call)).order_by("-pk").select_related("author")
    rows, following = page(call, found)
    return NoteList(notes=[_note(row) for row in rows], next=following)


def write_note(call: Call, body: NoteBody) -> NoteAnswer:
    """Write a note, without an author: a key is nobody in particular."""
    return _note(noting.write(experiment_of(call), None, body.text, timezone.now()))


def edit_note(call: Call, body: NoteBody) -> NoteAnswer:
    """Change a note that a key wrote."""
    note = _own_note(call)
    noting.edit(note, None, body.text, timezone.now())
    note.refresh_from_db()
    return _note(note)


def delete_note(call: Call) -> None:
    """Delete a note that a key wrote."""
    noting.delete(_own_note(call), None)


def in_depth(call: Call) -> DepthAnswer:
    """Return how a metric's units are spread, and what its effect does with the days since the exposure."""
    experiment, metric = experiment_of(call), call.args["metric"]
    if not experiment.plan.filter(metric__key=metric).exists():
        raise missing(call.project, f"experiment {experiment.key!r} with a metric", metric)
    kept = keeping.newest(experiment, metric)
    if kept is None:
        raise conflict(f"{metric} of {experiment.name} has not been counted in depth yet.", "no_results_yet")
    detail, counted_at = kept
    return DepthAnswer(
        metric=metric,
        counted_at=counted_at,
        spread=detail.spread,
        wearing=detail.wearing,
        breakdowns=detail.breakdowns,
    )


def _own_note(call: Call) -> Note:
    experiment = experiment_of(call)
    note = Note.objects.filter(experiment=experiment, pk=call.args["id"]).first()
    if note is None:
        raise missing(call.project, "note with the id", call.args["id"])
    if note.author_id is not None:
        raise conflict("A person wrote this note; only they may change or delete it, on the page.")
    note.experiment = experiment
    return note


def _share(row: ShareLink, address: str | None = None) -> ShareAnswer:
    return ShareAnswer(
        id=row.pk,
        purpose=row.purpose,
        snapshot=row.snapshot_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        opened=row.opened,
        opened_at=row.opened_at,
        is_open=sharing.is_open(row, timezone.now()),
        address=address,
    )


def _note(row: Note) -> NoteAnswer:
    author = row.author.email if row.author else None
    return NoteAnswer(id=row.pk, text=row.text, author=author, written_at=row.written_at, edited_at=row.edited_at)


SHARES, NOTES = "/experiments/{key}/shares", "/experiments/{key}/notes"
OPERATIONS = [
    Operation(
        method="GET", path=SHARES, summary="List links without an account", handle=share_list, query=Page,
        answers=ShareList,
    ),
    Operation(
        method="POST", path=SHARES, summary="Make a link without an account", handle=share, takes=NewShare,
        answers=ShareAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="DELETE", path=SHARES + "/{id}", summary="End a link at once", handle=unshare, answers=ShareAnswer
    ),
    Operation(
        method="GET", path=NOTES, summary="List notes beside the results", handle=note_list, query=Page,
        answers=NoteList,
    ),
    Operation(
        method="POST", path=NOTES, summary="Write a note", handle=write_note, takes=NoteBody, answers=NoteAnswer,
        status=HTTPStatus.CREATED,
    ),
    Operation(
        method="PUT", path=NOTES + "/{id}", summary="Change a note", handle=edit_note, takes=NoteBody,
        answers=NoteAnswer,
    ),
    Operation(
        method="DELETE", path=NOTES + "/{id}", summary="Delete a note", handle=delete_note, answers=None,
        status=HTTPStatus.NO_CONTENT,
    ),
    Operation(
        method="GET", path="/experiments/{key}/results/metrics/{metric}", summary="A metric in depth",
        handle=in_depth, answers=DepthAnswer,
    ),
]  # fmt: skip
