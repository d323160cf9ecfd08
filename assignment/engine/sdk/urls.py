"""Which pages an experiment runs on."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit

from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.patterns import InvalidPatternError, found
from assignment.engine.sdk.values import array, mapping, text

ANY = "*"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
NOWHERE = "https://_/"
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._[]|^\\"
_SAFE_IN_QUERY = "/%:@!$&()*+,;=~-._[]|^\\?{}`"
_SAFE_IN_FRAGMENT = "/%:@!$&'()*+,;=~-._[]|^\\?{}#"
_STARTS_WITH_HOST = re.compile(r"[^:/?#]*\.|[^:/?#]+:[0-9]")


def is_targeted(url: str, targets: Any, effort: Effort) -> bool:
    """Say whether a page is among the targets.

    Parameters
    ----------
    url
        The page's whole address; one that is empty or has no host is a page of an unnamed host.
    targets
        ``{include, type, pattern}`` each. One matching ``include: false`` rules the page out; otherwise it needs a
        matching target, or no target that includes. No targets at all mean no page.
    effort
        The work that matching regular expressions may use up.
    """
    rules = [mapping(target) for target in array(targets)]
    if not rules:
        return False
    page, included, any_include = _page(url), False, False
    for rule in rules:
        matches = page is not None and _matches(page, rule, effort)
        if rule.get("include") is not False:
            any_include, included = True, included or matches
        elif matches:
            return False
    return included or not any_include


def _page(url: str) -> "_Address | None":
    try:
        # As in a browser, an address without a host is one of some unnamed host.
        return _address(urlsplit(urljoin(NOWHERE, url.replace("\\", "/"))))
    except ValueError:
        return None


def _matches(page: "_Address", rule: Any, effort: Effort) -> bool:
    pattern = rule.get("pattern")
    if not isinstance(pattern, str):
        return False
    try:
        if rule.get("type") == "regex":
            return any(found(pattern, subject, effort) is True for subject in (page.origin + page.tail, page.tail))
        wanted = _address(_split_pattern(pattern.replace("\\", "/")))
        return rule.get("type") == "simple" and _matches_simple(page, wanted)
    except (ValueError, InvalidPatternError):
        return False


@dataclass(frozen=True, slots=True)
class _Address:
    """An address as a browser shows it: letters of the host small, no default port, no dot segments."""

    scheme: str
    host: str
    path: str
    query: str
    fragment: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def tail(self) -> str:
        query, fragment = f"?{self.query}" if self.query else "", f"#{self.fragment}" if self.fragment else ""
        return self.path + query + fragment

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)


def _matches_simple(page: _Address, wanted: _Address) -> bool:
    if not glob(page.host, wanted.host or ANY) or not _is_path(page.path, wanted.path):
        return False
    if wanted.fragment and not glob(page.fragment, wanted.fragment):
        return False
    if not wanted.query:
        return True
    # The first of several values of a parameter counts.
    given = dict(reversed(page.parameters))
    return all(glob(given.get(name, ""), value) for name, value in wanted.parameters)


def _is_path(path: str, wanted: str) -> bool:
    bare = wanted.removeprefix("/").removesuffix("/")
    return any(glob(path, before + bare + after) for before in ("", "/") for after in ("", "/"))


def _split_pattern(pattern: str) -> SplitResult:
    if "://" in pattern.partition("?")[0]:
        return urlsplit(pattern)
    if _STARTS_WITH_HOST.match(pattern):
        return urlsplit(f"https://{pattern}")
    return urlsplit(pattern if pattern.startswith(("/", "?", "#")) else f"/{pattern}")


def _address(parts: SplitResult) -> _Address:
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(DEFAULT_PORTS.get(parts.scheme, "//"))
    return _Address(
        parts.scheme,
        host,
        quote(_without_dots(parts.path), _SAFE_IN_PATH) or "/",
        quote(parts.query, _SAFE_IN_QUERY),
        quote(parts.fragment, _SAFE_IN_FRAGMENT),
    )


def _without_dots(path: str) -> str:
    segments: list[str] = []
    steps = path.split("/")
    for step in steps:
        if step == "..":
            # The first is what stands before the leading slash.
            segments = segments[:1] + segments[1:-1]
        elif step != ".":
            segments.append(step)
    if steps[-1] in (".", ".."):
        segments.append("")
    return "/".join(segments)


def glob(subject: str, pattern: str) -> bool:
    """Say whether the whole subject matches a pattern in which ``*`` stands for any text; case does not count."""
    pieces = pattern.lower().split(ANY)
    rest = subject.lower()
    if len(pieces) == 1:
        return rest == pieces[0]
    first, *middle, last = pieces
    if not rest.startswith(first) or not rest.endswith(last) or len(rest) < len(first) + len(last):
        return False
    rest = rest[len(first) : len(rest) - len(last)]
    for piece in middle:
        _, matched, rest = rest.partition(piece) if piece else ("", "found", rest)
        if not matched:
            return False
    return True


def query_parameter(url: str, name: str) -> str | None:
    """Return the first value of a parameter in the address, or None."""
    query = url.partition("#")[0].partition("?")[2] if "?" in url else ""
    if not query:
        return None
    return text(dict(reversed(parse_qsl(query, keep_blank_values=True, max_num_fields=None))).get(name)) or None
