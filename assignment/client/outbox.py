"""Send events in batches from a thread of their own: the app never waits, and nothing is sent on twice as new."""

import gzip
import logging
import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

logger = logging.getLogger("truelift.client")

BATCH = 200
FIRST_WAIT, LONGEST_WAIT, HURRIED_WAIT = 0.5, 60.0, 0.25
WORTH_PACKING = 2_000
_RETRIED = frozenset((408, 425, 429, 460, 500, 502, 503, 504))

Event = dict[str, Any]


def stamped(event: Event) -> Event:
    """Return the event with its time and identity, which stay the same however often it is sent."""
    return {"messageId": str(uuid.uuid4()), "timestamp": datetime.now(UTC).isoformat(), **event}


class Outbox:
    """Events that wait to be acknowledged.

    An event stays here until the server has acknowledged it on disk. When more than ``most`` wait, for the server has
    been away for long, new ones are dropped and counted in ``dropped``: memory is the app's before it is ours.
    """

    def __init__(self, url: str, key: str, http: httpx.Client, *, seconds: float, most: int) -> None:
        self._url, self._key = url, key
        self._address = f"{url.rstrip('/')}/v1/batch"
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._http = http
        self._seconds = seconds
        self._most = most
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._hurry = False
        self._wait = FIRST_WAIT
        self.sent = 0
        self.dropped = 0
        self.refused = 0
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> bool:
        """Take an event; return False where it had to be dropped."""
        event = stamped(event)
        with self._changed:
            if self._stopping or len(self._waiting) >= self._most:
                self.dropped += 1
                return False
            self._waiting.append(event)
            if self._thread is None:
                # Begun by the first event, so that a process forked before it has a thread of its own.
                self._thread = threading.Thread(target=self._run, name="truelift-events", daemon=True)
                self._thread.start()
            if len(self._waiting) >= BATCH:
                self._changed.notify_all()
        return True

    def flush(self, seconds: float) -> bool:
        """Send what waits now; return whether all of it was acknowledged in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while self._waiting and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self._hurry = False
            return not self._waiting

    def close(self, seconds: float) -> bool:
        """Send what waits, then take no more; return whether all was acknowledged."""
        done = self.flush(seconds)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        return done

    def heir(self, http: httpx.Client) -> "Outbox":
        """Return an empty outbox for a forked child: what waits here, the parent will send."""
        return Outbox(self._url, self._key, http, seconds=self._seconds, most=self._most)

    def _run(self) -> None:
        changed = self._changed
        while True:
            with changed:
                if not self._hurry and not self._stopping and len(self._waiting) < BATCH:
                    changed.wait(self._seconds)
                batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
                if self._stopping:
                    return
            if not batch:
                with changed:
                    if not self._waiting and not self._stopping:
                        changed.wait()
                continue
            if self._send(batch):
                with changed:
                    for _ in batch:
                        self._waiting.popleft()
                    changed.notify_all()

    def _send(self, batch: list[Event]) -> bool:
        """Send one batch; return whether it is done with: acknowledged, or refused for good."""
        body = msgspec.json.encode({"batch": batch, "sentAt": datetime.now(UTC).isoformat()})
        headers = self._headers
        if len(body) > WORTH_PACKING:
            body, headers = gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
        try:
            answer = self._http.post(self._address, content=body, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            return self._later(f"{error or type(error).__name__}", None)
        if answer.status_code == httpx.codes.OK:
            self._wait = FIRST_WAIT
            self._count(batch, answer)
            return True
        if answer.status_code in _RETRIED:
            return self._later(f"the server answered {answer.status_code}", answer.headers.get("retry-after"))
        self.refused += len(batch)
        logger.error("%d events were refused with %d: %s", len(batch), answer.status_code, answer.text[:300])
        return True

    def _count(self, batch: list[Event], answer: httpx.Response) -> None:
        refused = answer.json().get("refused") or []
        self.refused += len(refused)
        self.sent += len(batch) - len(refused)
        for one in refused[:3]:
            logger.error("An event was refused: %s", one.get("message"))

    def _later(self, reason: str, retry_after: str | None) -> bool:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        logger.warning("Events wait, and are sent again in %.1f s: %s.", wait, reason)
        deadline = time.monotonic() + wait
        with self._changed:
            # Whoever waits in flush wants it tried again soon; new events alone are no reason to ask earlier.
            while not self._stopping and (left := deadline - time.monotonic()) > 0:
                if self._hurry:
                    self._changed.wait(min(left, HURRIED_WAIT))
                    break
                self._changed.wait(left)
        return False
