"""The part of the checklist that only data can answer: what has arrived, what replays said, what the plan sees."""

from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from kombu.exceptions import OperationalError as BrokerError

from analysis import certifying, history
from analysis.models import MetricCertificate
from analysis.pages.forecast import look_ahead, saved
from analysis.stats.replay import Verdict
from analysis.tasks import certify_metrics
from events.intake.fields import EXPOSURE
from events.models import SeenEvent
from experiments.access import SignedInRequest, get_experiment, may
from experiments.domain.access import Role
from experiments.models import Experiment, Metric
from experiments.pages.formats import day
from experiments.pages.launch import Check, Fix


@login_required
@require_GET
def checklist(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Say what data say of a draft: the end of its checklist, or a page of its own."""
    experiment, role = get_experiment(request.user, project_slug, key)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "checks": data_checks(experiment),
        "may_edit": may(role, Role.EDITOR),
    }
    template = "experiments/_checks.html" if "HX-Request" in request.headers else "experiments/checklist.html"
    return render(request, template, context)


@login_required
@require_POST
def certify(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Have the plan's metrics replayed that have no certificate yet; twice asks for the same."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    wanted = _uncertified(experiment, _metrics(experiment))
    names = ", ".join(metric.name for metric in wanted)
    try:
        if wanted:
            certify_metrics.delay(experiment.project_id, [metric.pk for metric in wanted])
            messages.success(request, f"A/A replays of {names} are under way; their certificates follow in a minute.")
    except BrokerError:
        messages.error(request, "The replay could not be queued: the task broker does not answer. Try again soon.")
    return redirect("experiment_detail", project_slug, key)


def data_checks(experiment: Experiment) -> list[Check]:
    """Return the lines in the order in which one would mend them."""
    metrics = _metrics(experiment)
    seen = {one.name: one for one in SeenEvent.objects.filter(project=experiment.project)}
    return [
        _exposures(experiment, seen),
        *_events(experiment, metrics, seen),
        *_certificates(experiment, metrics),
        *_power(experiment),
    ]


def _metrics(experiment: Experiment) -> list[Metric]:
    found = [use.metric for use in experiment.plan.select_related("metric")]
    for metric in found:
        metric.project = experiment.project
    return found


def _exposures(experiment: Experiment, seen: dict[str, SeenEvent]) -> Check:
    arrived = seen.get(EXPOSURE)
    if arrived is not None:
        return Check(text=f"Exposure events arrive, the last on {day(arrived.last_at.date())}.", ok=True)
    url = reverse("experiment_detail", args=[experiment.project.slug, experiment.key])
    fix = Fix(label="How to send one", url=f"{url}#call-title")
    return Check(text=f"No “{EXPOSURE}” event was ever seen: without it nobody is analysed.", ok=False, fixes=(fix,))


def _events(experiment: Experiment, metrics: list[Metric], seen: dict[str, SeenEvent]) -> Iterator[Check]:
    wanted: dict[str, Metric] = {}
    for metric in metrics:
        for name in (metric.event, metric.denominator_event):
            if name:
                wanted.setdefault(name, metric)
    missing = {name: metric for name, metric in wanted.items() if name not in seen}
    if wanted and not missing:
        yield Check(text=f"The metrics' events arrive: {', '.join(wanted)}.", ok=True)
    for name, metric in missing.items():
        fix = Fix(label="Events that arrive", url=reverse("event_list", args=[experiment.project.slug]))
        yield Check(text=f"“{name}”, of which {metric.name} is made, was never seen.", ok=False, fixes=(fix,))


def _uncertified(experiment: Experiment, metrics: list[Metric]) -> list[Metric]:
    known = certifying.newest(experiment.project)
    sources = history.sources(experiment.project, metrics) if metrics else {}
    return [metric for metric in metrics if metric.pk not in known and metric.pk in sources]


def _certificates(experiment: Experiment, metrics: list[Metric]) -> Iterator[Check]:
    known = certifying.newest(experiment.project)
    certified = [metric for metric in metrics if metric.pk in known and _holds(known[metric.pk])]
    if certified:
        names = ", ".join(metric.name for metric in certified)
        yield Check(text=f"A/A certificate: {names} raise no more false alarms than promised.", ok=True)
    for metric in metrics:
        if metric.pk in known and not _holds(known[metric.pk]):
            fix = Fix(label="Look at the metric", url=_metric_url(experiment, metric))
            yield Check(
                text=f"{metric.name} failed its A/A replay. {known[metric.pk].sentence}", ok=False, fixes=(fix,)
            )
    waiting = _uncertified(experiment, metrics)
    if waiting:
        url = reverse("experiment_certify", args=[experiment.project.slug, experiment.key])
        names = ", ".join(metric.name for metric in waiting)
        fix = Fix(label="Replay now", url=url, sends={"certify": "all"})
        yield Check(text=f"No A/A certificate yet: {names}.", ok=False, fixes=(fix,))
    without = [metric for metric in metrics if metric.pk not in known and metric not in waiting]
    if without:
        names = ", ".join(metric.name for metric in without)
        yield Check(text=f"No A/A certificate: no experiment has units for {names} yet. This one will.", ok=True)


def _holds(certificate: MetricCertificate) -> bool:
    return certificate.verdict == Verdict.CERTIFIED


def _metric_url(experiment: Experiment, metric: Metric) -> str:
    return reverse("metric_detail", args=[experiment.project.slug, metric.key])


def _power(experiment: Experiment) -> Iterator[Check]:
    draft = saved(experiment)
    if draft.primary is None:
        return
    found, reason = look_ahead(experiment, draft)
    how = reverse("experiment_set_up", args=[experiment.project.slug, experiment.key, "how"])
    if found is None:
        yield Check(text=reason, ok=False, fixes=(Fix(label="How we decide", url=how),))
        return
    if draft.matters is None:
        text = f"{found.headline} No smallest change that matters is named."
        yield Check(text=text, ok=False, fixes=(Fix(label="Name it", url=how),))
    elif found.is_enough:
        yield Check(text=found.headline, ok=True)
    else:
        yield Check(text=found.headline, ok=False, fixes=tuple(_longer(experiment, found.needed_days, how)))
    weak = [promise for promise in found.promises if promise.chance is not None and not promise.is_likely]
    for promise in weak:
        yield Check(text=promise.says, ok=False, fixes=(Fix(label="How we decide", url=how),))


def _longer(experiment: Experiment, needed: object, how: str) -> Iterator[Fix]:
    if isinstance(needed, int):
        url = reverse("experiment_fix", args=[experiment.project.slug, experiment.key])
        yield Fix(label=f"Plan {needed} days", url=url, sends={"planned_days": str(needed)})
    yield Fix(label="Change the plan", url=how)
