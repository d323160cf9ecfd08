"""An OpenFeature provider on top of the client: typed flags in microseconds, exposures and tracking included.

from openfeature import api
from assignment.client.openfeature import TrueliftProvider

api.set_provider(TrueliftProvider(Client("http://localhost:8000", "tl_…")))
"""

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, ProviderNotReadyError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from assignment.client.client import Client
from assignment.client.decision import NOT_READY, UNKNOWN_FLAG, Decision

UNIT_ATTRIBUTES = ("device_id", "session_id", "account_id", "impression_id")
_REASONS = {
    "assigned": Reason.SPLIT,
    "targeted": Reason.TARGETING_MATCH,
    "override": Reason.TARGETING_MATCH,
    "held_out": Reason.TARGETING_MATCH,
    "stopped": Reason.DISABLED,
    "paused": Reason.DISABLED,
    "disabled": Reason.DISABLED,
}


class TrueliftProvider(AbstractProvider):
    """Evaluates in this process.

    Parameters
    ----------
    client
        A client; it is started with the provider and closed with it.
    exposures
        Whether an evaluation counts as shown, which is so when an app asks for a flag where it uses it. Turn it off
        to report by ``client.expose``.
    """

    def __init__(self, client: Client, *, exposures: bool = True) -> None:
        super().__init__()
        self._client = client
        self._exposures = exposures

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Fetch the definition."""
        del evaluation_context  # the definition is the same for everyone
        self._client.start()

    def shutdown(self) -> None:
        """Send what waits and stop."""
        self._client.close()

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="Truelift")

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Report something that the unit did; ``details.value`` becomes the property ``value``."""
        details = tracking_event_details
        properties: dict[str, Any] = {} if details is None else dict(details.attributes or {})
        if details is not None and details.value is not None:
            properties["value"] = details.value
        self._client.track(tracking_event_name, attributes_of(evaluation_context), **properties)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Return a flag that is true or false."""
        return self._resolve(flag_key, default_value, evaluation_context, bool)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return a flag that is a text."""
        return self._resolve(flag_key, default_value, evaluation_context, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Return a flag that is a whole number."""
        return self._resolve(flag_key, default_value, evaluation_context, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Return a flag that is a number."""
        details = self._resolve(flag_key, default_value, evaluation_context, float, int)
        details.value = float(details.value)
        return details

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Return a flag that is an object or a list."""
        return self._resolve(flag_key, default_value, evaluation_context, dict, list)

    def _resolve(
        self, key: str, default: Any, context: EvaluationContext | None, *types: type
    ) -> FlagResolutionDetails[Any]:
        decision = self._client.decide(key, attributes_of(context), default=default)
        if decision.outcome == UNKNOWN_FLAG:
            raise FlagNotFoundError(f"There is no flag or running experiment {key!r} for this key.")
        if decision.outcome == NOT_READY:
            raise ProviderNotReadyError("The definition has not come yet.")
        if type(decision.value) not in types:
            allowed = " or ".join(one.__name__ for one in types)
            raise TypeMismatchError(f"{key!r} is {decision.value!r:.60}; the app asked for {allowed}.")
        if self._exposures and decision.is_assigned:
            self._client.expose(decision)
        return FlagResolutionDetails(
            value=decision.value,
            variant=decision.variant or None,
            reason=_REASONS.get(decision.outcome, Reason.STATIC),
            flag_metadata=_metadata(decision),
        )


def _metadata(decision: Decision) -> dict[str, bool | int | float | str]:
    named: dict[str, bool | int | float | str] = {"outcome": decision.outcome}
    return {**named, "experiment": decision.experiment} if decision.experiment else named


def attributes_of(context: EvaluationContext | None) -> dict[str, Any]:
    """Return an OpenFeature context as the engine's attributes, as the server's OFREP door does.

    The targeting key names the user, and any other unit that the context does not name itself.
    """
    if context is None:
        return {}
    attributes: dict[str, Any] = dict(context.attributes)
    user = attributes.get("id") or attributes.get("user_id") or context.targeting_key
    if user:
        attributes["id"] = user
    if context.targeting_key:
        attributes |= {name: attributes.get(name) or context.targeting_key for name in UNIT_ATTRIBUTES}
    return attributes
