"""The form of a metric: what it counts, of which events, when and how much; only what its kind needs."""

from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from django import forms
from django.forms.formsets import BaseFormSet
from django.http import QueryDict
from django.utils.text import slugify

from experiments.domain.definition_words import percentile, sentence
from experiments.domain.definitions import Definition, FunnelStep, flaws, trimmed
from experiments.domain.filters import Filter
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, StandsFor
from experiments.domain.names import RESERVED_KEYS
from experiments.forms.errors import FormError, summary
from experiments.forms.plan import percent_of, ten_thousandths
from experiments.forms.property_filters import (
    PLAIN_TEXT,
    FilterForm,
    FilterRows,
    HoursField,
    StepForm,
    StepRows,
    initial_of,
    padded,
)
from experiments.metrics import MetricWords
from experiments.models import Metric, Project, User

KINDS = {
    MetricKind.PROPORTION: "Share of units that send the event at all",
    MetricKind.COUNT: "Events per unit",
    MetricKind.SUM: "Total of a property per unit",
    MetricKind.MEAN: "Average of a property over its events",
    MetricKind.RATIO: "Events divided by other events",
    MetricKind.RETENTION: "Share of units that come back in a later window",
    MetricKind.QUANTILE: "Quantile of a property, such as the slowest 5 %",
    MetricKind.DISTINCT: "Different values of a property per unit",
    MetricKind.FUNNEL: "Share of units that do several steps in order",
}
DIRECTIONS = {Direction.INCREASE: "Higher is better", Direction.DECREASE: "Lower is better"}
STANDS_FOR = {
    StandsFor.PROXY: "A proxy that moves first, such as clicks",
    StandsFor.BUSINESS: "The business, such as revenue",
    StandsFor.NEITHER: "Neither",
}
UNITS = {
    DisplayUnit.PERCENT: "Percent",
    DisplayUnit.NUMBER: "Number",
    DisplayUnit.CURRENCY: "Money",
    DisplayUnit.MILLISECONDS: "Milliseconds",
}
LEVELS = (5000, 7500, 9000, 9500, 9900)
CAPS = [("", "No cap"), ("value", "At an amount"), ("share", "At a percentile of all units")]
EVENTS = {**PLAIN_TEXT, "list": "event-names"}
PROPERTIES = {**PLAIN_TEXT, "list": "event-properties"}


def _text(label: str, hint: str = "", attrs: dict[str, Any] = EVENTS) -> forms.CharField:
    widget = forms.TextInput(attrs=dict(attrs))
    return forms.CharField(label=label, max_length=128, required=False, help_text=hint, widget=widget)


class BasicsForm(forms.Form):
    """Everything of a metric that is not a row of its own."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=300, required=False, help_text="What people should know who read it.")
    kind = forms.ChoiceField(choices=[(kind.value, text) for kind, text in KINDS.items()], widget=forms.RadioSelect)
    event = _text("Event", "The name your app sends, for example Order Completed.")
    property = _text("Property", "Which property of the event, for example revenue.", PROPERTIES)
    level = forms.TypedChoiceField(label="Quantile", coerce=int, required=False, empty_value=None)
    denominator_event = _text("Divided by this event")
    denominator_property = _text("Or by the total of this property of it", attrs=PROPERTIES)
    refund_event = _text("Less this event", "Refunds subtract, for example Order Refunded.")
    refund_property = _text("Its property", "The amount, for example total.", PROPERTIES)
    delay_hours = HoursField(label="Count from", help_text="After a unit's first exposure. Empty: at once.")
    window_hours = HoursField(
        label="For", help_text="How long each unit is watched; it counts when its window is over. Empty: to the end."
    )
    minimum_hours = HoursField(
        label="Only units that have been in for", help_text="Leaves out those that came just now. Empty: all."
    )
    cap = forms.ChoiceField(
        label="Cap what one unit can add",
        choices=CAPS,
        required=False,
        widget=forms.RadioSelect,
        help_text="A few extreme units can hide a change. The result without the cap stands beside it.",
    )
    cap_value = forms.DecimalField(label="Amount", max_digits=28, decimal_places=10, required=False)
    cap_share = forms.DecimalField(
        label="Percentile", max_digits=5, decimal_places=2, required=False, help_text="For example 99."
    )
    covariate_days = forms.IntegerField(
        label="Adjust for the days before",
        min_value=0,
        max_value=90,
        required=False,
        initial=14,
        help_text="What a unit did in so many days before its exposure makes its interval narrower. 0 switches it off.",
    )
    direction = forms.ChoiceField(
        choices=[(d.value, text) for d, text in DIRECTIONS.items()],
        widget=forms.RadioSelect,
        initial=Direction.INCREASE.value,
        help_text="Colours the reading; it never changes the arithmetic.",
    )
    display_unit = forms.ChoiceField(label="Shown as", choices=[(u.value, text) for u, text in UNITS.items()])
    stands_for = forms.ChoiceField(
        required=False,
        label="Stands for",
        choices=[("", "What its words say"), *((s.value, text) for s, text in STANDS_FOR.items())],
        help_text="On the way from a model to the business. An experiment can say otherwise.",
    )
    owner = forms.TypedChoiceField(required=False, empty_value=None, help_text="Who answers for what it counts.")

    def __init__(self, *args: Any, people: dict[str, User], level: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        levels = sorted({*LEVELS, *([level] if level else [])})
        chosen = self.fields["level"]
        chosen.choices = [(one, f"p{one / 100:g}, the {percentile(one)}") for one in levels]  # type: ignore[attr-defined]
        owner = self.fields["owner"]
        owner.choices = [("", "Nobody"), *((key, str(one)) for key, one in people.items())]  # type: ignore[attr-defined]
        owner.coerce = lambda key: people[key]  # type: ignore[attr-defined]


class KeyForm(forms.Form):
    """The key of a new metric."""

    key = forms.SlugField(
        max_length=60,
        required=False,
        help_text="Made from the name where you leave it empty.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )


class NoteForm(forms.Form):
    """Why a definition changes, and which version the page showed."""

    note = forms.CharField(
        max_length=300,
        required=False,
        label="What is different, and why",
        help_text="Needed where the definition changes: it becomes a new version.",
    )
    seen = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)


class MetricForm:
    """The whole page: basics, rows of filters and of steps, and a new metric's key or an old one's note."""

    def __init__(
        self, project: Project, posted: QueryDict | None = None, metric: Metric | None = None, user: User | None = None
    ) -> None:
        self.project, self.metric = project, metric
        before = None if metric is None else metric.definition()
        start = _initial(metric, before, user) if posted is None else None
        people = {str(one.user_id): one.user for one in project.memberships.select_related("user").order_by("user")}
        level = before.level if before else None
        self.basics = BasicsForm(posted, initial=start, people=people, level=level)
        self.filters = _rows(posted, "filters", before.filters if before else ())
        below = before.denominator_filters if before else ()
        self.denominator_filters = _rows(posted, "denominator_filters", below)
        self.steps = _steps(posted, before.steps if before else ())
        # A row holds one filter; steps with more, which only the API makes, stay as they are.
        many = before is not None and any(len(step.filters) > 1 for step in before.steps)
        self.kept_steps = before.steps if before is not None and many else ()
        self.key = KeyForm(posted)
        self.note = NoteForm(posted, initial={"seen": metric.version} if metric else None)
        self.problems: list[FormError] = []
        self.definition: Definition | None = None

    @property
    def is_bound(self) -> bool:
        """Say whether something was sent."""
        return self.basics.is_bound

    def is_valid(self) -> bool:
        """Read every part, then hold the definition together; each problem is kept beside its field."""
        rows: list[BaseFormSet[Any]] = [self.filters, self.denominator_filters, self.steps]
        parts = [one.is_valid() for one in (self.basics, self.key, self.note)]
        parts += [one.is_valid() for one in rows if one.is_bound]
        if "kind" not in self.basics.errors:
            wanted = trimmed(self._read())
            for flaw in flaws(wanted):
                self.refuse(flaw.field, flaw.message)
            self.definition = wanted
        if self.metric is None:
            self._find_key()
        return all(parts) and not (self.basics.errors or self.key.errors or self.problems)

    def refuse(self, field: str, message: str) -> None:
        """Keep a problem beside the field it belongs to; what has no field stands at the head of the page."""
        if field in self.basics.fields:
            if field not in self.basics.errors:
                self.basics.add_error(field, message)
        elif field in self.note.fields:
            self.note.add_error(field, message)
        else:
            self.problems.append(FormError(message, {"filters": "filters", "steps": "steps"}.get(field, "main")))

    @property
    def words(self) -> MetricWords:
        """Return what is said about the metric, of a valid form."""
        said = self.basics.cleaned_data
        return MetricWords(
            name=said["name"],
            description=said["description"],
            direction=Direction(said["direction"]),
            display_unit=DisplayUnit(said["display_unit"]),
            owner=said["owner"],
            stands_for=StandsFor(said["stands_for"]) if said["stands_for"] else None,
        )

    @property
    def sentence(self) -> str:
        """Return what the metric is, as far as it is clear, or what is still missing."""
        self.is_valid()
        found = [flaw.message for flaw in flaws(self.definition)] if self.definition is not None else []
        rows = [*self.filters.forms, *self.denominator_filters.forms, *self.steps.forms]
        found += [str(message) for row in rows for messages in row.errors.values() for message in messages]
        if self.definition is None or found:
            return found[0] if found else "Choose what kind of number it is."
        return sentence(self.definition)

    @property
    def sentence_now(self) -> str:
        """Return the sentence of a page that is shown, without asking the form again."""
        if self.definition is not None and not flaws(self.definition):
            return sentence(self.definition)
        return "" if self.metric is None or self.is_bound else sentence(self.metric.definition())

    @property
    def errors(self) -> list[FormError]:
        """Return the page's error summary."""
        if not self.is_bound:
            return []
        return [
            *self.problems,
            *summary([self.basics]),
            *summary(self.filters.forms, "Filter"),
            *summary(self.denominator_filters.forms, "Filter of the denominator"),
            *summary(self.steps.forms, "Step"),
            *summary([self.key, self.note]),
        ]

    @property
    def shows_more(self) -> bool:
        """Say whether what is seldom needed is in use, or wrong."""
        names = ("delay_hours", "window_hours", "minimum_hours", "cap", "cap_value", "cap_share", "covariate_days")
        if self.is_bound:
            used = any(self.basics.data.get(name, "") not in ("", "14") for name in names)
            return used or any(name in self.basics.errors for name in names)
        return any(self.basics.initial.get(name) not in (None, 0, "", 14) for name in names)

    def _read(self) -> Definition:
        given = self.basics.cleaned_data
        cap, share = given.get("cap"), given.get("cap_share")
        return Definition(
            kind=MetricKind(given["kind"]),
            event=given.get("event", "").strip(),
            property=given.get("property", "").strip(),
            filters=_found(self.filters),
            denominator_event=given.get("denominator_event", "").strip(),
            denominator_property=given.get("denominator_property", "").strip(),
            denominator_filters=_found(self.denominator_filters),
            refund_event=given.get("refund_event", "").strip(),
            refund_property=given.get("refund_property", "").strip(),
            steps=self.kept_steps or _found_steps(self.steps),
            level=given.get("level"),
            delay_hours=given.get("delay_hours") or 0,
            window_hours=given.get("window_hours"),
            minimum_hours=given.get("minimum_hours") or 0,
            cap_value=(given.get("cap_value") or Decimal(0)) if cap == "value" else None,
            cap_share=(0 if share is None else ten_thousandths(share)) if cap == "share" else None,
            covariate_days=14 if given.get("covariate_days") is None else given["covariate_days"],
        )

    def _find_key(self) -> None:
        given = self.key.cleaned_data.get("key", "") if "key" not in self.key.errors else None
        if given is None:
            return
        name = self.basics.cleaned_data.get("name", "")
        key = given or slugify(name)[:60]
        if not key and name:
            self.key.add_error("key", "Write a key: none can be made of this name.")
        elif key in RESERVED_KEYS:
            self.key.add_error("key", f"The key {key!r} is an address of its own; choose another.")
        elif self.project.metrics.filter(key=key).exists():
            self.key.add_error("key", f"The key {key!r} is already used in this project; choose another.")
        self.key.cleaned_data["key"] = key


Rows: TypeAlias = "BaseFormSet[FilterForm]"
AnyRows = TypeVar("AnyRows", bound="BaseFormSet[Any]")


def _rows(posted: QueryDict | None, prefix: str, filters: tuple[Filter, ...]) -> Rows:
    sent = posted if posted is not None and f"{prefix}-TOTAL_FORMS" in posted else None
    start = None if sent is not None else padded([initial_of(one) for one in filters])
    made: Rows = FilterRows(sent, prefix=prefix, initial=start)
    return _lenient(made)


def _steps(posted: QueryDict | None, steps: tuple[FunnelStep, ...]) -> "BaseFormSet[StepForm]":
    sent = posted if posted is not None and "steps-TOTAL_FORMS" in posted else None
    rows = [{"event": step.event, **(initial_of(step.filters[0]) if step.filters else {})} for step in steps]
    made: BaseFormSet[StepForm] = StepRows(sent, prefix="steps", initial=None if sent is not None else padded(rows, 3))
    return _lenient(made)


def _lenient(rows: AnyRows) -> AnyRows:
    """Let rows be left empty."""
    for row in rows.forms:
        row.empty_permitted, row.use_required_attribute = True, False
    return rows


def _found(rows: Rows) -> tuple[Filter, ...]:
    return tuple(row.found for row in rows.forms if row.found is not None)


def _found_steps(rows: "BaseFormSet[StepForm]") -> tuple[FunnelStep, ...]:
    if not rows.is_bound:
        return ()
    return tuple(
        FunnelStep(event=row.cleaned_data["event"].strip(), filters=() if row.found is None else (row.found,))
        for row in rows.forms
        if row.is_valid() and row.cleaned_data.get("event", "").strip()
    )


def _initial(metric: Metric | None, before: Definition | None, user: User | None) -> dict[str, Any]:
    if metric is None or before is None:
        return {"owner": user.pk if user else None, "level": 9500, "cap": ""}
    names = ("name", "description", "direction", "display_unit", "stands_for")
    same = ("event", "property", "level", "denominator_event", "denominator_property", "refund_event",
            "refund_property", "delay_hours", "window_hours", "minimum_hours", "cap_value",
            "covariate_days")  # fmt: skip
    return {
        **{name: getattr(metric, name) for name in names},
        **{name: getattr(before, name) for name in same},
        "kind": before.kind.value,
        "owner": metric.owner_id,
        "cap": "value" if before.cap_value is not None else "share" if before.cap_share is not None else "",
        "cap_share": None if before.cap_share is None else percent_of(before.cap_share),
    }
