"""Readings that are kept: a page shows the last one at once, with its age, and newer data has it made anew."""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec
from celery import current_app
from django.db import transaction
from django.db.models import Count, Max, Sum, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from analysis.models import HoldbackWatch, ProgrammeReading
from analysis.programme import north_star, proxies, vectors
from analysis.programme.choice import Question
from analysis.programme.schema import NorthStar, Proxies
from experiments.models import Experiment, Project

ENGINE = "1"
"""Grows when the way of computing changes, so that what was kept under an older one is made anew."""
PROXIES, NORTH_STAR = "proxies", "north-star"
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
    return _as(Proxies, *_newest(project, PROXIES, asked.word, fresh=fresh))


def north_star_of(project: Project, quarter: str) -> Kept[NorthStar]:
    """Return what moved the north star in a quarter, this one where none is named: as kept, where that will do."""
    return _as(NorthStar, *_newest(project, NORTH_STAR, north_star.named(quarter, timezone.now()), fresh=False))


def _as(shape: type[Shape], kept: ProgrammeReading, version: str) -> Kept[Shape]:
    return Kept(
        reading=_content(shape, kept),
        made_at=kept.made_at,
        seconds=kept.seconds,
        stale=kept.version != version,
    )


def _content(shape: type[Shape], kept: ProgrammeReading) -> Shape:
    """Read what is kept; from the database as text, for a large programme's is megabytes of it."""
    if "payload" not in kept.get_deferred_fields():
        return msgspec.convert(kept.payload, shape)
    rows = ProgrammeReading.objects.filter(pk=kept.pk).values_list(Cast("payload", TextField()), flat=True)
    return msgspec.json.decode(rows.get(), type=shape)


def _newest(project: Project, topic: str, word: str, *, fresh: bool) -> tuple[ProgrammeReading, str]:
    """Return what is kept with the version of the data as they are, made anew if that takes no long wait."""
    now = timezone.now()
    version = _version(project, topic, word, now)
    # What is kept is a page's whole content: it is read where it is shown, and not where it is replaced.
    rows = ProgrammeReading.objects.filter(project=project, topic=topic, choice=word)
    kept = rows.defer("payload").first()
    if kept is None or fresh or (kept.version != version and kept.seconds <= AT_ONCE):
        kept = make(project, topic, word, now)
    elif kept.version != version:
        _ask_for(project, topic, word)
    if now - kept.asked_at > timedelta(hours=1):
        ProgrammeReading.objects.filter(pk=kept.pk).update(asked_at=now)
    return kept, version


def make(project: Project, topic: str, word: str, now: datetime) -> ProgrammeReading:
    """Answer a question from the data as they are, and keep the answer."""
    began, version = time.perf_counter(), _version(project, topic, word, now)
    found = north_star.read(project, word, now) if topic == NORTH_STAR else proxies.read(project, _question(word), now)
    columns = {
        "version": version,
        "made_at": now,
        "seconds": time.perf_counter() - began,
        "payload": msgspec.to_builtins(found),
    }
    kept, _ = ProgrammeReading.objects.defer("payload").update_or_create(
        project=project,
        topic=topic,
        choice=word,
        defaults=columns,
        create_defaults={**columns, "asked_at": now},
    )
    return kept


def _question(word: str) -> Question:
    return msgspec.json.decode(word, type=Question)


def renew(project: Project, now: datetime) -> int:
    """Make every reading anew that people look at and that newer data is there for; forget the others."""
    ProgrammeReading.objects.filter(project=project, asked_at__lt=now - FORGOTTEN_AFTER).delete()
    asked = list(ProgrammeReading.objects.filter(project=project).values_list("topic", "choice"))
    return sum(renew_one(project, topic, word, now) for topic, word in asked)


def renew_one(project: Project, topic: str, word: str, now: datetime) -> bool:
    """Answer one question anew, if what is kept rests on older data; return whether it was."""
    kept = ProgrammeReading.objects.filter(project=project, topic=topic, choice=word).defer("payload").first()
    if kept is None or kept.version == _version(project, topic, word, now):
        return False
    make(project, topic, word, now)
    return True


def _version(project: Project, topic: str, word: str, now: datetime) -> str:
    """Return a word for the data and, where the question has a window that moves, for the day."""
    if topic == NORTH_STAR:
        return f"{ENGINE}.{vectors.version(project)}.{_north_star_version(project)}.{now:%y%m%d}"[:64]
    day = "" if _question(word).period == "all" else f".{now:%y%m%d}"
    return f"{ENGINE}.{vectors.version(project)}.{project.north_star_id}{day}"[:64]


def _north_star_version(project: Project) -> str:
    """Return a word for what the reading rests on besides the vectors: the metric, shares, and what holdbacks say."""
    metric = project.north_star
    facts: list[object] = [project.currency]
    if metric is not None:
        facts += [metric.pk, metric.key, metric.name, metric.kind, metric.direction, metric.display_unit]
    shares = Experiment.objects.filter(project=project, started_at__isnull=False).aggregate(
        Count("pk"), Sum("allocation"), Sum("shipped_share"), Sum("holdback_share")
    )
    watched = HoldbackWatch.objects.filter(holdback__project=project).aggregate(Max("read_at"), Count("decayed_at"))
    told = repr([facts, sorted(shares.items()), sorted(watched.items(), key=lambda one: one[0])])
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _ask_for(project: Project, topic: str, word: str) -> None:
    """Have a worker read newer data; without a broker the schedule does."""

    def send() -> None:
        try:
            current_app.send_task(TASK, [project.pk, word, topic], retry=False, expires=600)
        except BrokerError:
            return

    transaction.on_commit(send)
