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
    """Return the target with those of the page's parameters that it does not set itself, as a browser writes it.

    Of several values of a parameter the first is kept.
    """
    try:
        target, there = urlsplit(to), parse_qsl(urlsplit(page).query, keep_blank_values=True)
        own = parse_qsl(target.query, keep_blank_values=True)
        names = {name for name, _ in own}
        kept = {name: value for name, value in reversed(there) if name not in names}
        if target.netloc:
            target = target._replace(netloc=target.netloc.lower(), path=target.path or "/")
        if kept:
            inherited = [(name, kept.pop(name)) for name, _ in there if name in kept]
            # The characters that forms leave as they are differ by one from those that Python leaves.
            target = target._replace(query=urlencode([*own, *inherited], safe="*").replace("~", "%7E"))
        return target.geturl()
    except ValueError:
        return to
