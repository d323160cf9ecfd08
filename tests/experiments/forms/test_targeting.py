from types import SimpleNamespace

import pytest

from experiments.forms.targeting import TargetingForm

BETA = [SimpleNamespace(key="beta", name="Beta testers")]


def posted(*rows: tuple[str, str, str, str], **fields: str) -> dict[str, str]:
    names = ("joiner", "attribute", "op", "value")
    cells = {f"targeting-{i}-{name}": text for i, row in enumerate(rows) for name, text in zip(names, row, strict=True)}
    return {"targeting-TOTAL_FORMS": str(len(rows)), "targeting-INITIAL_FORMS": "0", **cells, **fields}


def read(*rows, **fields) -> TargetingForm:
    form = TargetingForm(segments=BETA, posted=posted(*rows, **fields))
    assert form.is_valid(), form.errors
    return form


def test_targeting__two_groups_and_empty_rows__become_one_condition():
    form = read(
        ("and", "country", "one_of", "DE, AT"),
        ("and", "", "is", ""),
        ("and", "age", "at_least", "18"),
        ("or", "", "in_segment", "beta"),
    )
    assert form.condition == {"$or": [{"country": {"$in": ["DE", "AT"]}, "age": {"$gte": 18}}, {"$segment": "beta"}]}
    assert form.words == "Only if country is one of DE, AT, and age is at least 18; or if in the segment Beta testers"


def test_targeting__no_row__is_everyone():
    assert read(("and", "", "is", "")).condition == {}


def test_targeting__the_same_attribute_twice__keeps_both_bounds():
    form = read(("and", "age", "at_least", "18"), ("and", "age", "less", "65"))
    assert form.condition == {"$and": [{"age": {"$gte": 18}}, {"age": {"$lt": 65}}]}


def test_targeting__ids__stay_text():
    assert read(("and", "id", "one_of", "1, 002")).condition == {"id": {"$in": ["1", "002"]}}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("and", "", "is", "DE"), "Name the attribute"),
        (("and", "country", "is", ""), "Give the value"),
        (("and", "country", "is", "DE, AT"), "choose “is one of” for several"),
        (("and", "$or", "is", "x"), "cannot begin with $"),
        (("and", "country", "rhymes", "x"), "Select a valid choice"),
        (("and", "", "in_segment", "staff"), "There is no segment 'staff' in this project. There are: beta."),
        (("and", "title", "matches", "("), "is no regular expression"),
        (("and", "app", "version_at_least", "new"), "a version such as"),
    ],
)
def test_targeting__a_wrong_row__is_refused_in_words(row, message: str):
    form = TargetingForm(segments=BETA, posted=posted(row))
    assert not form.is_valid()
    assert message in " ".join(error.message for error in form.errors)


def test_targeting__a_condition_beyond_rows__is_kept_as_json():
    form = TargetingForm(segments=BETA, initial={"$nor": [{"country": "DE"}]})
    assert form.is_raw
    again = read(**{"targeting-raw": form.raw["raw"].value()})
    assert again.condition == {"$nor": [{"country": "DE"}]}


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {"$near": 1}}'])
def test_targeting__json_that_is_no_condition__is_refused(text: str):
    assert not TargetingForm(segments=BETA, posted=posted(**{"targeting-raw": text})).is_valid()


@pytest.mark.parametrize(
    "condition",
    [
        {"age": 1e20},
        {"title": {"$regexi": "^a\\.b"}},
        {"id": {"$in": ["1", "a,b"]}},
        {"id": {"$in": [1]}},
        {"note": "true"},
        {"note": " spaces "},
        {"note": 'a "quoted" word'},
        {"$or": [{"country": "DE"}, {"$not": {"$segment": "beta"}}]},
        {"vip": False},
        {"app": {"$vgte": "2.10"}},
        {"name": {"$regex": '"x"'}},
    ],
)
def test_targeting__shown_and_sent_back__is_the_same_condition(condition):
    form = TargetingForm(segments=BETA, initial=condition)
    fields = {"targeting-TOTAL_FORMS": str(len(form.rows.forms)), "targeting-INITIAL_FORMS": "0"}
    for row in form.rows.forms:
        fields |= {row.add_prefix(name): row[name].value() or "" for name in row.fields}
    again = TargetingForm(segments=BETA, posted={**fields, "targeting-raw": form.raw["raw"].value() or ""})
    assert again.is_valid(), again.errors
    assert again.condition == condition


def test_targeting__more_rows_than_allowed__is_refused():
    form = TargetingForm(segments=(), posted=posted(*[("and", "a", "is", str(i)) for i in range(61)]))
    assert not form.is_valid()
