"""Experiments whose variations are pages: where the unit is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import run_experiment
from assignment.engine.sdk.values import mapping, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where an experiment sends the unit; ``to`` is empty where it stays. ``with_parameters`` is where to go."""

    in_experiment: bool
    to: str
    with_parameters: str

    def as_json(self) -> dict[str, Any]:
        """Return the redirect as the protocol writes it."""
        return {"inExperiment": self.in_experiment, "urlRedirect": self.to, "urlWithParams": self.with_parameters}


def redirect_of(context: Context, experiment: Mapping[str, Any]) -> Redirect:
    """Return where an experiment sends the unit, with the page's own parameters where it keeps them."""
    result = run_experiment(context, experiment)
    to = text(mapping(result.value).get("urlRedirect"))
    persists = bool(to) and mapping(experiment).get("persistQueryString") is True
    return Redirect(
        in_experiment=result.in_experiment,
        to=to,
        with_parameters=with_parameters_of(context.url, to) if persists else to,
    )


def with_parameters_of(page: str, to: str) -> str:
    """Return the target with those of the page's parameters that it does not set itself."""
    try:
        target, parameters = urlsplit(to), parse_qsl(urlsplit(page).query, keep_blank_values=True)
        own = {name for name, _ in parse_qsl(target.query, keep_blank_values=True)}
        kept = urlencode([(name, value) for name, value in parameters if name not in own])
    except ValueError:
        return to
    if not kept:
        return to
    return target._replace(query=f"{target.query}&{kept}" if target.query else kept).geturl()
