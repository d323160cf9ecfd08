"""Beside the wizard's fields: what a hypothesis names, who would take part, and pictures that only members see."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from experiments import holdouts, layers, pictures
from experiments.domain.lifecycle import Status
from experiments.models import Conclusion, Experiment, Screenshot
from tests import builders
from tests.experiments.pages.wizard_forms import HYPOTHESIS, what

PURPOSE = "/p/shop/hypothesis/"
REACH = "/p/shop/experiments/new-ranker/reach/"
WHAT = "/p/shop/experiments/new-ranker/set-up/what/"


@pytest.fixture
def draft(shop) -> Experiment:
    return builders.experiment(shop, status=Status.DRAFT)


def a_picture(width: int = 40) -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (width, 30), "teal").save(out, "PNG")
    return SimpleUploadedFile("list.png", out.getvalue(), "image/png")


def words(client, address: str, **query) -> str:
    return client.get(address, query, headers={"HX-Request": "true"}).content.decode()


def test_purpose__a_whole_hypothesis__is_called_whole(client_of_alice, purchase):
    page = client_of_alice.post(PURPOSE, {"hypothesis": HYPOTHESIS}).content.decode()
    assert page.count('<li class="good">') == 4
    assert "“Purchase rate”" in page


def test_purpose__something_asked_before__is_shown_with_what_was_learned(client_of_alice, shop, alice):
    ranker = builders.experiment(shop, "old", name="Season ranker", hypothesis="Ranking by season raises purchases")
    builders.experiment(shop, "other", name="Mail at night", hypothesis="Mails at night are read")
    Conclusion.objects.create(
        experiment=ranker, decision="iterate", reason="Flat", learned="Season alone is weak.", state="made"
    )
    sent = {"name": "Ranker by season", "hypothesis": "If we rank by season, purchases rise"}
    page = client_of_alice.post(PURPOSE, sent).content.decode()
    assert "Season ranker" in page
    assert "Decided: iterate" in page
    assert "Season alone is weak." in page
    assert "Mail at night" not in page
    assert "Season ranker" not in client_of_alice.post(f"{PURPOSE}?besides=old", sent).content.decode()


def test_purpose__what_people_typed__is_escaped(client_of_alice, shop):
    page = client_of_alice.post(PURPOSE, {"hypothesis": "if <script>alert(1)</script>"}).content.decode()
    assert "<script>" not in page


def test_purpose__two_thousand_experiments__cost_as_many_queries_as_two(
    client_of_alice, shop, django_assert_max_num_queries
):
    Experiment.objects.bulk_create(
        Experiment(project=shop, key=f"e{i}", name=f"Ranker {i}", hypothesis="Ranking by season") for i in range(200)
    )
    with django_assert_max_num_queries(7):
        client_of_alice.post(PURPOSE, {"hypothesis": "If we rank by season"})


def test_purpose__a_stranger__gets_404(client_of_charlie, shop):
    assert client_of_charlie.post(PURPOSE, {"hypothesis": "x"}).status_code == 404


def test_reach__as_typed__says_who_takes_part(client_of_alice, shop, alice, purchase, draft):
    holdouts.start(shop, alice, 1000, [purchase])
    page = words(client_of_alice, REACH, traffic="50", unit_type="user", respects_holdout="on")
    assert "45 % of all users take part: 22.5 % Control, 22.5 % Treatment." in page
    assert "In the holdout" in page
    assert "50 % of all users" in words(client_of_alice, REACH, traffic="50", unit_type="user")


def test_reach__in_a_layer__draws_the_part_and_what_is_left(client_of_alice, shop, alice, draft):
    home = layers.create_layer(shop, alice, "home", "Home page")
    layers.join(builders.experiment(shop, "other", status=Status.DRAFT), home, 6000, alice)
    page = words(client_of_alice, REACH, traffic="100", unit_type="user", layer="home", layer_share="30")
    assert "30 % of all users take part" in page
    assert "With your 30 %, 10 % is left." in page
    assert "tone-4" in page
    full = words(client_of_alice, REACH, traffic="100", unit_type="user", layer="home", layer_share="50")
    assert "50 % is more than is free in Home page: 40 %." in full


@pytest.mark.parametrize("traffic", ["", "x", "-1", "1e400", "NaN", "101"])
def test_reach__while_it_is_no_share_yet__stays_with_what_is_saved(client_of_alice, draft, traffic: str):
    assert "100 % of all users take part" in words(client_of_alice, REACH, traffic=traffic, unit_type="user")


def test_reach__without_script__is_a_page(client_of_alice, client_of_charlie, draft):
    assert "Who takes part, as saved" in client_of_alice.get(REACH).content.decode()
    assert client_of_charlie.get(REACH).status_code == 404


def test_picture__uploaded_with_a_variant__is_kept_shown_and_removed(client_of_alice, draft):
    client_of_alice.post(WHAT, what(**{"variants-1-picture": a_picture(), "variants-1-key": "v2"}))
    kept = Screenshot.objects.get()
    assert (kept.variant_key, kept.width) == ("v2", 40)
    at = reverse("experiment_picture", args=["shop", "new-ranker", kept.pk])
    assert at in client_of_alice.get(WHAT).content.decode()
    renamed = what(**{"variants-1-key": "ranker", "variants-1-was": "v2"})
    client_of_alice.post(WHAT, renamed)
    assert Screenshot.objects.get().variant_key == "ranker"
    client_of_alice.post(WHAT, what(**{"variants-1-key": "ranker", "remove_picture": str(kept.pk)}))
    assert not Screenshot.objects.exists()


def test_picture__of_a_removed_variant__goes_with_it(client_of_alice, draft):
    client_of_alice.post(WHAT, what(**{"variants-3-picture": a_picture(), "variants-3-key": "v3"}))
    gone = {"variants-3-name": "", "variants-3-weight": "", "variants-3-value": "", "variants-1-weight": "66.66"}
    client_of_alice.post(WHAT, what(**gone))
    assert not Screenshot.objects.exists()


def test_picture__that_is_none__saves_nothing_of_the_step(client_of_alice, draft):
    file = SimpleUploadedFile("list.png", b"<svg onload='alert(1)'/>", "image/png")
    response = client_of_alice.post(WHAT, what(**{"variants-1-picture": file}))
    assert response.status_code == 400
    assert "no picture that we read" in response.content.decode()
    assert not Screenshot.objects.exists()
    assert draft.variants.count() == 2


def test_picture__is_for_members_alone_and_can_run_nothing(client_of_alice, client_of_bob, client_of_charlie, draft):
    kept = pictures.attach(draft, "control", pictures.redraw(a_picture().read()), None)
    at = reverse("experiment_picture", args=["shop", "new-ranker", kept.pk])
    answer = client_of_bob.get(at)
    assert answer["Content-Type"] == "image/webp"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer["Cache-Control"]
    assert client_of_alice.get(at, headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert client_of_charlie.get(at).status_code == 404
    assert client_of_alice.get(at.replace(f"/{kept.pk}/", "/999999/")).status_code == 404


def test_picture__of_another_experiment__is_not_found_under_this_one(client_of_alice, draft, shop):
    other = builders.experiment(shop, "other")
    kept = pictures.attach(other, "control", pictures.redraw(a_picture().read()), None)
    assert client_of_alice.get(reverse("experiment_picture", args=["shop", "new-ranker", kept.pk])).status_code == 404
