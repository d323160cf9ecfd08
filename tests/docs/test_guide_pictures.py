"""`make guide` takes the pictures of the user guide; without it they are only taken, and lie with the artefacts."""

import os
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from analysis.decisions.reading import Reading
from analysis.models import Digest
from analysis.pages.sample_chains import CHAINS
from analysis.results.tone import Tone
from config.paths import REPOSITORY
from experiments import metrics
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.models import Experiment, Metric, ModelVersion, OfflineMetric, Project, User
from tests import builders, chromium
from tests.analysis.pages.test_chain import variant
from tests.analysis.pages.test_looks import opened
from tests.analysis.programme import samples
from tests.docs import guide_pictures as guide
from tests.experiments.conftest import alice, plain_static_files, shop, signed_in  # noqa: F401
from tests.experiments.pages.wizard_forms import HYPOTHESIS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FOLDER = guide.IMAGES if os.environ.get("TRUELIFT_GUIDE") else REPOSITORY / ".artefacts" / "guide"
TODAY = builders.T0 + timedelta(days=13, hours=4)
PIECES = ("reach", "forecast", "checklist")
CATALOGUE = (
    ("click-through-rate", "Click-through rate", "proportion", "Product Clicked", "increase", "percent"),
    ("purchase-rate", "Purchase rate", "proportion", "Order Completed", "increase", "percent"),
    ("revenue-per-user", "Revenue per user", "sum", "Order Completed", "increase", "currency"),
    ("page-latency", "Page latency", "mean", "Product List Viewed", "decrease", "milliseconds"),
)


@pytest.fixture
def answers(monkeypatch, alice, shop) -> dict[str, HttpResponse]:  # noqa: F811
    """Fetch every page first, on the last planned day: Django refuses its database beside Playwright's event loop."""
    monkeypatch.setattr(timezone, "now", lambda: TODAY)
    client = signed_in(alice)
    known = {key: _metric(shop, alice, key, *rest) for key, *rest in CATALOGUE}
    versions = [_version(shop, number, score) for number, score in ((7, 0.412), (8, 0.431), (9, 0.447))]
    _draft(shop, alice, known, versions)
    digest = _results(shop, alice, known)
    past = builders.project("past", owner=alice, name="Shop")
    samples.metrics(past, "sign-ups", "returns")
    samples.programme(past, 90, others=["sign-ups"], family=True, signal=2.0, seed=4)
    paths = {picture.at for picture in guide.PICTURES.values()} - {"mail"}
    pieces = [reverse(f"experiment_{piece}", args=["shop", "season-ranker"]) for piece in PIECES]
    asked = {path: client.get(path, headers={"HX-Request": "true"}) for path in pieces}
    mail = client.get(reverse("digest_preview_body", args=["shop", digest.pk]))
    return {**{path: client.get(path) for path in paths}, **asked, "/mail": mail}


def _metric(
    home: Project, owner: User, key: str, name: str, kind: str, event: str, direction: str, unit: str
) -> Metric:
    value = {"sum": "revenue", "mean": "latency_ms"}.get(kind, "")
    made = Metric(
        key=key, name=name, kind=kind, event=event, property=value, direction=direction, display_unit=unit, owner=owner
    )
    metrics.add_metric(home, owner, made)
    return made


def _version(home: Project, number: int, score: float) -> ModelVersion:
    made = ModelVersion.objects.create(project=home, name="search ranker", version=f"v{number}")
    OfflineMetric.objects.create(model_version=made, name="NDCG@10", value=score, direction="increase")
    return made


def _draft(home: Project, owner: User, known: dict[str, Metric], versions: list[ModelVersion]) -> None:
    draft = builders.experiment(
        home, "season-ranker", status=Status.DRAFT, owner=owner, primary=known["purchase-rate"],
        hypothesis=HYPOTHESIS.replace("ranker v2", "ranker v9"),
        name="Search ranking with season features", matters=200, planned_days=21,
    )  # fmt: skip
    draft.plan.create(metric=known["page-latency"], role=MetricRole.GUARDRAIL, margin=500, position=1)
    for one, version in zip(draft.variants.all(), versions[1:], strict=True):
        one.name, one.model_version = f"Ranker {version.version}", version
        one.save()


def _results(home: Project, owner: User, known: dict[str, Metric]) -> Digest:
    clicks, buys, revenue, latency = (
        builders.shop_metrics()[0],
        builders.metric_result(),
        *builders.shop_metrics()[2:0:-1],
    )
    models = [variant("control", 0.412, units=92_103), variant("treatment", 0.431, units=92_103)]
    quick = builders.metric_result(
        "page-latency",
        builders.comparison(
            value=204.0, control_value=203.1, difference=0.9, difference_interval=(-0.8, 2.6), lift=0.0044,
            lift_interval=(-0.004, 0.013), p_value=0.3, reading=Reading.NO_CLEAR_CHANGE,
        ),
        name="Page latency", kind="average", role="guardrail", direction="decrease", display_unit="milliseconds",
        margin=0.05,
    )  # fmt: skip
    told = {
        "purchase-ranker": ("Search ranking that learns from purchases", {
            "metrics": [buys, quick, revenue], "verdict": _verdict(
                "ship", Tone.GOOD, "Ship: the purchase rate rose by 5.6%, and every guardrail is held.",
                "The purchase rate rose by 5.6% (95% interval +2.1% to +9.2%).", "Ship it, and keep a holdback.")}),
        "click-ranker": ("Search ranking tuned for clicks", {
            "metrics": [clicks, quick, revenue], "chains": CHAINS, "variants": models, "verdict": _verdict(
                "look before you ship", Tone.WARN, "Clicks rose by 5.6%, but the gain stopped at clicks.",
                "Revenue per user changed by between −4.8% and +1.9%.", "Look at what people do after the click.")}),
        "transformer": ("Transformer re-ranking of search results", {"metrics": [clicks, latency, revenue]}),
    }  # fmt: skip
    made: dict[str, Experiment] = {}
    for key, (name, fields) in told.items():
        status = Status.STOPPED if key == "transformer" else Status.RUNNING
        one = builders.experiment(
            home,
            key,
            name=name,
            owner=owner,
            primary=known["click-through-rate"],
            status=status,
            **({"stopped_at": TODAY} if status is Status.STOPPED else {}),
        )
        builders.snapshot(one, builders.results(one, **fields))
        made[key] = one
    basket = builders.experiment(home, "basket", name="Basket recommendations from embeddings", owner=owner,
                                 primary=known["click-through-rate"])  # fmt: skip
    builders.snapshot(basket, builders.broken_results(basket))
    builders.alert(home, key="basket", sentence="Basket recommendations: 51.1 / 48.9 where 50 / 50 was designed.",
                   experiment=basket, now=timezone.now())  # fmt: skip
    return Digest.objects.create(
        project=home, experiment=made["click-ranker"], email="exec@example.com", cadence="weekly",
        next_due_at=timezone.now(),
    )  # fmt: skip


def _verdict(decision: str, tone: Tone, headline: str, explanation: str, next_step: str) -> Any:
    return builders.verdict(
        decision=decision,
        tone=tone,
        headline=headline,
        explanation=explanation,
        next_step=next_step,
        reasons=[explanation],
    )


def test_pictures_of_the_guide__can_be_taken(answers):
    wrong = {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200}
    assert wrong == {}
    with chromium.launched() as browser:
        page = opened(browser, answers, "light", guide.WIDTH)
        for name, picture in guide.PICTURES.items():
            at = "/mail" if picture.at == "mail" else picture.at
            guide.keep(FOLDER, name, guide.take(page, picture, at))
