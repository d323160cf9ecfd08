"""What kinds of experiment there are and when each is the right one: the page before every new experiment."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from experiments.access import SignedInRequest, get_project
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.forms.designs.bandit import BanditForm
from experiments.forms.designs.base import DesignForm
from experiments.forms.designs.interleaving import InterleavingForm
from experiments.forms.designs.offpolicy import OffPolicyForm
from experiments.forms.designs.switchback import SwitchbackForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind that has a form of its own. ``what`` says what it does, ``when`` when to take it, ``but`` its price."""

    slug: str
    title: str
    what: str
    when: str
    but: str
    form: type[DesignForm]


KINDS: dict[ExperimentKind, Kind] = {
    ExperimentKind.OFF_POLICY: Kind(
        slug="off-policy",
        title="Off-policy evaluation",
        what="What would the new model have earned? Answered from a log of what the old one decided.",
        when="Before anybody sees the new model: to choose which of ten candidates is worth an A/B test.",
        but="Your app must log each decision's probability, and the candidates must resemble what ran.",
        form=OffPolicyForm,
    ),
    ExperimentKind.INTERLEAVING: Kind(
        slug="interleaving",
        title="Interleaving",
        what="Two rankers share one result list, and clicks say whose results people prefer.",
        when="For search, feeds and recommendations, with little traffic or many candidates.",
        but="It tells which ranker is preferred and not by how much the business gains.",
        form=InterleavingForm,
    ),
    ExperimentKind.BANDIT: Kind(
        slug="bandit",
        title="Bandit",
        what="Traffic moves by itself towards the variant that earns most.",
        when="For many short-lived alternatives with a quick reward: banners, prompts, subject lines.",
        but="Intervals are wider than an A/B test's, and only one number is watched.",
        form=BanditForm,
    ),
    ExperimentKind.SWITCHBACK: Kind(
        slug="switchback",
        title="Switchback",
        what="Whole regions take turns between two variants, hour by hour.",
        when="For markets: where drivers, stock or prices are shared, so that one user's variant touches another's.",
        but="A block counts as one unit however many orders it holds, so it takes weeks.",
        form=SwitchbackForm,
    ),
}
OFFERED = tuple(KINDS)
BY_SLUG = {KINDS[name].slug: name for name in OFFERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of the page."""

    title: str
    what: str
    when: str
    but: str
    address: str
    button: str = "Set it up"


@login_required
@require_GET
def choose(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Offer every kind with one sentence on when to take it."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    context = {"project": project, "usual": _usual(project.slug), "special": _special(project.slug)}
    return render(request, "designs/choose.html", context)


def _usual(slug: str) -> list[Choice]:
    ordinary = reverse("experiment_new", args=[slug])
    return [
        Choice(
            title="A/B test",
            what="Some see the old, some the new, and the difference in what they do is the effect.",
            when="The default, for anything that a person sees: it measures what the business gains, and how sure that "
            "is.",
            but="It takes some days, and as many users as the effect is small.",
            address=ordinary,
        ),
        Choice(
            title="Model experiment",
            what="An A/B test whose variants are versions of a model: offline gain, clicks and revenue in one chain.",
            when="When a retrained or new model goes live: did its gain reach the business?",
            but="Register both model versions first, so that the offline gain stands beside the online one.",
            address=ordinary,
        ),
    ]


def _special(slug: str) -> list[Choice]:
    return [
        Choice(
            title=kind.title,
            what=kind.what,
            when=kind.when,
            but=kind.but,
            address=reverse("design_new", args=[slug, kind.slug]),
        )
        for kind in (KINDS[name] for name in OFFERED)
    ]
