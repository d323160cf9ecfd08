"""Let people see what arrives: counts of accepted events and the last refused ones, from every server process.

Nothing here is on an event's way to the disk. A process gathers in memory and passes on once a second; Valkey keeps a
bounded ring a project. When Valkey is away, people see less and events arrive as ever.
"""

import asyncio
import contextlib
import logging
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import redis

from events.row import PRODUCTION

logger = logging.getLogger(__name__)

GZIP_MAGIC = b"\x1f\x8b"
KEPT_REFUSALS = 200
KEPT_MINUTES = 60
REFUSAL_DAYS = 7
MOST_NAMES = 200
"""How many different event names are counted apart, a project and minute; the rest is counted together."""
OTHER_NAMES = "(other names)"
MOST_GATHERED = 1_000
LONGEST_SNIPPET = 400
LONGEST_MESSAGE = 400
FLUSH_SECONDS = 1.0
# Keys of this product and the fields in which protocols carry keys.
_KEYS = re.compile(rb'tl_[A-Za-z0-9_-]{6,}|("(?:writeKey|api_key|apiKey|token|password|secret)"\s*:\s*)"[^"]*"?')


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One event, or one whole body, that was not kept: why, and how it began."""

    at: datetime
    door: int
    environment: int
    code: str
    message: str
    message_id: str | None
    snippet: bytes


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal as the page shows it."""

    at: datetime
    door: int
    environment: int
    code: str
    message: str
    message_id: str | None
    snippet: str


class Watching(Protocol):
    """What doors tell of their work."""

    def accepted(self, project_id: int, environment: int, names: Mapping[str, int]) -> None:
        """Count events that are on disk, by name."""

    def refused(self, project_id: int, refusal: Refusal) -> None:
        """Remember what was not kept."""


class _Nobody:
    def accepted(self, project_id: int, environment: int, names: Mapping[str, int]) -> None:
        """Let it pass."""

    def refused(self, project_id: int, refusal: Refusal) -> None:
        """Let it pass."""


NOBODY = _Nobody()


class Watch:
    """Gather in this process and pass on to Valkey, once a second, in a thread."""

    def __init__(self, address: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._redis = redis.Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2)
        self._now = now
        self._counts: dict[tuple[int, str], dict[str, int]] = {}
        self._refusals: dict[int, deque[Refusal]] = {}
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def accepted(self, project_id: int, environment: int, names: Mapping[str, int]) -> None:
        """Count events that are on disk, by name."""
        minute = self._counts.setdefault((project_id, minute_of(self._now())), {})
        for name, count in names.items():
            shown = name if environment == PRODUCTION else f"{name}\x00{environment}"
            if shown not in minute and len(minute) >= MOST_NAMES:
                shown = OTHER_NAMES
            minute[shown] = minute.get(shown, 0) + count

    def refused(self, project_id: int, refusal: Refusal) -> None:
        """Remember the last refusals of each project."""
        if project_id not in self._refusals and len(self._refusals) >= MOST_GATHERED:
            return
        self._refusals.setdefault(project_id, deque(maxlen=KEPT_REFUSALS)).append(refusal)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to pass on; the loop need not run yet."""
        self._task = loop.create_task(self._pass_on_forever())

    async def stop(self) -> None:
        """Pass on what is gathered, then end."""
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _pass_on_forever(self) -> None:
        stopping = False
        while not stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), FLUSH_SECONDS)
            stopping = self._stop.is_set()
            if self._counts or self._refusals:
                counts, self._counts = self._counts, {}
                refusals, self._refusals = self._refusals, {}
                await asyncio.to_thread(self._pass_on, counts, refusals)
        await asyncio.to_thread(self._redis.close)

    def _pass_on(
        self, counts: Mapping[tuple[int, str], Mapping[str, int]], refusals: Mapping[int, deque[Refusal]]
    ) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for (project_id, minute), names in counts.items():
                    key = count_key(project_id, minute)
                    for name, count in names.items():
                        pipe.hincrby(key, name, count)
                    pipe.expire(key, timedelta(minutes=KEPT_MINUTES + 5))
                for project_id, kept in refusals.items():
                    key = refusal_key(project_id)
                    pipe.lpush(key, *(msgspec.json.encode(shown(refusal)) for refusal in kept))
                    pipe.ltrim(key, 0, KEPT_REFUSALS - 1)
                    pipe.expire(key, timedelta(days=REFUSAL_DAYS))
                pipe.execute()
            self._failing = False
        except redis.RedisError as error:
            if not self._failing:
                logger.warning("What arrives cannot be shown, because Valkey is away: %s", error)
            self._failing = True


def shown(refusal: Refusal) -> Shown:
    """Return a refusal cut to size and without keys or passwords."""
    # Cut after the masking, and a little more than shown before it, so that no half key escapes at the end.
    packed = refusal.snippet.startswith(GZIP_MAGIC)
    masked = b"(compressed)" if packed else _KEYS.sub(_mask, refusal.snippet[: 4 * LONGEST_SNIPPET])
    text = masked.decode("utf-8", "replace").replace("\x00", "\ufffd")
    return Shown(
        at=refusal.at,
        door=refusal.door,
        environment=refusal.environment,
        code=refusal.code,
        message=refusal.message[:LONGEST_MESSAGE].encode("utf-8", "replace").decode(),
        message_id=refusal.message_id,
        snippet=text[:LONGEST_SNIPPET] + ("…" if len(text) > LONGEST_SNIPPET else ""),
    )


def _mask(found: re.Match[bytes]) -> bytes:
    return found[1] + '"…"'.encode() if found[1] else "tl_…".encode()


def minute_of(moment: datetime) -> str:
    """Return the minute as keys name it."""
    return f"{moment:%Y%m%d%H%M}"


def count_key(project_id: int, minute: str) -> str:
    """Return where a minute's counts by name are kept."""
    return f"truelift:events:count:{project_id}:{minute}"


def refusal_key(project_id: int) -> str:
    """Return where a project's last refusals are kept, newest first."""
    return f"truelift:events:refused:{project_id}"
