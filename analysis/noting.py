"""Notes beside an experiment's results: everyone who sees it may write, and change or delete their own."""

from datetime import datetime

from django.db import transaction

from analysis.models import Note
from experiments import audit
from experiments.models import Experiment, User

LONGEST = 4000


@transaction.atomic
def write(experiment: Experiment, author: User | None, text: str, now: datetime) -> Note:
    """Add a note."""
    note = Note.objects.create(experiment=experiment, author=author, text=text, written_at=now)
    _record(note, author, "experiment.note", after={"note": note.pk, "text": text})
    return note


@transaction.atomic
def edit(note: Note, user: User | None, text: str, now: datetime) -> bool:
    """Change what a note says; return whether it says anything else now."""
    locked = Note.objects.select_for_update().filter(pk=note.pk).first()
    if locked is None or locked.text == text:
        return False
    before, locked.text, locked.edited_at = locked.text, text, now
    locked.save(update_fields=["text", "edited_at"])
    _record(note, user, "experiment.note-edit", before={"text": before}, after={"text": text})
    return True


@transaction.atomic
def delete(note: Note, user: User | None) -> bool:
    """Take a note away; what it said stays in the audit."""
    pk, (gone, _) = note.pk, Note.objects.filter(pk=note.pk).delete()
    if gone:
        _record(note, user, "experiment.note-delete", before={"note": pk, "text": note.text})
    return bool(gone)


def may_change(note: Note, user: User) -> bool:
    """Say whether a note is the user's own."""
    return note.author_id == user.pk


def _record(
    note: Note, user: User | None, action: str, *, before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:  # fmt: skip
    experiment = note.experiment
    audit.record(experiment.project, user, action, f"experiment:{experiment.key}", before=before, after=after)
