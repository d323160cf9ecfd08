"""Telling the app, once, that a unit met its variant."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from assignment.engine.sdk.values import mapping

REMEMBERED = 10_000

Callback = Callable[[Mapping[str, Any], Mapping[str, Any]], object]
"""Called with the experiment and the result, both as the protocol writes them."""


class Exposures:
    """Calls back once for each unit, experiment and variant; whatever the callback raises is swallowed.

    The most recent exposures are remembered, so that memory stays bounded in a server that never restarts.
    """

    def __init__(self, callback: Callback, remembered: int = REMEMBERED) -> None:
        self._callback = callback
        self._remembered = remembered
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def report(self, experiment: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Call back unless this unit was reported in this variant before."""
        parts = (result.get("hashAttribute"), result.get("hashValue"), experiment.get("key"), result.get("variationId"))
        exposure = tuple(str(part) for part in parts)
        if exposure in self._seen:
            self._seen.move_to_end(exposure)
            return
        self._seen[exposure] = None
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        # An app's tracking must never decide what its users get.
        with suppress(Exception):
            self._callback(experiment, result)

    def report_tracks(self, tracks: Any) -> None:
        """Report what a remote evaluation found: pairs of experiment and result beside a forced value."""
        for track in tracks if isinstance(tracks, (list, tuple)) else ():
            experiment, result = mapping(mapping(track).get("experiment")), mapping(mapping(track).get("result"))
            if "key" in experiment and result:
                self.report(experiment, result)
