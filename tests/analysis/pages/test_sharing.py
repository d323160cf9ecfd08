"""Links without an account show one experiment's results and nothing else; notes belong to whoever wrote them."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis import noting, sharing
from analysis.models import Note, ShareLink
from experiments.models import AuditEntry, Experiment
from tests import builders


@pytest.fixture
def ranker(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase)


def address(name: str, *more: object) -> str:
    return reverse(name, args=["shop", "new-ranker", *more])


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def opened(token: str):
    return Client().get(reverse("shared_results", args=[token]))


def made(of: Experiment, **fields):
    given = {"purpose": "The board", "days": 7, "now": timezone.now(), "snapshot": None, **fields}
    return sharing.share(of, None, given.pop("purpose"), given.pop("days"), given.pop("now"), **given)


def test_link__made_on_the_page__is_shown_once_and_opens_without_an_account(client_of_alice, ranker):
    builders.snapshot(ranker)
    form = {"purpose": "The board", "shows": "newest", "days": "30", "once": "t1"}
    shown = client_of_alice.post(address("results_share"), form, follow=True).content.decode()
    client_of_alice.post(address("results_share"), form)  # sent twice, made once
    (token,) = re.findall(r"/shared/([\w-]{43})/", shown)
    assert token not in client_of_alice.get(address("results_share")).content.decode()
    response = opened(token)
    said = words(response.content.decode())
    assert "shared for “The board”" in said
    assert builders.verdict().headline in said
    assert "+5.6% +2.1% to +9.2%" in said
    link = ShareLink.objects.get()
    assert (link.opened, link.digest != token) == (1, True)
    assert AuditEntry.objects.get(action="experiment.share").after["for"] == "The board"


def test_link__leads_nowhere_else_and_keeps_search_engines_out(ranker):
    builders.snapshot(ranker)
    response = opened(made(ranker)[1])
    html = response.content.decode()
    assert response["X-Robots-Tag"].startswith("noindex")
    assert (response["Referrer-Policy"], "no-store" in response["Cache-Control"]) == ("no-referrer", True)
    leads = {where for where in re.findall(r'(?:href|action|hx-get)="([^"#]+)', html) if "/static/" not in where}
    leads = {where for where in leads if not where.startswith("?change=")}  # the same page, told in other ways
    assert leads <= {reverse("home"), response.request["PATH_INFO"], reverse("glossary"), reverse("guide")}
    assert "Notes" not in words(html)


@pytest.mark.parametrize("ending", ["revoked", "over"])
def test_link__that_has_ended__says_so_and_shows_nothing(client_of_alice, ranker, ending: str):
    builders.snapshot(ranker)
    past = timezone.now() - timedelta(days=8)
    link, token = made(ranker) if ending == "revoked" else made(ranker, now=past)
    if ending == "revoked":
        client_of_alice.post(address("results_unshare", link.pk))
        client_of_alice.post(address("results_unshare", link.pk))
        assert AuditEntry.objects.filter(action="experiment.unshare").count() == 1
    response = opened(token)
    assert response.status_code == 410
    assert "This link has ended" in words(response.content.decode())
    assert builders.verdict().headline not in response.content.decode()


def test_link__of_one_result__stays_with_it(ranker):
    old = builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(headline="Early days.")))
    builders.snapshot(ranker)
    assert "Early days." in words(opened(made(ranker, snapshot=old)[1]).content.decode())
    assert "Early days." not in words(opened(made(ranker)[1]).content.decode())


def test_link__unknown_or_of_nothing_yet__is_not_found_or_says_so(ranker):
    assert opened("x" * 43).status_code == 404
    assert "No results yet" in words(opened(made(ranker)[1]).content.decode())


@pytest.mark.parametrize("name", ["results_share", "results_unshare", "note_new", "note_edit", "note_delete"])
def test_links_and_notes__for_strangers__are_not_found(client_of_charlie, ranker, name: str):
    more = [1] if name in ("results_unshare", "note_edit", "note_delete") else []
    assert client_of_charlie.post(address(name, *more)).status_code == 404


def test_links__of_viewers_and_of_wrong_forms__are_refused(client_of_alice, client_of_bob, ranker):
    assert (
        client_of_bob.post(address("results_share"), {"purpose": "me", "shows": "newest", "days": 7}).status_code == 403
    )
    wrong = client_of_alice.post(address("results_share"), {"purpose": "", "shows": "newest", "days": "5000"})
    assert wrong.status_code == 400
    assert not ShareLink.objects.exists()


def test_share__for_more_than_a_year__is_refused(ranker):
    with pytest.raises(ValueError, match="1 to 366 days; got 0"):
        made(ranker, days=0)


def test_note__is_written_changed_and_deleted_by_its_author_with_all_of_it_in_the_history(
    client_of_bob, client_of_alice, ranker
):
    form = {"text": "An outage on <b>Tuesday</b>.", "once": "n1"}
    for _ in range(2):  # sent twice, written once
        client_of_bob.post(address("note_new"), form)
    note = Note.objects.get()
    html = client_of_alice.get(address("experiment_results")).content.decode()
    assert "An outage on &lt;b&gt;Tuesday" in html
    assert address("note_edit", note.pk) not in html  # not hers
    assert client_of_alice.post(address("note_delete", note.pk)).status_code == 403
    client_of_bob.post(address("note_edit", note.pk), {"text": "An outage on Wednesday."})
    assert "changed" in client_of_bob.get(address("experiment_results")).content.decode().split('id="notes"')[1]
    client_of_bob.post(address("note_delete", note.pk))
    assert not Note.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="experiment.note").order_by("pk")
    assert [(one.action, (one.before or {}).get("text")) for one in actions] == [
        ("experiment.note", None),
        ("experiment.note-edit", "An outage on <b>Tuesday</b>."),
        ("experiment.note-delete", "An outage on Wednesday."),
    ]


def test_note__empty_or_too_long__is_refused_and_kept_in_the_form(client_of_bob, ranker):
    for text in ("", "x" * 4001):
        response = client_of_bob.post(address("note_new"), {"text": text})
        assert response.status_code == 400
    assert "xxx" in response.content.decode()
    assert not Note.objects.exists()


def test_note__edited_to_the_same__changes_nothing(ranker):
    note = noting.write(ranker, None, "Same.", timezone.now())
    assert not noting.edit(note, None, "Same.", timezone.now())
    assert noting.delete(note, None)
