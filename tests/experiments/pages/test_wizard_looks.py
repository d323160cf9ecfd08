"""The steps of the set-up, the end of the life and the members as a browser draws them: themes, wide and narrow."""

import pytest
from django.http import HttpResponse
from django.urls import reverse

from experiments import beginning, members
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from tests import builders, chromium
from tests.analysis.pages.test_looks import HOST, opened
from tests.experiments.pages.test_looks import keep
from tests.experiments.pages.wizard_forms import HYPOTHESIS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PIECES = ("reach", "forecast", "checklist")
"""What pages ask for beside themselves."""


@pytest.fixture
def answers(client_of_alice, alice, shop, purchase) -> dict[str, HttpResponse]:
    latency = builders.metric(shop, "latency", direction="decrease")
    said = {"primary": purchase, "hypothesis": HYPOTHESIS}
    draft = builders.experiment(shop, "draft", status=Status.DRAFT, owner=alice, **said)
    draft.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=300, position=1)
    beginning.save_template(draft, alice, "our-way", "Our way", "What we always watch")
    ended = builders.experiment(shop, "ended", status=Status.STOPPED, **said)
    builders.snapshot(ended, builders.results(ended))
    invited = members.invite(shop, "new@example.com", Role.EDITOR, alice)
    paths = [
        *(reverse("experiment_set_up", args=["shop", "draft", step]) for step in ("why", "who", "what", "how")),
        *(reverse(name, args=["shop"]) for name in ("experiment_new", "template_list", "member_list")),
        *(reverse("experiment_detail", args=["shop", key]) for key in ("draft", "ended")),
        reverse("experiment_template", args=["shop", "draft"]),
        reverse("experiment_conclude", args=["shop", "ended"]),
        f"/join/{members.token_of(invited)}/",
    ]
    found = {path: client_of_alice.get(path) for path in paths}
    pieces = [reverse(f"experiment_{piece}", args=["shop", "draft"]) for piece in PIECES]
    asked = {path: client_of_alice.get(path, headers={"HX-Request": "true"}) for path in pieces}
    refused = client_of_alice.post(reverse("experiment_set_up", args=["shop", "draft", "why"]), {"name": ""})
    return {**found, **asked, "/refused/": refused}


@pytest.mark.parametrize("looks", chromium.LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, look.theme, look.width)
            chromium.listen(page, wrong)
            for path in (path for path in answers if not path.endswith(tuple(f"/{piece}/" for piece in PIECES))):
                page.goto(HOST + path, wait_until="networkidle")
                wrong += chromium.faults(page, look)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
                keep(page, path, look.theme, look.width)
            page.close()
    assert [line for line in wrong if "status of 400" not in line] == []
