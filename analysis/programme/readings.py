"""Readings that are kept: a page shows the last one at once, with its age, and newer data has it made anew."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec
from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from analysis.models import ProgrammeReading
from analysis.programme import proxies, vectors
from analysis.programme.choice import Question
from analysis.programme.schema import Proxies
from experiments.models import Project

ENGINE = "1"
"""Grows when the way of computing changes, so that what was kept under an older one is made anew."""
PROXIES = "proxies"
TASK = "analysis.renew_reading"
AT_ONCE = 0.5
"""Seconds that a reading may have taken last time and still be made anew while the page waits."""
FORGOTTEN_AFTER = timedelta(days=7)
Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Generic[Shape]):
    """A reading with its age. ``stale``: newer data is there, and a worker is asked to read it."""

    reading: Shape
    made_at: datetime
    seconds: float
    stale: bool


def proxies_of(project: Project, asked: Question, *, fresh: bool = False) -> Kept[Proxies]:
    """Return which proxies can be trusted: as kept, where that will do."""
    now = timezone.now()
    version = _version(project, asked, now)
    # What is kept is a page's whole content: it is read where it is shown, and not where it is replaced.
    rows = ProgrammeReading.objects.filter(project=project, topic=PROXIES, choice=asked.word)
    kept = rows.defer("payload").first()
    if kept is None or fresh or (kept.version != version and kept.seconds <= AT_ONCE):
        kept = make(project, asked, now)
    elif kept.version != version:
        _ask_for(project, asked)
    if now - kept.asked_at > timedelta(hours=1):
        ProgrammeReading.objects.filter(pk=kept.pk).update(asked_at=now)
    return Kept(
        reading=msgspec.convert(kept.payload, Proxies),
        made_at=kept.made_at,
        seconds=kept.seconds,
        stale=kept.version != version,
    )


def make(project: Project, asked: Question, now: datetime) -> ProgrammeReading:
    """Answer a question from the data as they are, and keep the answer."""
    began, version = time.perf_counter(), _version(project, asked, now)
    found = proxies.read(project, asked, now)
    columns = {
        "version": version,
        "made_at": now,
        "seconds": time.perf_counter() - began,
        "payload": msgspec.to_builtins(found),
    }
    kept, _ = ProgrammeReading.objects.defer("payload").update_or_create(
        project=project,
        topic=PROXIES,
        choice=asked.word,
        defaults=columns,
        create_defaults={**columns, "asked_at": now},
    )
    return kept


def renew(project: Project, now: datetime) -> int:
    """Make every reading anew that people look at and that newer data is there for; forget the others."""
    ProgrammeReading.objects.filter(project=project, asked_at__lt=now - FORGOTTEN_AFTER).delete()
    words = list(ProgrammeReading.objects.filter(project=project, topic=PROXIES).values_list("choice", flat=True))
    return sum(renew_one(project, word, now) for word in words)


def renew_one(project: Project, word: str, now: datetime) -> bool:
    """Answer one question anew, if what is kept rests on older data; return whether it was."""
    kept = ProgrammeReading.objects.filter(project=project, topic=PROXIES, choice=word).defer("payload").first()
    asked = msgspec.json.decode(word, type=Question)
    if kept is None or kept.version == _version(project, asked, now):
        return False
    make(project, asked, now)
    return True


def _version(project: Project, asked: Question, now: datetime) -> str:
    """Return a word for the data and, where the question has a window that moves, for the day."""
    day = "" if asked.period == "all" else f".{now:%y%m%d}"
    return f"{ENGINE}.{vectors.version(project)}.{project.north_star_id}{day}"[:64]


def _ask_for(project: Project, asked: Question) -> None:
    """Have a worker read newer data; without a broker the schedule does."""

    def send() -> None:
        try:
            current_app.send_task(TASK, [project.pk, asked.word], retry=False, expires=600)
        except BrokerError:
            return

    transaction.on_commit(send)
