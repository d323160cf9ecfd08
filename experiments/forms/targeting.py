"""The rule builder: rows of attribute, comparison and value become a condition, and a condition becomes rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from experiments.domain.targeting import Condition, TargetingError, check
from experiments.forms.conditions import (
    OF_LISTS,
    OF_SEGMENTS,
    OF_TEXT,
    WITHOUT_VALUE,
    WORDS,
    Clause,
    Group,
    Op,
    condition_of,
    groups_of,
    in_words,
    read_values,
    written_value,
)
from experiments.forms.errors import FormError, summary

MOST_ROWS = 60
SPARE_ROWS = 3
LONGEST_VALUE = 20_000


class Named(Protocol):
    """Something with a key and a name: here a segment."""

    key: str
    name: str


class ClauseForm(forms.Form):
    """One row. ``joiner`` "or" begins a new group; a row with neither attribute nor value is no row."""

    joiner = forms.ChoiceField(
        choices=[("and", "and"), ("or", "or")], required=False, widget=forms.Select(attrs={"data-keeps": True})
    )
    attribute = forms.CharField(
        max_length=120,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": "country", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
        ),
    )
    op = forms.ChoiceField(
        label="Comparison",
        choices=[(op.value, words) for op, words in WORDS.items()],
        required=False,
        initial=Op.IS.value,
        widget=forms.Select(attrs={"data-keeps": True}),
    )
    value = forms.CharField(
        max_length=LONGEST_VALUE,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "DE, AT", "autocapitalize": "none", "spellcheck": "false"}),
    )
    clause: Clause | None = None

    def clean(self) -> dict[str, Any]:
        """Read the row as a clause, unless it is empty."""
        row = super().clean() or {}
        attribute, text, op = row.get("attribute", ""), row.get("value", "").strip(), Op(row.get("op") or Op.IS)
        if not attribute and not text:
            return row
        if op not in OF_SEGMENTS and not attribute:
            self.add_error("attribute", "Name the attribute to compare, for example country.")
        if attribute.startswith("$"):
            self.add_error("attribute", "An attribute's name cannot begin with $.")
        if op not in WITHOUT_VALUE and not text:
            self.add_error("value", "Give the value to compare with.")
        if not self.errors:
            self._read(attribute, op, text)
        return row

    def _read(self, attribute: str, op: Op, text: str) -> None:
        values = read_values(text)
        if _is_id(attribute):  # apps send ids as text, also those made of digits
            values = [one if isinstance(one, str) else written_value(one) for one in values]
        if op in OF_LISTS:
            self.clause = Clause(attribute, op, values)
        elif op in OF_SEGMENTS:
            self.clause = Clause("", op, text)
        elif op in WITHOUT_VALUE:
            self.clause = Clause(attribute, op)
        elif op in OF_TEXT:
            self.clause = Clause(attribute, op, values[0] if values == [text[1:-1]] else text)
        elif len(values) == 1:
            self.clause = Clause(attribute, op, values[0])
        else:
            self.add_error("value", f"Give one value, or choose “{WORDS[Op.ONE_OF]}” for several.")


def _is_id(attribute: str) -> bool:
    return attribute == "id" or attribute.endswith("_id")


ClauseRows = formset_factory(ClauseForm, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


class RawForm(forms.Form):
    """A condition that the rows cannot show, as the JSON that it is."""

    raw = forms.CharField(
        label="Condition (JSON)",
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="This condition says more than the rows can. Leave it empty to use the rows again.",
    )

    def clean_raw(self) -> Condition | None:
        """Return the condition, or None where the field is empty."""
        text = str(self.cleaned_data["raw"]).strip()
        if not text:
            return None
        try:
            condition = json.loads(text)
        except ValueError as error:
            raise forms.ValidationError("This is not JSON.") from error
        if not isinstance(condition, dict):
            raise forms.ValidationError('A condition is a JSON object, for example {"country": "DE"}.')
        return condition


@dataclass
class TargetingForm:
    """The rows, or the JSON where rows do not suffice. ``condition`` is there once ``is_valid`` has said yes."""

    segments: Sequence[Named]
    posted: Mapping[str, Any] | None = None
    initial: Condition | None = None
    prefix: str = "targeting"
    condition: Condition = field(default_factory=dict)
    problems: list[FormError] = field(default_factory=list)

    def __post_init__(self) -> None:
        groups = _rows_can_show(self.initial or {})
        self.is_raw = groups is None if self.posted is None else bool(self.posted.get(f"{self.prefix}-raw"))
        written = json.dumps(self.initial, indent=2, ensure_ascii=False) if groups is None else ""
        self.raw = RawForm(self.posted, prefix=self.prefix, initial={"raw": written})
        initial = _initial_rows(groups or ()) if self.posted is None else None
        self.rows: BaseFormSet[ClauseForm] = ClauseRows(self.posted, prefix=self.prefix, initial=initial)
        for row in self.rows.forms:
            row.use_required_attribute = False

    def is_valid(self) -> bool:
        """Read the whole condition; what is wrong is kept for the summary."""
        # Each is asked before any is judged, so that every part finds its errors.
        valid = [self.raw.is_valid(), self.rows.is_valid()]
        if not all(valid):
            return False
        raw = self.raw.cleaned_data["raw"]
        self.condition = condition_of(self._groups()) if raw is None else raw
        try:
            check(self.condition, [segment.key for segment in self.segments])
        except TargetingError as error:
            self.problems.append(FormError(str(error), f"{self.prefix}-rows"))
        return not self.problems

    def _groups(self) -> list[Group]:
        groups: list[list[Clause]] = [[]]
        for row in self.rows.forms:
            if row.clause is None:
                continue
            if row.cleaned_data.get("joiner") == "or":
                groups.append([])
            groups[-1].append(row.clause)
        return [tuple(group) for group in groups if group]

    @property
    def errors(self) -> list[FormError]:
        """Return what is wrong, for the head of the page."""
        if self.posted is None:
            return []
        counted = [FormError(str(text), f"{self.prefix}-rows") for text in self.rows.non_form_errors()]
        return [*summary(self.rows.forms, "Targeting row"), *summary([self.raw]), *self.problems, *counted]

    @property
    def words(self) -> str:
        """Say for whom the condition holds."""
        names = {segment.key: segment.name for segment in self.segments}
        return in_words(self.condition if self.posted is not None else self.initial, names)


def _rows_can_show(condition: Condition) -> tuple[Group, ...] | None:
    """Return the condition as groups if writing and reading its rows again gives the same condition."""
    groups = groups_of(condition)
    if groups is None:
        return None
    rows = _initial_rows(groups)
    posted = {f"x-{i}-{name}": text for i, row in enumerate(rows) for name, text in row.items()}
    again = ClauseRows({"x-TOTAL_FORMS": len(rows), "x-INITIAL_FORMS": 0, **posted}, prefix="x")
    if len(rows) > MOST_ROWS or not again.is_valid():
        return None
    clauses = [row.clause for row in again.forms if row.clause]
    return groups if clauses == [clause for group in groups for clause in group] else None


def _initial_rows(groups: tuple[Group, ...]) -> list[dict[str, Any]]:
    rows = [
        _row(clause, "or" if number and not position else "and")
        for number, group in enumerate(groups)
        for position, clause in enumerate(group)
    ]
    return [*rows, *({"op": Op.IS.value, "joiner": "and"} for _ in range(SPARE_ROWS))]


def _row(clause: Clause, joiner: str) -> dict[str, Any]:
    return {"joiner": joiner, "attribute": clause.attribute, "op": clause.op.value, "value": _typed(clause)}


def _typed(clause: Clause) -> str:
    if clause.op in WITHOUT_VALUE:
        return ""
    if clause.op in OF_SEGMENTS or clause.op in OF_TEXT:
        return str(clause.value)
    if _is_id(clause.attribute):
        values = clause.value if isinstance(clause.value, list) else [clause.value]
        return ", ".join(json.dumps(str(one)) if "," in str(one) else str(one) for one in values)
    return written_value(clause.value)
