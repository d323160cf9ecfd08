"""Which pages an experiment runs on."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.patterns import InvalidPatternError, found
from assignment.engine.sdk.values import array, mapping, text

ANY = "*"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_SAFE = "/%:@!$&'()*+,;=~-._"
_STARTS_WITH_HOST = re.compile(r"[^:/?#]*\.|[^:/?#]+:[0-9]")


def is_targeted(url: str, targets: Any, effort: Effort) -> bool:
    """Say whether a page is among the targets.

    Parameters
    ----------
    url
        The page's whole address.
    targets
        ``{include, type, pattern}`` each. One matching ``include: false`` rules the page out; otherwise it needs a
        matching target, or no target that includes. No targets at all mean no page.
    effort
        The work that matching regular expressions may use up.
    """
    rules = [mapping(target) for target in array(targets)]
    if not rules:
        return False
    matches = [(rule.get("include") is not False, _matches(url, rule, effort)) for rule in rules]
    if any(not include and matched for include, matched in matches):
        return False
    return any(include and matched for include, matched in matches) or not any(include for include, _ in matches)


def _matches(url: str, rule: Any, effort: Effort) -> bool:
    pattern = rule.get("pattern")
    try:
        parts = urlsplit(url)
        if not isinstance(pattern, str) or not url or not parts.netloc:
            return False
        if rule.get("type") == "regex":
            return _matches_regex(url, parts, pattern, effort)
        return rule.get("type") == "simple" and _matches_simple(parts, pattern)
    except ValueError:
        return False


def _matches_regex(url: str, parts: SplitResult, pattern: str, effort: Effort) -> bool:
    from_path = parts._replace(scheme="", netloc="").geturl()
    try:
        return any(found(pattern, subject, effort) is True for subject in (url, from_path))
    except InvalidPatternError:
        return False


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    path: str
    fragment: str
    query: dict[str, str]


def _matches_simple(parts: SplitResult, pattern: str) -> bool:
    page, wanted = _address(parts), _address(_split_pattern(pattern))
    if not glob(page.host, wanted.host or ANY) or not glob(_bare(page.path), _bare(wanted.path)):
        return False
    if wanted.fragment and not glob(page.fragment, wanted.fragment):
        return False
    return all(glob(page.query.get(name, ""), value) for name, value in wanted.query.items())


def _split_pattern(pattern: str) -> SplitResult:
    if "://" in pattern.partition("?")[0]:
        return urlsplit(pattern)
    if _STARTS_WITH_HOST.match(pattern):
        return urlsplit(f"//{pattern}")
    return urlsplit(pattern if pattern.startswith(("/", "?", "#")) else f"/{pattern}")


def _address(parts: SplitResult) -> _Address:
    host = parts.netloc.rpartition("@")[2].removesuffix(DEFAULT_PORTS.get(parts.scheme, "//"))
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, value)
    return _Address(host, quote(parts.path, _SAFE), quote(parts.fragment, _SAFE), query)


def _bare(path: str) -> str:
    return path.removeprefix("/").removesuffix("/")


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
