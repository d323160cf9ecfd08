"""The client: decide in the process, report what was shown and what happened."""

import atexit
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from assignment.client.decision import NOT_READY, UNKNOWN_FLAG, Decision, decision_of
from assignment.client.definition import ClientError, Definition, Fetcher, keep, load
from assignment.client.outbox import Event, Outbox
from assignment.client.watching import Stream, Watcher
from assignment.engine.program import Program
from assignment.engine.sdk.results import Source
from assignment.engine.sdk.sticky import StickyDocuments
from assignment.engine.sdk.values import unit_text
from assignment.engine.terminals import Explanation

EXPOSURE = "Experiment Viewed"
USER, DEVICE = "id", "device_id"
REMEMBERED = 10_000
TIMEOUT_SECONDS = 10.0

Attributes = Mapping[str, Any]


class Client:
    """Decides for units in this process, and sends exposures and events in the background.

    Safe to share between threads; make one a process. After a fork the child goes on with the last definition and
    sends its own events. Use it in a ``with`` block, or call ``start`` and ``close``.

    Parameters
    ----------
    url
        The server's address, such as ``http://localhost:8000``.
    key
        An API key with the scope *evaluate*, and *ingest* where exposures and events are sent. Its environment is the
        one that is evaluated.
    decryption_key
        The key's encryption key, where the key delivers its definition encrypted.
    stream
        Whether to hear of changes by the server's stream, within a second; otherwise, and where there is no stream,
        the server is asked every ``poll_seconds``.
    cache
        A file that keeps the last definition, so that the app can start while the server is away.
    sticky
        Where assignments are kept that must outlive a change of identity or weights; see the engine's
        ``StickyDocuments``.
    flush_seconds, most_waiting
        How long events are gathered at most, and how many may wait for a server that is away.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        decryption_key: str = "",
        stream: bool = True,
        poll_seconds: float = 30.0,
        cache: str | Path | None = None,
        sticky: StickyDocuments | None = None,
        flush_seconds: float = 1.0,
        most_waiting: int = 100_000,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ClientError(f"url is {url!r}; it must be the server's address, such as http://localhost:8000.")
        if not key:
            raise ClientError("key is empty; make an API key with the scopes evaluate and ingest, and give it here.")
        self._url, self._key, self._decryption_key = url, key, decryption_key
        self._stream, self._poll_seconds = stream, poll_seconds
        self._cache = None if cache is None else Path(cache)
        self._sticky = sticky
        self._definition: Definition | None = None
        self._exposed: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = threading.Lock()
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._outbox = Outbox(url, key, self._http, seconds=flush_seconds, most=most_waiting)
        self._watcher: Watcher | None = None
        self._closed = False
        _open_clients.add(self)

    # Life

    def start(self) -> "Client":
        """Fetch the definition and keep it fresh from now on.

        Raises
        ------
        ClientError
            When the server refuses, or cannot be reached and no cache holds an earlier definition.
        """
        if self._watcher is not None:
            return self
        fetcher = Fetcher(self._url, self._key, self._decryption_key, self._http)
        try:
            found = fetcher.fetch()
            if found is not None:
                self._install(found)
        except ClientError:
            kept = load(self._cache, self._decryption_key) if self._cache else None
            if kept is None:
                raise
            self._install(kept)
        self._watch(fetcher)
        return self

    def _watch(self, fetcher: Fetcher) -> None:
        stream = Stream(self._url, self._key, self._decryption_key, self._http) if self._stream else None
        self._watcher = Watcher(fetcher, stream, self._poll_seconds, self._install)
        self._watcher.start()

    def close(self, seconds: float = 10.0) -> bool:
        """Send what waits and stop; return whether every event was acknowledged."""
        if self._closed:
            return True
        self._closed = True
        _open_clients.discard(self)
        if self._watcher is not None:
            self._watcher.stop()
        done = self._outbox.close(seconds)
        self._http.close()
        return done

    def __enter__(self) -> "Client":
        try:
            return self.start()
        except ClientError:
            self.close(0)
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _install(self, definition: Definition) -> None:
        self._definition = definition
        if self._cache is not None:
            keep(self._cache, definition)

    # Decisions

    @property
    def program(self) -> Program | None:
        """The compiled definition, or None before the first has come."""
        return None if self._definition is None else self._definition.program

    @property
    def date_updated(self) -> str:
        """When the definition in use became what it is, in ISO 8601; "" before the first has come."""
        return "" if self._definition is None else self._definition.date_updated

    def decide(self, key: str, unit: str | Attributes, /, default: Any = None, **attributes: Any) -> Decision:
        """Return what a unit gets, without network and without waiting. Nothing is recorded: see ``expose``.

        Parameters
        ----------
        key
            A flag or experiment.
        unit
            The user's id, or all attributes by name (``id`` for users, ``device_id``, ``session_id``, ``account_id``).
        default
            The value where the flag is unknown or no definition has come yet.
        attributes
            More attributes, for targeting.
        """
        given: Attributes = {USER: unit, **attributes} if isinstance(unit, str) else {**unit, **attributes}
        definition = self._definition
        flag = None if definition is None else definition.program.flag(key)
        if flag is None or definition is None:
            outcome = NOT_READY if definition is None else UNKNOWN_FLAG
            return Decision(key=key, value=default, variant="", outcome=outcome, experiment="", attributes=given)
        if self._sticky is not None:
            return self._decide_sticky(definition.program, key, given, self._sticky)
        return decision_of(key, flag.terminals[flag.choose(given)], given)

    def _decide_sticky(self, program: Program, key: str, given: Attributes, documents: StickyDocuments) -> Decision:
        result = program.evaluate(key, given, sticky=documents)
        drawn = result.experiment_result
        if result.source is Source.EXPERIMENT and drawn is not None and result.experiment is not None:
            return Decision(
                key=key, value=result.value, variant=drawn.key, outcome="assigned",
                experiment=str(result.experiment["key"]), attributes=given,
            )  # fmt: skip
        explained = program.explain(key, given, sticky=documents)
        return Decision(
            key=key, value=result.value, variant="", outcome=explained.outcome.value, experiment="", attributes=given
        )

    def explain(self, key: str, unit: str | Attributes, /, **attributes: Any) -> Explanation:
        """Return how a decision came about: each rule in order and why it was passed over.

        Raises
        ------
        ClientError
            When no definition has come yet.
        """
        program = self.program
        if program is None:
            raise ClientError("There is no definition yet; call start() first.")
        given: Attributes = {USER: unit, **attributes} if isinstance(unit, str) else {**unit, **attributes}
        return program.explain(key, given)

    # Reports

    def expose(self, decision: Decision, *, outputs_differ: bool | None = None) -> bool:
        """Report that the unit was shown its variant; only what an experiment assigned is reported.

        Parameters
        ----------
        decision
            What ``decide`` returned. Experiments that it depended on, such as the holdout, are reported with it.
        outputs_differ
            For model experiments whose app runs both models: whether their outputs differ for this unit.

        Returns
        -------
        bool
            Whether anything was taken for sending: the same exposure is sent once by this process.
        """
        program = self.program
        if program is None:
            return False
        taken = False
        for exposure in program.exposures(decision.key, decision.attributes, sticky=self._sticky):
            found = (exposure.experiment_key, exposure.hash_value, f"{exposure.variant_key}\n{outputs_differ}")
            if self._is_new(found):
                properties: Event = {"experiment_id": exposure.experiment_key, "variation_id": exposure.variant_key}
                if outputs_differ is not None:
                    properties["outputs_differ"] = outputs_differ
                named = {**decision.attributes, exposure.hash_attribute: exposure.hash_value}
                taken |= self._outbox.put(_event(EXPOSURE, named, properties))
        return taken

    def _is_new(self, found: tuple[str, str, str]) -> bool:
        with self._lock:
            if found in self._exposed:
                self._exposed.move_to_end(found)
                return False
            self._exposed[found] = None
            if len(self._exposed) > REMEMBERED:
                self._exposed.popitem(last=False)
            return True

    def track(self, event: str, unit: str | Attributes, /, **properties: Any) -> bool:
        """Report something that a unit did; return False where it had to be dropped.

        Parameters
        ----------
        event
            Its name, such as ``Order Completed``.
        unit
            The user's id, or the units' ids by attribute name as for ``decide``.
        properties
            Its properties, JSON values.
        """
        return self._outbox.put(_event(event, {USER: unit} if isinstance(unit, str) else unit, properties))

    def flush(self, seconds: float = 10.0) -> bool:
        """Send what waits now; return whether the server has acknowledged all of it."""
        return self._outbox.flush(seconds)

    @property
    def counts(self) -> dict[str, int]:
        """How many events were acknowledged, refused by the server, and dropped because too many waited."""
        return {"sent": self._outbox.sent, "refused": self._outbox.refused, "dropped": self._outbox.dropped}

    def _after_fork(self) -> None:
        """Go on in a forked child: threads do not survive a fork, and open connections belong to the parent."""
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._lock = threading.Lock()
        self._outbox = self._outbox.heir(self._http)
        if self._watcher is not None:
            self._watch(Fetcher(self._url, self._key, self._decryption_key, self._http))


def _event(name: str, units: Attributes, properties: Event) -> Event:
    """Return an event as the Segment door takes it: users and devices have a place of their own."""
    user, device = unit_text(units.get(USER)), unit_text(units.get(DEVICE))
    others = {
        unit: text for unit, value in units.items()
        if unit.endswith("_id") and unit not in (DEVICE, "user_id") and (text := unit_text(value))
    }  # fmt: skip
    named = {key: value for key, value in (("userId", user), ("anonymousId", device)) if value}
    return {"type": "track", "event": name, **named, "properties": {**others, **properties}}


_open_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_open_clients):
        client.close(seconds=3)


def _continue_all() -> None:
    for client in list(_open_clients):
        client._after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_continue_all)
