"""Pull a model's versions from an MLflow registry: read its REST API, and bring our versions up to date with it."""

import ipaddress
import math
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from experiments.domain.offline import LONGEST_NAME, OfflineValue, Origin, VersionStatus
from experiments.model_versions import MOST_METRICS, Outcome, Registration, RegistrationError, bring_up_to_date
from experiments.models import Project, User

API = "/api/2.0/mlflow"
PAGE = 100
MOST_VERSIONS = 500
LARGEST_ANSWER = 5_000_000
TIMEOUT_SECONDS = 10.0
SERVING_NAMES = frozenset({"production", "champion", "serving", "live"})
PARENT_TAG, SET_TAG, OWNER_TAG = "truelift.parent", "truelift.evaluation_set", "owner"
EVALUATED = frozenset({"eval", "evaluation", "test", "validation", "holdout"})


class RegistryError(Exception):
    """A registry that cannot be read; the message says what was asked, what came and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Where an MLflow server is and how it lets one in. ``hosts``, where given, are the only ones that may be asked."""

    uri: str
    token: str = ""
    user: str = ""
    password: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did: versions by name; ``problems`` say which were left out and why."""

    new: list[str]
    changed: list[str]
    same: list[str]
    problems: list[str]

    @property
    def sentence(self) -> str:
        """Say what came of it."""
        parts = [(self.new, "new"), (self.changed, "changed"), (self.same, "as they were")]
        said = [f"{len(versions)} {word}" for versions, word in parts if versions]
        left = f" {len(self.problems)} left out: {' '.join(self.problems)}" if self.problems else ""
        return f"Versions: {', '.join(said) or 'none'}.{left}"


def pull(project: Project, user: User | None, registry: Registry, model: str, name: str = "") -> Pulled:
    """Bring the project's versions of a model up to date with the registry's; done twice, the second changes nothing.

    Args:
        project, user: where to, and who asks.
        registry: where from.
        model: its name there.
        name: its name here, the same where left empty.

    Raises:
        RegistryError: the registry cannot be read; nothing was changed.
    """
    found = fetch(registry, model, name or model)
    pulled = Pulled(new=[], changed=[], same=[], problems=[])
    for wanted in _parents_first(found):
        stated = frozenset(
            field for field in ("parent", "owner", "artefact", "notes", "status") if getattr(wanted, field)
        )
        try:
            made, outcome = bring_up_to_date(project, user, wanted, stated, Origin.MLFLOW)
        except RegistrationError as problem:
            pulled.problems.append(f"{wanted.name} {wanted.version}: {problem}")
        else:
            {Outcome.NEW: pulled.new, Outcome.CHANGED: pulled.changed, Outcome.SAME: pulled.same}[outcome].append(
                made.version
            )
    return pulled


def fetch(registry: Registry, model: str, name: str) -> list[Registration]:
    """Read a model's versions with what their runs measured, the oldest first."""
    _refuse_address(registry)
    if not model.strip() or "'" in model:
        raise RegistryError(f"The model is called {model!r}; name it as the registry does, without quotes.")
    with _client(registry) as http:
        versions = list(_versions(http, model))
        if not versions:
            raise RegistryError(f"{_host(registry)} knows no version of a model {model!r}. Is it spelled as there?")
        runs = {run: _run(http, run) for run in sorted({str(one.get("run_id") or "") for one in versions} - {""})}
        aliases = _aliases(http, model)
    return [
        _registration(
            registry, name, {**one, "aliases": _own(one, aliases)}, runs.get(str(one.get("run_id") or ""), {})
        )
        for one in sorted(versions, key=lambda one: _number(one.get("version")))
    ]


@contextmanager
def _client(registry: Registry) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {registry.token}"} if registry.token else {}
    auth = httpx.BasicAuth(registry.user, registry.password) if registry.user and not registry.token else None
    with httpx.Client(
        base_url=registry.uri.rstrip("/"), headers=headers, auth=auth, timeout=TIMEOUT_SECONDS, follow_redirects=False
    ) as http:
        yield http


def _versions(http: httpx.Client, model: str) -> Iterator[dict[str, Any]]:
    token, count = "", 0
    while True:
        asked = {"filter": f"name='{model}'", "max_results": str(PAGE), **({"page_token": token} if token else {})}
        answer = _get(http, "/model-versions/search", asked)
        for one in _objects(answer.get("model_versions")):
            count += 1
            if count > MOST_VERSIONS:
                raise RegistryError(f"{model!r} has over {MOST_VERSIONS} versions there; that many are not pulled.")
            yield one
        token = str(answer.get("next_page_token") or "")
        if not token:
            return


def _aliases(http: httpx.Client, model: str) -> list[dict[str, Any]]:
    """Return the model's aliases with their versions: a search of versions comes without them (MLflow issue 16734)."""
    found = _get(http, "/registered-models/get", {"name": model}, missing={})
    return list(_objects(_part(found, "registered_model").get("aliases")))


def _own(one: Mapping[str, Any], aliases: Iterable[Mapping[str, Any]]) -> list[str]:
    told = one.get("aliases")
    listed = [str(alias) for alias in told] if isinstance(told, list) else []
    return listed + [str(each.get("alias")) for each in aliases if str(each.get("version")) == str(one.get("version"))]


def _run(http: httpx.Client, run: str) -> dict[str, Any]:
    found = _get(http, "/runs/get", {"run_id": run}, missing={"run": {}}).get("run")
    return found if isinstance(found, dict) else {}


def _get(
    http: httpx.Client, path: str, asked: Mapping[str, str], missing: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Ask for JSON and take no more of it than fits; a 404 is ``missing`` where that is given."""
    where = http.base_url.host
    try:
        with http.stream("GET", f"{API}{path}", params=asked) as answer:
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise RegistryError(f"{where} answers with more than {LARGEST_ANSWER:,} bytes to {path}.")
    except httpx.HTTPError as problem:
        raise RegistryError(f"{where} does not answer to {path}: {problem or type(problem).__name__}.") from problem
    if answer.status_code == httpx.codes.NOT_FOUND and missing is not None:
        return missing
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise RegistryError(f"{where} lets nobody in ({answer.status_code}); give a token that may read.")
    if answer.status_code != httpx.codes.OK:
        raise RegistryError(f"{where} answers {answer.status_code} to {path}; is that an MLflow tracking server?")
    try:
        found = msgspec.json.decode(bytes(body))
    except msgspec.DecodeError as problem:
        raise RegistryError(f"{where} answers no JSON to {path}; is that an MLflow tracking server?") from problem
    return found if isinstance(found, dict) else {}


def _registration(registry: Registry, name: str, one: Mapping[str, Any], run: Mapping[str, Any]) -> Registration:
    tags = {**_tags(_part(run, "data").get("tags")), **_tags(one.get("tags"))}
    version = str(one.get("version") or "")
    address = f"{registry.uri.rstrip('/')}/#/models/{quote(str(one.get('name') or name), safe='')}/versions/{version}"
    return Registration(
        name=name[:80],
        version=version[:40],
        parent=tags.get(PARENT_TAG, "")[:40],
        owner=(tags.get(OWNER_TAG) or str(one.get("user_id") or ""))[:120],
        artefact=address[:500],
        status=_status(one),
        notes=str(one.get("description") or "")[:2000],
        metrics=tuple(_metrics(run, tags)),
    )


def _status(one: Mapping[str, Any]) -> VersionStatus:
    """Read where a version stands from its aliases, and from its stage where the registry still has those."""
    aliases = {alias.lower() for alias in one["aliases"]}
    stage = str(one.get("current_stage") or "").lower()
    if aliases & SERVING_NAMES or stage == "production":
        return VersionStatus.SERVING
    return VersionStatus.RETIRED if stage == "archived" else VersionStatus.CANDIDATE


def _metrics(run: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[OfflineValue]:
    """Yield what a run measured; ``x_low`` and ``x_high`` beside ``x`` are its interval."""
    found = {
        str(one.get("key")): float(one["value"])
        for one in _objects(_part(run, "data").get("metrics"))
        if isinstance(one.get("value"), int | float) and math.isfinite(one["value"])
    }
    on = (tags.get(SET_TAG) or _dataset(run))[:120]
    ends = {f"{key}_{end}" for key in found for end in ("low", "high") if f"{key}_{end}" in found}
    for key in [key for key in found if key not in ends and len(key) <= LONGEST_NAME][:MOST_METRICS]:
        low, high = found.get(f"{key}_low"), found.get(f"{key}_high")
        whole = low is not None and high is not None and low <= found[key] <= high
        yield OfflineValue(
            name=key,
            value=found[key],
            low=low if whole else None,
            high=high if whole else None,
            method="as logged in MLflow" if whole else "",
            evaluation_set=on,
        )


def _dataset(run: Mapping[str, Any]) -> str:
    """Return the name of the data set that the run was evaluated on, where it was logged."""
    for one in _objects(_part(run, "inputs").get("dataset_inputs")):
        contexts = {value.lower() for value in _tags(one.get("tags")).values()}
        if contexts & EVALUATED:
            return str(_part(one, "dataset").get("name") or "")
    return ""


def _parents_first(found: list[Registration]) -> Iterator[Registration]:
    waiting, done = list(found), set[str]()
    while waiting:
        ready = [one for one in waiting if one.parent in done or not any(one.parent == o.version for o in waiting)]
        for one in ready or waiting:
            done.add(one.version)
            yield one
        waiting = [one for one in waiting if one.version not in done]


def _refuse_address(registry: Registry) -> None:
    """Refuse what is no web address, what is not allowed here, and addresses that hold machines' secrets."""
    parts = urlsplit(registry.uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RegistryError(f"The address is {registry.uri[:200]!r}; it must be one such as http://mlflow:5000.")
    if registry.hosts and parts.hostname not in registry.hosts:
        raise RegistryError(
            f"{parts.hostname} is not among the registries that this installation may ask: "
            f"{', '.join(registry.hosts)}. TRUELIFT_REGISTRY_HOSTS says which."
        )
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, proto=socket.IPPROTO_TCP)
    except (OSError, ValueError, UnicodeError) as problem:
        raise RegistryError(f"{parts.hostname} has no address: {problem}.") from problem
    if any(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_link_local for one in found):
        raise RegistryError(f"{parts.hostname} is a machine's own address (link-local); no registry is asked there.")


def _host(registry: Registry) -> str:
    return urlsplit(registry.uri).hostname or registry.uri


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _objects(found: object) -> Iterable[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _tags(found: object) -> dict[str, str]:
    return {str(one.get("key")): str(one.get("value") or "") for one in _objects(found)}


def _number(version: object) -> tuple[int, str]:
    text = str(version)
    return (int(text), "") if text.isdecimal() else (0, text)
