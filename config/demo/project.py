"""Put the demo's people, catalogue, keys and experiments into the database; doing it twice changes nothing."""

import os
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from analysis.mail.digests import active, subscribe
from analysis.mail.schedule import Rhythm
from config.demo.catalogue import METRICS, MODELS, MetricFacts, ModelFacts, Serves, Story, Use
from config.demo.credentials import DEMO_EMAIL, DEMO_NAME, DEMO_PASSWORD, EXECUTIVE_EMAIL, PROJECT_SLUG
from experiments import audit, lifecycle
from experiments.changes import announce
from experiments.domain.access import Role, Scope
from experiments.domain.lifecycle import Status
from experiments.domain.offline import OfflineValue
from experiments.domain.units import UnitType
from experiments.keys import digest, issue_key
from experiments.metrics import add_metric
from experiments.model_versions import Registration, register
from experiments.models import ApiKey, Experiment, Membership, Metric, ModelVersion, Project, User
from experiments.setup import ExperimentPlan, MetricPlan, VariantPlan, create_experiment

CONTROL_KEY, TREATMENT_KEY = "control", "treatment"
KEY_NAME = "Demo shop's app"
ALL_SCOPES = (Scope.EVALUATE, Scope.INGEST, Scope.READ)


def ensure_user() -> User:
    """Return the person who signs in to the demo."""
    found = User.objects.filter(email=DEMO_EMAIL).first()
    return found or User.objects.create_user(DEMO_EMAIL, DEMO_PASSWORD, name=DEMO_NAME)


def ensure_project(slug: str, name: str, user: User, currency: str = "EUR") -> Project:
    """Return the project of that slug with ``user`` as an administrator."""
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": name, "currency": currency})
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": Role.ADMIN.value})
    return project


def ensure_demo_shop() -> tuple[Project, User]:
    """Return the demo shop with its user and catalogue."""
    user = ensure_user()
    project = ensure_project(PROJECT_SLUG, "Demo shop", user)
    ensure_catalogue(project, user)
    return project, user


def ensure_catalogue(project: Project, user: User) -> None:
    """Give a project the shop's metrics and model versions."""
    for facts in METRICS:
        ensure_metric(project, user, facts)
    known = set(ModelVersion.objects.filter(project=project).values_list("name", "version"))
    for model in MODELS:
        if (model.name, model.version) not in known:
            register(project, user, registration(model))


def registration(model: ModelFacts) -> Registration:
    """Return a model of the shop as it is registered."""
    ndcg = OfflineValue(
        name="NDCG@10",
        value=model.ndcg,
        low=round(model.ndcg - model.half, 4),
        high=round(model.ndcg + model.half, 4),
        method="bootstrap over searches",
        evaluation_set="held-out searches",
        size=12_000,
    )
    return Registration(
        name=model.name,
        version=model.version,
        parent=model.parent,
        owner=model.owner,
        status=model.status,
        notes=model.notes,
        metrics=(ndcg, OfflineValue(name="Latency p95", value=model.latency, evaluation_set="load replay")),
    )


def ensure_model(project: Project, user: User, name: str, version: str, metric: str, value: float) -> None:
    """Give a project a model version with one offline value, unless it is there."""
    if not ModelVersion.objects.filter(project=project, name=name, version=version).exists():
        register(
            project, user, Registration(name=name, version=version, metrics=(OfflineValue(name=metric, value=value),))
        )


def ensure_metric(project: Project, user: User, facts: MetricFacts) -> Metric:
    """Return a project's metric of that key, made when it is missing."""
    found = Metric.objects.filter(project=project, key=facts.key).first()
    if found is not None:
        return found
    made = Metric(
        key=facts.key,
        name=facts.name,
        description=facts.description,
        kind=facts.kind.value,
        event=facts.event,
        property=facts.property,
        denominator_event=facts.denominator_event,
        direction=facts.direction.value,
        display_unit=facts.display_unit.value,
    )
    return add_metric(project, user, made)


def key_file(project: Project) -> Path:
    """Return where the demo keeps the plain text of its own API key of a project."""
    suffix = "" if project.slug == PROJECT_SLUG else f"-{project.slug}"
    return Path(settings.HOME) / f"demo-api-key{suffix}"


def ensure_key(project: Project, user: User) -> str:
    """Return an API key of the project in plain text: the one kept in this installation's home, or a new one."""
    file = key_file(project)
    if file.exists():
        plain = file.read_text().strip()
        if ApiKey.objects.filter(project=project, digest=digest(plain), revoked_at__isnull=True).exists():
            return plain
    _, plain = issue_key(project, KEY_NAME, ALL_SCOPES, user)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(plain + "\n")
    return plain


def ensure_digests(project: Project, user: User) -> None:
    """Send the demo's results every Monday to the demo user and to an executive who has no account."""
    weekly = Rhythm(cadence="weekly", weekday=0, hour=8, time_zone="Europe/Berlin")
    addresses = set(active(project, None).values_list("email", flat=True))
    for address in {DEMO_EMAIL, EXECUTIVE_EMAIL} - addresses:
        subscribe(project, None, address, weekly, user, timezone.now())


def reproducible_salt(key: str, seed: int) -> str:
    """Return a salt that splits the same simulated shoppers alike on every machine."""
    return blake2b(f"{key}:{seed}".encode(), digest_size=8).hexdigest()


def ensure_experiment(project: Project, user: User, story: Story) -> Experiment:
    """Return the experiment of a story, as a draft when it is new, with a salt that makes the story reproducible."""
    found = Experiment.objects.filter(project=project, key=story.key).first()
    if found is not None:
        return found
    plan = ExperimentPlan(
        key=story.key,
        name=story.name,
        hypothesis=story.hypothesis,
        unit_type=UnitType.USER,
        planned_days=story.planned_days,
        variants=(
            _variant(project, CONTROL_KEY, story.control),
            _variant(project, TREATMENT_KEY, story.treatment),
        ),
        metrics=tuple(_use(project, use) for use in story.plan),
    )
    experiment = create_experiment(project, user, plan)
    experiment.salt = reproducible_salt(story.key, story.seed)
    experiment.save(update_fields=["salt"])
    return experiment


def _variant(project: Project, key: str, serves: Serves) -> VariantPlan:
    model = ModelVersion.objects.filter(project=project, name=serves.model, version=serves.version).first()
    return VariantPlan(key=key, name=serves.name, weight=5000, model_version=model)


def _use(project: Project, use: Use) -> MetricPlan:
    return MetricPlan(metric=Metric.objects.get(project=project, key=use.metric), role=use.role, margin=use.margin)


def start_in_the_past(experiment: Experiment, user: User | None, at: datetime) -> None:
    """Have the experiment running since ``at``: start a draft then, or move a later start back."""
    if experiment.status == Status.DRAFT:
        lifecycle.start(experiment, user, at=at)
    if experiment.started_at is not None and experiment.started_at > at:
        before: dict[str, object] = {"started_at": experiment.started_at.isoformat()}
        Experiment.objects.filter(pk=experiment.pk).update(started_at=at)
        experiment.refresh_from_db(fields=["started_at"])
        audit.record(
            experiment.project,
            user,
            "experiment.back-date",
            f"experiment:{experiment.key}",
            before=before,
            after={"started_at": at.isoformat()},
            why="Simulated shoppers came before the real start.",
        )
        announce()


def truths(experiment: Experiment) -> dict[str, str]:
    """Map the experiment's metric keys to fields of ``shop.TrueLifts``, by what a metric counts and not by its name."""
    known = {(f.kind.value, f.event, f.property, f.denominator_event): f.truth for f in METRICS}
    metrics = (use.metric for use in experiment.plan.select_related("metric"))
    found = {m.key: known.get((m.kind, m.event, m.property, m.denominator_event)) for m in metrics}
    return {key: truth for key, truth in found.items() if truth is not None}
