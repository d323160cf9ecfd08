"""Flags as product managers handle them: who may, what it costs, what is refused, what a stale tab does."""

import re

import pytest
from django.urls import reverse

from experiments import rules
from experiments.domain.kinds import RuleKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Flag, FlagRule
from tests import builders

READ = ["flag_list", "flag_detail"]
EDIT = ["flag_new", "flag_edit", "flag_rule_new", "flag_rule_edit", "flag_rule_delete"]
WRITE = ["flag_switch", "flag_needs", "flag_archive", "flag_rule_move"]
OF_RULE = {"flag_rule_edit", "flag_rule_delete", "flag_rule_move"}
NEW = {"name": "New checkout", "value_type": "boolean", "default": "false"}


@pytest.fixture
def flag(shop) -> Flag:
    return builders.flag(shop, on=("staging",))


@pytest.fixture
def rule(flag, alice) -> FlagRule:
    return rules.add_rule(flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=True, targeting={"plan": "pro"}))


def at(name: str, rule: FlagRule | None = None) -> str:
    if name in ("flag_list", "flag_new"):
        return reverse(name, args=["shop"])
    return reverse(name, args=["shop", "new-checkout", *([rule.pk] if name in OF_RULE else [])])


def rule_form(flag: Flag, *clauses: tuple[str, str, str, str], **changes: str) -> dict[str, str]:
    names = ("joiner", "attribute", "op", "value")
    cells = {f"targeting-{i}-{n}": text for i, row in enumerate(clauses) for n, text in zip(names, row, strict=True)}
    counts = {"targeting-TOTAL_FORMS": str(len(clauses)), "targeting-INITIAL_FORMS": "0"}
    fields = {"kind": "force", "value": "true", "revision": str(Flag.objects.get(pk=flag.pk).revision)}
    return {**fields, **counts, **cells, **changes}


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__a_stranger__gets_404(client_of_charlie, rule, name: str):
    assert client_of_charlie.get(at(name, rule)).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("client_of_charlie", 404), ("client_of_bob", 403)])
@pytest.mark.parametrize("name", EDIT + WRITE)
def test_post__a_stranger_or_viewer__changes_nothing(request, rule, name: str, who: str, status: int):
    client, before = request.getfixturevalue(who), AuditEntry.objects.count()
    assert client.post(at(name, rule), {"why": "x"}).status_code == status
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", READ)
def test_page__a_viewer__may_read_and_sees_no_way_to_change(client_of_bob, rule, name: str):
    main = client_of_bob.get(at(name, rule)).content.decode().split("<main")[1]
    assert 'method="post"' not in main


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__more_of_everything__costs_no_more_queries(
    client_of_alice, shop, flag, rule, alice, name: str, django_assert_max_num_queries
):
    for i in range(12):
        builders.flag(shop, f"flag-{i}")
        rules.add_rule(flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=True, name=str(i)))
        builders.experiment(shop, f"exp-{i}", status=Status.DRAFT)
    with django_assert_max_num_queries(12):
        assert client_of_alice.get(at(name, rule)).status_code == 200


@pytest.mark.parametrize("name", READ + EDIT)
def test_page__holds_no_inline_script_or_style(client_of_alice, rule, name: str):
    page = client_of_alice.get(at(name, rule)).content.decode()
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", page)


def test_list__a_search__finds_by_name_and_key(client_of_alice, shop, flag):
    builders.flag(shop, "banner", name="Summer banner")
    for query in ("SUMMER", "bann"):
        page = client_of_alice.get(at("flag_list"), {"q": query}).content.decode()
        assert "Summer banner" in page
        assert "New checkout" not in page
    assert "No flag matches" in client_of_alice.get(at("flag_list"), {"q": "winter"}).content.decode()


def test_new__sent_twice__makes_one_flag_that_is_off(client_of_alice, shop):
    for _ in range(2):
        assert client_of_alice.post(at("flag_new"), NEW).url == at("flag_detail")
    made = Flag.objects.get()
    assert (made.key, made.default_value) == ("new-checkout", False)
    assert not made.in_environments.filter(enabled=True).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"key": "a b"}, "cannot be a key"),
        ({"key": "banner"}, "already used by a flag"),
        ({"value_type": "colour"}, "Select a valid choice"),
        ({"value_type": "integer", "default": "1.5"}, "is no integer"),
        ({"value_type": "boolean", "default": "maybe"}, "Give true or false"),
        ({"value_type": "object", "default": "{"}, "JSON object"),
        ({"value_type": "number", "default": "NaN"}, "no number"),
    ],
)
def test_new__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, shop, changes, message: str):
    builders.flag(shop, "banner")
    response = client_of_alice.post(at("flag_new"), {**NEW, "description": "Kept words", **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page.replace("&#x27;", "'")
    assert "Kept words" in page
    assert Flag.objects.count() == 1


def test_switch__twice_by_the_same_form__switches_once(client_of_alice, flag):
    for _ in range(2):
        client_of_alice.post(at("flag_switch"), {"environment": "production", "enabled": "yes"})
    assert flag.in_environments.get(environment="production").enabled
    assert AuditEntry.objects.filter(action="flag.on").count() == 1


@pytest.mark.parametrize("wrong", [{"environment": "moon", "enabled": "yes"}, {"environment": "production"}])
def test_switch__something_unknown__changes_nothing(client_of_alice, flag, wrong):
    page = client_of_alice.post(at("flag_switch"), wrong, follow=True).content.decode()
    assert "Nothing was changed" in page


def test_rule_new__targeting_in_rows__is_shown_in_words(client_of_alice, flag):
    rows = [("and", "country", "one_of", "DE, AT"), ("or", "plan", "is", "pro")]
    sent = rule_form(flag, *rows, kind="rollout", share="12.5", unit_type="account")
    assert client_of_alice.post(at("flag_rule_new"), sent).status_code == 302
    made = FlagRule.objects.get()
    assert (made.share, made.unit_type, made.value) == (1250, "account", True)
    page = client_of_alice.get(at("flag_detail")).content.decode()
    assert "Only if country is one of DE, AT; or if plan is pro" in page
    assert "true for 12.5 % of accounts" in page


def test_rule_new__a_double_click__adds_one_rule(client_of_alice, flag):
    sent = rule_form(flag)
    for _ in range(2):
        assert client_of_alice.post(at("flag_rule_new"), sent).status_code == 302
    assert FlagRule.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": "12"}, "12 is no boolean"),
        ({"kind": "rollout"}, "Give the share"),
        ({"kind": "rollout", "share": "101"}, "less than or equal to 100"),
        ({"kind": "experiment"}, "Choose the experiment"),
        ({"kind": "experiment", "experiment": "elsewhere"}, "Select a valid choice"),
        ({"kind": "experiment", "experiment": "texts"}, "no boolean"),
        ({"environments": "moon"}, "Select a valid choice"),
        ({"starts_at": "2026-03-02T10:00", "ends_at": "2026-03-01T10:00"}, "The end must lie after"),
        ({"starts_at": "soon"}, "Enter a valid date"),
        ({"targeting-0-attribute": ""}, "Name the attribute"),
        ({"targeting-0-op": "in_segment", "targeting-0-value": "staff"}, "There is no segment"),
        ({"revision": "99"}, "was changed by somebody else meanwhile"),
    ],
)
def test_rule_new__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, shop, flag, changes, message: str):
    builders.experiment(shop, "texts")
    sent = rule_form(flag, ("and", "country", "is", "DE"), name="Kept words")
    response = client_of_alice.post(at("flag_rule_new"), {**sent, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page.replace("&#x27;", "'")
    assert "Kept words" in page
    assert not FlagRule.objects.exists()


def test_rule_edit__a_tab_older_than_another_change__is_refused(client_of_alice, alice, flag, rule):
    stale = rule_form(flag, name="Mine")
    rules.add_rule(flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=False))
    response = client_of_alice.post(at("flag_rule_edit", rule), stale)
    assert response.status_code == 400
    assert "was changed by somebody else meanwhile" in response.content.decode()
    rule.refresh_from_db()
    assert rule.name == ""


def test_rule_edit__shows_the_rule_and_saves_the_change(client_of_alice, flag, rule):
    page = client_of_alice.get(at("flag_rule_edit", rule)).content.decode()
    assert 'value="plan"' in page
    client_of_alice.post(at("flag_rule_edit", rule), rule_form(flag, ("and", "plan", "is", "free")))
    rule.refresh_from_db()
    assert rule.targeting == {"plan": "free"}


def test_rule_move__up__changes_the_order_once_for_each_page(client_of_alice, alice, flag, rule):
    second = rules.add_rule(flag, alice, rules.RulePlan(kind=RuleKind.FORCE, value=False))
    sent = {"by": "-1", "revision": str(Flag.objects.get().revision)}
    for _ in range(2):
        client_of_alice.post(at("flag_rule_move", second), sent)
    assert list(flag.rules.values_list("pk", flat=True)) == [second.pk, rule.pk]
    assert AuditEntry.objects.filter(action="flag.rules-order").count() == 1


def test_rule_delete__asks_first_and_deletes_once(client_of_alice, flag, rule):
    page = client_of_alice.get(at("flag_rule_delete", rule)).content.decode()
    assert "Only if plan is pro" in page
    for _ in range(2):
        assert client_of_alice.post(at("flag_rule_delete", rule)).status_code == 302
    assert not FlagRule.objects.exists()
    assert AuditEntry.objects.filter(action="flag.rule-remove").count() == 1


def test_rule__of_another_projects_flag__is_not_found(client_of_alice, flag, alice):
    foreign = builders.flag(builders.project("foreign"), "theirs")
    theirs = rules.add_rule(foreign, None, rules.RulePlan(kind=RuleKind.FORCE, value=True))
    assert client_of_alice.get(at("flag_rule_edit", theirs)).status_code == 404
    client_of_alice.post(at("flag_rule_delete", theirs))
    assert FlagRule.objects.filter(pk=theirs.pk).exists()


def test_needs__added_and_removed__are_kept_once(client_of_alice, shop, flag):
    builders.flag(shop, "base")
    for _ in range(2):
        client_of_alice.post(at("flag_needs"), {"parent_key": "base", "value": "true"})
    need = flag.prerequisites.get()
    assert (need.parent_key, need.value) == ("base", True)
    client_of_alice.post(at("flag_needs"), {"remove": "base"})
    assert not flag.prerequisites.exists()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"parent_key": "", "value": "true"}, "This field is required"),
        ({"parent_key": "nowhere", "value": "true"}, "There is no flag or experiment"),
        ({"parent_key": "base", "value": "12"}, "never serves this"),
        ({"parent_key": "new-checkout", "value": "true"}, "its own prerequisite"),
    ],
)
def test_needs__what_cannot_be__is_refused_in_words(client_of_alice, shop, flag, sent, message: str):
    builders.flag(shop, "base")
    response = client_of_alice.post(at("flag_needs"), sent)
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not flag.prerequisites.exists()


def test_archive__leaves_the_list_and_can_be_found(client_of_alice, flag):
    client_of_alice.post(at("flag_archive"), {"why": "Released"})
    client_of_alice.get(at("flag_list"))  # says once that it was archived, and names it
    assert "New checkout" not in client_of_alice.get(at("flag_list")).content.decode().split("<main")[1]
    assert "New checkout" in client_of_alice.get(at("flag_list"), {"archived": "1"}).content.decode()
    page = client_of_alice.get(at("flag_detail")).content.decode()
    assert "Archived on" in page
    assert "“Released”" in page


def test_edit__a_stale_tab__is_refused_and_the_words_kept(client_of_alice, flag):
    sent = {"name": "Newer", "description": "", "default": "false", "revision": "7"}
    response = client_of_alice.post(at("flag_edit"), sent)
    assert response.status_code == 400
    assert "was changed by somebody else meanwhile" in response.content.decode()
    assert client_of_alice.post(at("flag_edit"), {**sent, "revision": "1"}).status_code == 302
    flag.refresh_from_db()
    assert flag.name == "Newer"


def test_sentence__says_what_the_rows_say_so_far(client_of_alice, client_of_charlie, flag):
    where = reverse("targeting_sentence", args=["shop"])
    sent = rule_form(flag, ("and", "country", "is", "<b>"))
    assert client_of_alice.post(where, sent).content.decode() == "Only if country is &lt;b&gt;"
    assert client_of_alice.post(where, {**sent, "targeting-0-value": ""}).content.decode().endswith("compare with.")
    assert client_of_charlie.post(where, sent).status_code == 404
