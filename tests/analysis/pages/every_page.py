"""Every page there is, found from the URL conf and fetched once, for browsers that then walk over all of them."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from analysis import sharing
from analysis.models import Digest, Recipient
from analysis.pages.sample_chains import CHAINS
from experiments import members
from experiments.domain.access import Role
from experiments.models import Experiment, Project, User
from tests import builders
from tests.analysis.pages import form_walk, kept_site
from tests.analysis.pages.test_chain import variant
from tests.analysis.pages.test_depth import clicks, keep
from tests.experiments.pages.wizard_forms import HYPOTHESIS


@pytest.fixture
def parts(client_of_alice, answers) -> dict[str, HttpResponse]:
    """Fetch what pages fetch themselves, as they do it."""
    asks = {"get": client_of_alice.get, "post": client_of_alice.post}
    typed = {"hypothesis": HYPOTHESIS, "name": "Better ranking"}
    return {
        address: asks[method](address, typed if method == "post" else None, headers={"HX-Request": "true"})
        for method, address in sorted(kept_site.parts_of(answers.values()))
    }


@pytest.fixture
def answers(client_of_alice, shop, alice, settings) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    settings.WEBHOOK_PRIVATE = True
    made = form_walk.world(shop, alice)
    more = _in_depth(shop)
    empty = builders.project("empty", owner=alice)
    bare = form_walk.World(shop=empty, alice=alice, bob=made.bob, numbers={}, words={})
    return {
        **form_walk.all_pages(client_of_alice, made),
        **form_walk.all_pages(client_of_alice, bare),
        **{address: client_of_alice.get(address) for address in more},
        **{address: Client().get(address) for address in _without_an_account(shop, alice)},
    }


def _in_depth(shop: Project) -> list[str]:
    """Give results a way from the model to the business; return what stands under more than one part of an address."""
    running = Experiment.objects.get(project=shop, key="running")
    models = [variant("control", 0.4), variant("treatment", 0.42)]
    metrics = [clicks(), *builders.shop_metrics()[1:]]
    builders.snapshot(running, builders.results(running, variants=models, chains=CHAINS, metrics=metrics))
    keep(running)
    broken = Experiment.objects.get(project=shop, key="paused")
    builders.snapshot(broken, builders.broken_results(broken))
    return [
        reverse("metric_in_depth", args=[shop.slug, "running", "click-through-rate"]),
        *(reverse("experiment_set_up", args=[shop.slug, "draft", step]) for step in ("who", "what", "how")),
        *(reverse("experiment_list", args=[shop.slug]) + f"?view={view}" for view in ("board", "timeline")),
    ]


def _without_an_account(shop: Project, alice: User) -> list[str]:
    running = Experiment.objects.get(project=shop, key="running")
    shared = sharing.share(running, alice, "The board", 7, timezone.now(), snapshot=None)[1]
    invited = members.invite(shop, "dora@example.com", Role.VIEWER, alice)
    return [
        reverse("sign_in"),
        reverse("shared_results", args=[shared]),
        reverse("join", args=[members.token_of(invited)]),
        reverse("unsubscribe", args=[Digest.objects.get(project=shop).token]),
        reverse("preferences", args=[Recipient.objects.get(project=shop, email=alice.email).token]),
    ]


def told_apart(answers: dict[str, HttpResponse]) -> list[str]:
    """Return one address for each way that a page can be drawn."""
    found: dict[object, str] = {}
    for address, page in answers.items():
        if page.status_code == 200 and kept_site.is_whole(page):
            found.setdefault((resolve(address.split("?")[0]).url_name, kept_site.drawn_with(page)), address)
    return list(found.values())


def name_of(address: str) -> str:
    """Return a picture's name: the same in every run, also where a token stands in the address."""
    match = resolve(address.split("?")[0])
    if "token" in match.kwargs:
        return str(match.url_name)
    return address.strip("/").replace("/", "-").replace("?", "-")[:120]
