"""The simulator's question: an environment, a unit and attributes, from the address of the page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from assignment.context import TARGETING_KEY, attributes_of
from assignment.served import hash_attribute
from experiments.domain.environments import Environment
from experiments.domain.units import UnitType
from experiments.forms.conditions import read_values

MOST_ROWS = 30
LONGEST_TEXT = 10_000
SPARE_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks the simulator. ``problem`` says what could not be read."""

    environment: Environment
    unit: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    text: str = ""
    wanted: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_asked(self) -> bool:
        """Say whether there is anything to answer."""
        return bool(self.unit or self.attributes) and not self.problem

    @property
    def form_rows(self) -> list[tuple[str, str]]:
        """Return the rows with some empty ones to write into."""
        return [*self.rows, *(("", "") for _ in range(SPARE_ROWS))]


def read_question(asked: QueryDict) -> Question:
    """Read the question from a query string; it is what makes the page a deep link."""
    named = zip(asked.getlist("name"), asked.getlist("value"), strict=False)
    rows = tuple((name.strip()[:120], value.strip()) for name, value in list(named)[:MOST_ROWS] if name.strip())
    text, unit = asked.get("json", "").strip(), asked.get("unit", "").strip()[:256]
    given, problem = _given(rows, text)
    chosen = asked.get("environment", "")
    known = chosen in {one.value for one in Environment}
    return Question(
        environment=Environment(chosen) if known else Environment.PRODUCTION,
        unit=unit,
        rows=rows,
        text=text,
        wanted=asked.get("flag", "").strip()[:80],
        attributes=with_unit(given, unit),
        problem=problem,
    )


def _given(rows: tuple[tuple[str, str], ...], text: str) -> tuple[dict[str, Any], str]:
    if len(text) > LONGEST_TEXT:
        return {}, f"The JSON is longer than {LONGEST_TEXT:,} characters."
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}, 'This is not JSON: write an object, for example {"country": "DE"}.'
    if not isinstance(given, dict):
        return {}, 'Attributes are a JSON object, for example {"country": "DE"}.'
    return {**given, **{name: _value(name, value) for name, value in rows}}, ""


def _value(name: str, text: str) -> Any:
    if name == "id" or name.endswith("_id"):
        return text
    values = read_values(text)
    return values[0] if len(values) == 1 else values or text


def with_unit(given: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Return the attributes as the doors make them: ``unit`` is the targeting key, for every id that is not named."""
    context = {**given, TARGETING_KEY: unit} if unit else dict(given)
    attributes, _ = attributes_of(context, [hash_attribute(kind) for kind in UnitType])
    return attributes
