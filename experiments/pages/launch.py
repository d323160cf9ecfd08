"""What is checked before a start: what blocks it, what should be looked at, and what mends it at one click."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.urls import reverse

from experiments import serving
from experiments.beginning import usual_guardrails
from experiments.domain import hypothesis
from experiments.domain.access import Scope
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE
from experiments.domain.metrics import MetricRole
from experiments.domain.serving import EVENT
from experiments.domain.targeting import Condition, cannot_both_hold
from experiments.models import Experiment
from experiments.pages.wizard_bar import PARTS, StepName
from experiments.plans import ExperimentPlan, problems_of
from experiments.setup import missing_for_start, plan_of

MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What mends something: a link, or with ``sends`` (fields of a form) one click."""

    label: str
    url: str
    sends: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the list. ``blocks`` says that the start waits for it; what else does not hold, warns."""

    text: str
    ok: bool
    blocks: bool = False
    fixes: tuple[Fix, ...] = field(default=())

    @property
    def tone(self) -> str:
        """Return how it is coloured."""
        return "good" if self.ok else "bad" if self.blocks else "warn"


def launch_checks(experiment: Experiment) -> list[Check]:
    """Return what the set-up itself can say of a draft; what has arrived and what it can promise is asked elsewhere."""
    plan = plan_of(experiment)
    return [
        *_missing(experiment, plan),
        _hypothesis(experiment, plan),
        _guardrails(experiment, plan),
        *_serving(experiment, plan),
        _owner(experiment),
        _key(experiment),
        _overlap(experiment),
    ]


def _step(experiment: Experiment, name: StepName, label: str = "Go there") -> Fix:
    url = reverse("experiment_set_up", args=[experiment.project.slug, experiment.key, name.value])
    return Fix(label=label, url=url)


def _missing(experiment: Experiment, plan: ExperimentPlan) -> Iterator[Check]:
    step_of = {part: name for name, parts in PARTS.items() for part in parts}
    parts = {problem.message: problem.part for problem in problems_of(plan)}
    missing = missing_for_start(experiment, plan)
    for text in missing:
        name = step_of.get(parts.get(text, ""))
        yield Check(text=text, ok=False, blocks=True, fixes=(_step(experiment, name),) if name else ())
    if not missing:
        decides = " or ".join(use.metric.name for use in plan.metrics if use.role is MetricRole.PRIMARY)
        yield Check(text=f"{len(plan.variants)} variants share 100 % of the traffic; {decides} decides.", ok=True)


def _hypothesis(experiment: Experiment, plan: ExperimentPlan) -> Check:
    names = list(experiment.project.metrics.values_list("name", flat=True))
    lacking = [found.part for found in hypothesis.read(plan.hypothesis, names) if not found.ok]
    if not plan.hypothesis.strip():
        return Check(text="There is no hypothesis.", ok=False, fixes=(_step(experiment, StepName.WHY, "Write it"),))
    if lacking:
        text = f"The hypothesis seems to lack a {' and a '.join(lacking)}."
        return Check(text=text, ok=False, fixes=(_step(experiment, StepName.WHY, "Look at it"),))
    return Check(text="The hypothesis names a change, a metric, a direction and a reason.", ok=True)


def _guardrails(experiment: Experiment, plan: ExperimentPlan) -> Check:
    held = [use.metric.name for use in plan.metrics if use.role is MetricRole.GUARDRAIL]
    if held:
        return Check(text=f"Must hold: {', '.join(held)}.", ok=True)
    usual = usual_guardrails(experiment.project, [use.metric.pk for use in plan.metrics])
    fixes = [_step(experiment, StepName.HOW, "Choose some")]
    if usual:
        names = ", ".join(use.metric.name for use in usual)
        url = reverse("experiment_fix", args=[experiment.project.slug, experiment.key])
        fixes.insert(0, Fix(label=f"Add the usual: {names}", url=url, sends={"guardrails": "usual"}))
    return Check(text="No guardrail is named: a gain could hide a harm.", ok=False, fixes=tuple(fixes))


def _serving(experiment: Experiment, plan: ExperimentPlan) -> Iterator[Check]:
    """Say what a model's serving must hold; nothing where no model versions are compared."""
    if not serving.is_of_models(plan):
        return
    missing = serving.lacking(experiment, plan)
    if not missing:
        yield Check(text="Latency, failures, fallbacks and cost of the models are guardrails.", ok=True)
        return
    url = reverse("experiment_fix", args=[experiment.project.slug, experiment.key])
    names = ", ".join(one.name[:1].lower() + one.name[1:] for one in missing)
    fix = Fix(label="Add them", url=url, sends={"guardrails": "serving"})
    text = f"What serving the models costs is not watched: {names}. They are read from the event {EVENT}."
    yield Check(text=text, ok=False, fixes=(fix,))


def _owner(experiment: Experiment) -> Check:
    if experiment.owner is not None and experiment.owner.is_active:
        return Check(text=f"{experiment.owner} answers for it.", ok=True)
    url = reverse("experiment_owner", args=[experiment.project.slug, experiment.key])
    fix = Fix(label="I do", url=url, sends={"owner": "me"})
    return Check(text="Nobody answers for it.", ok=False, fixes=(fix,))


def _key(experiment: Experiment) -> Check:
    keys = experiment.project.api_keys.filter(revoked_at__isnull=True)
    if keys.filter(scopes__contains=[Scope.EVALUATE.value, Scope.INGEST.value]).exists():
        return Check(text="An API key that may evaluate and ingest exists.", ok=True)
    fix = Fix(label="Make one", url=reverse("key_list", args=[experiment.project.slug]))
    return Check(text="Your app has no API key yet.", ok=False, fixes=(fix,))


def _overlap(experiment: Experiment) -> Check:
    others = overlapping(experiment)
    if not others:
        return Check(text=f"No other running experiment reaches the same {experiment.unit_type}s.", ok=True)
    names = ", ".join(other.name for other in others[:MOST_NAMED])
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    same_page = [other for other in others if experiment.page_address and other.page_address == experiment.page_address]
    if not same_page:
        text = (
            f"It shares {experiment.unit_type}s with {names}{more}. Chance evens that out where they do not interact."
        )
        return Check(text=text, ok=True)
    text = f"{same_page[0].name} changes the same page for the same {experiment.unit_type}s: the two may interact."
    return Check(text=text, ok=False, fixes=(_step(experiment, StepName.WHO, "Put them into one layer"),))


def overlapping(experiment: Experiment) -> list[Experiment]:
    """Return the running experiments that some unit of this one may be in too."""
    live = Experiment.objects.filter(
        project=experiment.project,
        kind=ExperimentKind.STANDARD.value,
        unit_type=experiment.unit_type,
        status__in=[status.value for status in LIVE],
    ).exclude(pk=experiment.pk)
    if experiment.layer_id is not None:
        live = live.exclude(layer=experiment.layer_id)
    mine: Condition = experiment.targeting
    return [
        other
        for other in live.order_by("name").only("key", "name", "page_address", "environments", "targeting")
        if set(other.environments) & set(experiment.environments) and not cannot_both_hold(mine, other.targeting)
    ]
