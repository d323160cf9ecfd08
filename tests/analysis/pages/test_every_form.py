"""Every page obeys the strict policy; every form survives a double submit, an old tab and the end of the session."""

import html
import re

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse

from analysis.models import OutboxMessage, RefreshRun
from config.paths import REPOSITORY
from config.security import POLICY
from experiments import audit
from experiments.models import AuditEntry
from experiments.pages import opened
from tests import builders
from tests.analysis.pages import form_walk
from tests.analysis.pages.form_walk import BEFORE_SIGN_IN, Form, World
from tests.experiments.conftest import signed_in
from tests.experiments.pages.wizard_forms import HYPOTHESIS

WORDS = "typed with care"
PIECES = {"experiment_purpose", "metric_sentence", "targeting_sentence", "metric_preview_form"}
"""They say what a form would do, while it is typed, and keep nothing."""
ELSEWHERE = {
    "home": "the first project, on a page that a member never sees",
    "experiment_fix": "a button of the checklist, where it finds something to mend",
    "experiment_certify": "a button of the checklist, where a metric has no certificate",
    "experiment_withdraw": "a step like the others, where something is shipped",
    "experiment_metric_version": "needs a metric with two versions in a running experiment",
    "offpolicy_give": "a file, which the same file again does not change",
    "evidence_renew": "a button beside evidence",
    "view_delete": "a button beside an open view",
    "bots_let_in": "a button where a rule about bots is on",
}
"""Forms that the walk's small shop does not show; tests of their own hold them."""
OTHER_MARKS = {"mark", "seen", "revision"}
"""What the set-up, the steps of a life and rules remember; tests of their own hold them."""
NEW = {
    "note_new", "results_share", "evidence_past", "design_new", "experiment_new", "override_add",
    "conclusion_answer", "experiment_template", "member_list", "flag_new", "flag_needs", "flag_archive",
    "metric_new", "model_new", "model_pull", "layer_list", "segment_new", "holdout_stop", "holdout",
    "key_list", "view_save", "experiment_bulk", "model_scores", "alert_mute", "experiment_digests",
    "project_digests", "portfolio_new", "portfolio_digests", "notification_people", "experiment_hearers",
    "webhook_list",
}  # fmt: skip
"""They make something, or end it: nothing that somebody else has changed is overwritten."""
OWN = {"notifications", "note_edit"}
"""A person's own wishes and notes, which nobody else can change."""


@pytest.fixture
def made(shop, alice, settings) -> World:
    settings.WEBHOOK_PRIVATE = True
    return form_walk.world(shop, alice)


@pytest.fixture
def pages(client_of_alice, made) -> dict[str, HttpResponse]:
    return form_walk.all_pages(client_of_alice, made)


@pytest.fixture
def forms(pages) -> dict[str, Form]:
    return form_walk.all_forms(pages)


METRIC = "the purchase rate"
"""Stands for the number of a metric."""
SAMPLES: dict[str, dict[str, str | list[str]]] = {
    "design_new": {"name": "Banner", "key": "banner", "hypothesis": HYPOTHESIS, "metric": METRIC},
    "experiment_new": {"name": "Newer", "key": "newer", "hypothesis": HYPOTHESIS},
    "experiment_edit": {"name": "Designed anew", "metric": METRIC},
    "override_add": {"unit_id": "user-8", "variant": "treatment"},
    "experiment_set_up": {"name": "Named anew"},
    "experiment_template": {"name": "Lists"},
    "experiment_conclude": {"decision": "iterate", "reason": "More", "learned": "Much"},
    "member_list": {"email": "dora@example.com"},
    "experiment_pause": {"why": "A bug"},
    "experiment_resume": {"why": "Mended"},
    "experiment_stop": {"why": "Enough"},
    "note_new": {"text": "A sale began."},
    "note_edit": {"text": "A sale began on day 4."},
    "results_share": {"purpose": "The board"},
    "experiment_business": {"monthly_cost": "120"},
    "notifications": {"time_zone": "Europe/Berlin"},
    "evidence_north_star_choose": {"metric": "purchase-rate", "why": "It pays"},
    "flag_rule_edit": {"name": "Our people"},
    "experiment_bulk": {"tags": "search", "do": "tag", "key": "running"},
    "holdout": {"primary": METRIC},
    "experiment_grow": {"why": "More", "traffic": "80"},
    "experiment_phase": {"why": "Anew"},
    "flag_new": {"name": "Cart", "key": "cart", "value_type": "boolean", "default": "false"},
    "flag_edit": {"name": "Named anew"},
    "flag_needs": {"parent_key": "base", "value": "false"},
    "metric_new": {"name": "Carts", "key": "carts", "event": "Cart", "kind": "proportion"},
    "metric_edit": {"description": "Another"},
    "model_new": {"name": "ranker", "version": "v3"},
    "model_edit": {"notes": "Other words"},
    "layer_list": {"name": "Home", "key": "home"},
    "segment_new": {"name": "Ours", "key": "ours", "kind": "list", "unit_attribute": "id", "values": "u1"},
    "segment_edit": {"description": "Other words"},
    "holdout_stop": {"why": "Over"},
    "key_list": {"name": "Other", "scopes": ["read"]},
    "view_save": {"name": "Other"},
    "experiment_digests": {"email": "dora@example.com"},
    "project_digests": {"email": "dora@example.com"},
    "portfolio_digests": {"email": "dora@example.com"},
    "portfolio_new": {"name": "Other", "kind": "chosen", "experiments": ["running"]},
    "portfolio_edit": {"name": "Other"},
    "notification_people": {"email": "dora@example.com"},
    "webhook_list": {"name": "Other", "kind": "generic", "url": "https://127.0.0.1/y"},
    "webhook_edit": {"name": "Other"},
}


NOT_DONE = {
    "sign_out": "ends the session",
    "member_role": "the last admin stays one",
    "member_remove": "the last admin stays",
    "experiment_ship": "the rule says otherwise here",
    "metric_archive": "an experiment uses it",
    "model_pull": "needs a registry",
    "evidence_past": "needs a file",
    "model_scores": "needs a file",
    "holdout": "one runs already",
    "experiment_audience": "is sent as it is",
    "view_save": "only shared views are in the audit",
    "experiment_bulk": "is sent with nothing chosen",
    "experiment_hearers": "is told apart by its button",
}
"""What cannot be done here, or leaves no trace that is counted; the second sending must still do nothing more."""


MAILS = {"digest_preview_body", "delivery_body", "dev_outbox_body"}
"""A mail's own styles, shown in a frame that may do nothing."""
INLINE = re.compile(
    r"<style|<script(?![^>]* (?:src=|type=.application/json))|<[a-z][^<>]* (?:style|on[a-z]+)=|href=.javascript:",
    re.IGNORECASE,
)


TITLE = re.compile(r"<title>(.*?)</title>")


def test_every_page__has_a_title_with_its_project_the_strict_policy_nothing_inline_and_plotly_only_for_a_chart(pages):
    assert len(pages) > 80
    own = {path for path, page in pages.items() if page["Content-Security-Policy"] != POLICY}
    assert {resolve(path).url_name for path in own} <= MAILS
    assert "unsafe" not in POLICY
    found = {path: INLINE.search(text(page)) for path, page in pages.items() if path not in own}
    assert {path: one[0] for path, one in found.items() if one} == {}
    charted = {path for path, page in pages.items() if " data-chart=" in text(page)}
    assert charted == {path for path, page in pages.items() if "vendor/plotly" in text(page)} != set()
    titles = {path: TITLE.search(text(page)) for path, page in pages.items() if path.startswith("/p/")}
    unnamed = {path: one[1] for path, one in titles.items() if one and not one[1].endswith(" · Shop · Truelift")}
    assert unnamed.keys() <= own


def test_every_address_that_a_template_names__is_there():
    """A name that is none is no error where it is asked for with "as": its link is left out, in silence."""
    known = {name for name, _ in form_walk.routes(besides_the_api=False)}
    files = (REPOSITORY / "templates").rglob("*.html")
    named = {name: file.name for file in files for name in re.findall(r"{% url '([^']+)'", file.read_text())}
    assert len(named) > 100
    assert {name: file for name, file in named.items() if name not in known} == {}


def test_every_form__is_found_by_the_walk_or_has_a_reason(client_of_alice, made, forms):
    posting = set()
    for name, pattern in form_walk.routes():
        address = next(made.addresses(name, pattern), None)
        if address and "POST" in client_of_alice.delete(address).get("Allow", ""):
            posting.add(name)
    known = set(forms) | PIECES | set(ELSEWHERE) | BEFORE_SIGN_IN
    assert posting - known == set(), "these take a form that the walk does not find: add what they need to its world"
    editing = {name for name, form in forms.items() if not form.is_button} - NEW - OWN - BEFORE_SIGN_IN
    forgetful = {name for name in editing if not forms[name].marks & {opened.FIELD, *OTHER_MARKS}}
    assert forgetful == set(), "these change something and would overwrite others: put {% opened … %} into them"
    assert {name for name, form in forms.items() if "csrfmiddlewaretoken" not in form.marks} == set()


def test_every_form__in_a_double_click_an_old_tab_and_after_the_session__loses_and_doubles_nothing(made, forms, alice):
    metric = str(made.shop.metrics.get(key="purchase-rate").pk)
    wrong: list[str] = []
    for name, form in forms.items():
        sample = {field: metric if value == METRIC else value for field, value in SAMPLES.get(name, {}).items()}
        for check in (sent_twice, sent_from_an_old_tab, sent_after_the_session):
            with transaction.atomic():
                problem = check(form, sample, made)
                transaction.set_rollback(True)
            wrong += [f"{name}: {check.__name__}: {problem}"] if problem else []
    assert wrong == []


def sent_twice(form: Form, sample: dict[str, str | list[str]], made: World) -> str:
    """Say what is wrong when the second of two clicks arrives; the session of its own is gone with the savepoint."""
    if form.route == "sign_out":
        return ""
    client, before = signed_in(made.alice), traces()
    first = send(client, form, form.sent(**sample))
    after = traces()
    second = send(client, form, form.sent(**sample))
    if form.route not in NOT_DONE and (first.status_code != 302 or after == before):
        said = re.findall("#([^>]*>[^<]*)</a></li>", text(first))
        return f"is not done, so this proves nothing: {first.status_code} {said}"
    if traces() != after:
        return f"is done twice: {traces()} after {after}"
    return "" if first.get("Location") == second.get("Location") else f"leads to {second.get('Location')} at last"


def sent_from_an_old_tab(form: Form, sample: dict[str, str | list[str]], made: World) -> str:
    """Say what is wrong when Bob has changed the same thing meanwhile."""
    found = opened.read(form.value(opened.FIELD))
    if found is None:
        return ""
    name = found.fields[0] if found.fields else "name"
    change = {"before": {name: "as it was"}, "after": {name: "as Bob wants it"}}
    audit.record(made.shop, made.bob, "flag.edit", found.subject, **change)
    client, before = signed_in(made.alice), traces()
    typed = {**sample, **({form.texts[0]: WORDS} if form.texts else {})}
    answer = send(client, form, form.sent(**typed))
    if answer.status_code != 302 or traces() != before:
        return f"is not refused: {answer.status_code}, {traces()} after {before}"
    page = text(client.get(answer["Location"]))
    missing = [
        said for said in ("bob@example.com", "as Bob wants it", *([WORDS] if form.texts else [])) if said not in page
    ]
    if missing:
        return f"its page does not say {missing}"
    again = next(
        one for one in form_walk.forms_of(form.page, page) if one.route == form.route and one.size == form.size
    )
    if opened.read(again.value(opened.FIELD)).since(made.shop):
        return "cannot be sent after the changes were seen"
    return ""


def sent_after_the_session(form: Form, sample: dict[str, str | list[str]], made: World) -> str:
    """Say what is wrong when the session has ended meanwhile."""
    if not form.texts or form.route in BEFORE_SIGN_IN:
        return ""
    client, before = Client(), traces()
    answer = send(client, form, form.sent(**{**sample, form.texts[0]: WORDS}))
    fields = dict(re.findall(r'name="(next|kept)" value="([^"]*)"', text(answer)))
    fields = {name: html.unescape(value) for name, value in fields.items()}
    there = client.post(reverse("sign_in"), {"email": made.alice.email, "password": builders.PASSWORD, **fields})
    if there.status_code != 302 or there["Location"] != form.page:
        return f"does not come back to {form.page}: {there.status_code} {there.get('Location')}"
    return "" if WORDS in text(client.get(form.page)) and traces() == before else "what was typed is lost"


def send(client: Client, form: Form, fields: dict[str, list[str]]):
    return client.post(form.action, fields, headers={"referer": f"http://testserver{form.page}"})


def text(answer) -> str:
    return answer.content.decode()


def traces() -> tuple[int, int, int]:
    """Return how often something was done, mailed or begun."""
    return AuditEntry.objects.count(), OutboxMessage.objects.count(), RefreshRun.objects.count()
