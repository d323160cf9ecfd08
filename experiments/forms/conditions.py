"""Targeting conditions as people write them: groups of clauses, "all of" within a group, "or" between groups."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from experiments.domain.targeting import NOT, SEGMENT, Condition


class Op(StrEnum):
    """How a clause compares an attribute; each value is its name in forms."""

    IS = "is"
    IS_NOT = "is_not"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    CONTAINS = "contains"
    STARTS = "starts"
    ENDS = "ends"
    MORE = "more"
    AT_LEAST = "at_least"
    LESS = "less"
    AT_MOST = "at_most"
    VERSION_AT_LEAST = "version_at_least"
    VERSION_BELOW = "version_below"
    KNOWN = "known"
    UNKNOWN = "unknown"
    MATCHES = "matches"
    IN_SEGMENT = "in_segment"
    NOT_IN_SEGMENT = "not_in_segment"


WORDS: dict[Op, str] = {
    Op.IS: "is",
    Op.IS_NOT: "is not",
    Op.ONE_OF: "is one of",
    Op.NONE_OF: "is none of",
    Op.CONTAINS: "contains",
    Op.STARTS: "starts with",
    Op.ENDS: "ends with",
    Op.MORE: "is more than",
    Op.AT_LEAST: "is at least",
    Op.LESS: "is less than",
    Op.AT_MOST: "is at most",
    Op.VERSION_AT_LEAST: "is version … or newer",
    Op.VERSION_BELOW: "is older than version …",
    Op.KNOWN: "is known",
    Op.UNKNOWN: "is not known",
    Op.MATCHES: "matches the pattern",
    Op.IN_SEGMENT: "is in the segment",
    Op.NOT_IN_SEGMENT: "is not in the segment",
}
OF_SEGMENTS = frozenset({Op.IN_SEGMENT, Op.NOT_IN_SEGMENT})
WITHOUT_VALUE = frozenset({Op.KNOWN, Op.UNKNOWN})
OF_LISTS = frozenset({Op.ONE_OF, Op.NONE_OF})
OF_TEXT = frozenset({Op.CONTAINS, Op.STARTS, Op.ENDS, Op.MATCHES, Op.VERSION_AT_LEAST, Op.VERSION_BELOW})

_PLAIN = {
    Op.IS_NOT: "$ne",
    Op.ONE_OF: "$in",
    Op.NONE_OF: "$nin",
    Op.MORE: "$gt",
    Op.AT_LEAST: "$gte",
    Op.LESS: "$lt",
    Op.AT_MOST: "$lte",
    Op.VERSION_AT_LEAST: "$vgte",
    Op.VERSION_BELOW: "$vlt",
    Op.MATCHES: "$regex",
}
_OF_OPERATOR = {operator: op for op, operator in _PLAIN.items()}
_SPECIAL = re.compile(r"[\\^$.*+?()\[\]{}|/-]")


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison. A clause about a segment has the segment's key as value and no attribute."""

    attribute: str
    op: Op
    value: Any = None


Group = tuple[Clause, ...]


def condition_of(groups: Sequence[Group]) -> Condition:
    """Return the condition that passes where every clause of at least one group does; no group passes everyone."""
    alternatives = [_of_group(group) for group in groups if group]
    if len(alternatives) == 1:
        return alternatives[0]
    return {"$or": alternatives} if alternatives else {}


def _of_group(group: Group) -> Condition:
    parts = [_of_clause(clause) for clause in group]
    names = [name for part in parts for name in part]
    if len(names) == len(set(names)):
        return {name: wanted for part in parts for name, wanted in part.items()}
    return {"$and": parts}


def _of_clause(clause: Clause) -> Condition:
    match clause.op:
        case Op.IN_SEGMENT:
            return {SEGMENT: clause.value}
        case Op.NOT_IN_SEGMENT:
            return {NOT: {SEGMENT: clause.value}}
        case Op.IS:
            return {clause.attribute: clause.value}
        case Op.KNOWN | Op.UNKNOWN:
            return {clause.attribute: {"$exists": clause.op is Op.KNOWN}}
        case Op.CONTAINS:
            return {clause.attribute: {"$regexi": _escaped(clause.value)}}
        case Op.STARTS:
            return {clause.attribute: {"$regexi": f"^{_escaped(clause.value)}"}}
        case Op.ENDS:
            return {clause.attribute: {"$regexi": f"{_escaped(clause.value)}$"}}
    return {clause.attribute: {_PLAIN[clause.op]: clause.value}}


def groups_of(condition: Mapping[str, Any]) -> tuple[Group, ...] | None:
    """Return the condition as groups, or None where it says more than groups can."""
    if not condition:
        return ()
    alternatives = condition["$or"] if set(condition) == {"$or"} else [condition]
    if not isinstance(alternatives, list) or not alternatives:
        return None
    groups = [_group(alternative) for alternative in alternatives]
    found = tuple(group for group in groups if group)
    return found if len(found) == len(groups) else None


def _group(condition: Any) -> Group | None:
    if not isinstance(condition, Mapping) or not condition:
        return None
    parts = condition["$and"] if set(condition) == {"$and"} else [condition]
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        return None
    clauses = [_clause(name, wanted) for part in parts for name, wanted in part.items()]
    known = tuple(clause for clause in clauses if clause is not None)
    return known if len(known) == len(clauses) else None


def _clause(name: str, wanted: Any) -> Clause | None:
    if name == SEGMENT and isinstance(wanted, str):
        return Clause("", Op.IN_SEGMENT, wanted)
    if name == NOT and isinstance(wanted, Mapping) and set(wanted) == {SEGMENT}:
        return Clause("", Op.NOT_IN_SEGMENT, wanted[SEGMENT])
    if name.startswith("$"):
        return None
    if not isinstance(wanted, Mapping):
        return Clause(name, Op.IS, wanted) if _is_scalar(wanted) else None
    if len(wanted) != 1:
        return None
    return _operator_clause(name, *next(iter(wanted.items())))


def _operator_clause(name: str, operator: str, operand: Any) -> Clause | None:
    if operator == "$exists" and isinstance(operand, bool):
        return Clause(name, Op.KNOWN if operand else Op.UNKNOWN)
    if operator == "$regexi" and isinstance(operand, str):
        return _text_clause(name, operand)
    op = _OF_OPERATOR.get(operator)
    if op is None:
        return None
    fits = isinstance(operand, list) and all(map(_is_scalar, operand)) if op in OF_LISTS else _is_scalar(operand)
    return Clause(name, op, operand) if fits else None


def _text_clause(name: str, pattern: str) -> Clause | None:
    for op, before, after in ((Op.CONTAINS, "", ""), (Op.STARTS, "^", ""), (Op.ENDS, "", "$")):
        if pattern.startswith(before) and pattern.endswith(after):
            inner = pattern[len(before) : len(pattern) - len(after)]
            text = re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
            if inner and _escaped(text) == inner:
                return Clause(name, op, text)
    return None


def _escaped(text: str) -> str:
    # Python and JavaScript agree on these alone, so a pattern means the same in every client.
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", text)


def _is_scalar(value: Any) -> bool:
    return value is not None and isinstance(value, (str, int, float, bool))


def in_words(condition: Mapping[str, Any] | None, segments: Mapping[str, str] | None = None) -> str:
    """Say for whom a condition holds; ``segments`` gives names by key. Everyone, where there is no condition."""
    if not condition:
        return "Everyone"
    groups = groups_of(condition)
    if groups is None:
        return f"Only where this holds: {json.dumps(condition, ensure_ascii=False)}"
    return "Only if " + "; or if ".join(_group_words(group, segments or {}) for group in groups)


def _group_words(group: Group, segments: Mapping[str, str]) -> str:
    return ", and ".join(clause_words(clause, segments) for clause in group)


def clause_words(clause: Clause, segments: Mapping[str, str]) -> str:
    """Say one clause: ``country is one of DE, AT``."""
    if clause.op in OF_SEGMENTS:
        where = "in" if clause.op is Op.IN_SEGMENT else "not in"
        return f"{where} the segment {segments.get(clause.value, clause.value)}"
    if clause.op in WITHOUT_VALUE:
        return f"{clause.attribute} {WORDS[clause.op]}"
    words = WORDS[clause.op]
    written = clause.value if clause.op in OF_TEXT else written_value(clause.value, spoken=True)
    if "…" in words:
        return f"{clause.attribute} {words.replace('…', written)}"
    return f"{clause.attribute} {words} {written}"


def written_value(value: Any, *, spoken: bool = False) -> str:
    """Write a value as people type it: text without quotes unless it would be read as something else."""
    if isinstance(value, list):
        return ", ".join(written_value(one, spoken=spoken) for one in value) or "nothing"
    if isinstance(value, bool) and spoken:
        return "yes" if value else "no"
    if isinstance(value, str):
        return value if read_values(value) == [value] else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


_ITEM = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([^,"][^,]*)?)\s*(?:,|$)')


def read_values(text: str) -> list[Any]:
    """Read values as people type them, between commas: 18 is a number, true a truth, "18" and DE are text."""
    found: list[Any] = []
    at = 0
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            return [*found, text[at:].strip()]
        quoted, plain = item.groups()
        if quoted:
            found.append(_quoted(quoted))
        elif plain and plain.strip():
            found.append(_read_plain(plain.strip()))
        at = max(item.end(), at + 1)
    return found


def _quoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _read_plain(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", text):
        return float(text) if "." in text else int(text)
    return text
