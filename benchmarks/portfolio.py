"""A project full of experiments with results, put straight into the database, to measure pages and to look at them.

    .venv/bin/python -m benchmarks.portfolio [--experiments 2000] [--metrics 20] [--variants 4] [--project portfolio]

Fills the database of TRUELIFT_HOME (or DATABASE_URL), whose tables must be there. Sums are drawn and not made of
events; every verdict, interval and sentence is what the product's own rule says of them. The same seed gives the same
project.
"""

import argparse
import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.furnishing import furnish

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

AT_ONCE = 50
AREAS = ("Checkout", "Search", "Home page", "Product page", "Basket", "Onboarding", "Newsletter", "Recommendations")
IDEAS = (
    "shorter form", "bigger pictures", "gradient-boosted ranker", "delivery promise", "social proof", "fewer steps",
    "cheaper model", "personal order", "clearer prices", "guest mode", "faster pages", "vector retrieval",
)  # fmt: skip
TAGS = ("ranking", "pricing", "ui", "copy", "speed", "trust", "q1", "q2", "q3", "q4")
LAYERS = ("Checkout", "Search", "Browse", "Messages", "Recommendations", "Account")
OWNERS = ("Ada", "Bela", "Chen", "Dina", "Emil", "Fatou", "Gita", "Hugo")
DECISIONS = ("ship", "roll back", "iterate")


def fill(slug: str, experiments: int, metrics: int, variants: int, *, email: str, seed: int = 7) -> None:
    """Fill a project; ``email`` is of the member who may look at it."""
    from django.contrib.auth.hashers import make_password
    from django.db import transaction

    from experiments.domain.access import Role
    from experiments.models import Layer, Membership, ModelVersion, Project, User

    rng = np.random.default_rng(seed)
    home, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})
    locked = make_password(None)
    people = [User(email=f"{name.lower()}@{slug}.example", name=name, password=locked) for name in OWNERS]
    people = [*User.objects.bulk_create(people), User.objects.get(email=email)]
    Membership.objects.bulk_create(
        [Membership(project=home, user=one, role=Role.ADMIN) for one in people], ignore_conflicts=True
    )
    catalogue = make_metrics(home, metrics)
    layers = Layer.objects.bulk_create(Layer(project=home, key=name.lower(), name=name) for name in LAYERS)
    models = ModelVersion.objects.bulk_create(
        ModelVersion(project=home, name="ranker", version=f"v{n}") for n in range(1, 13)
    )
    numbers = iter(range(experiments))
    while batch := list(itertools.islice(numbers, AT_ONCE)):
        with transaction.atomic():
            make_batch(rng, home, (people, catalogue, layers, models), variants, batch)
    if experiments:
        furnish(home, to_decide(home), email, rng)


def to_decide(home: Any) -> Any:
    """Return the experiment whose pages are measured: it has ended, its result can be read, and nobody has decided."""
    from experiments.models import Experiment

    ended = Experiment.objects.filter(project=home, status="stopped", standing__trustworthy=True, conclusions=None)
    return ended.order_by("-stopped_at")[0]


def make_metrics(home: Any, count: int) -> list[Any]:
    from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
    from experiments.models import Metric, MetricVersion

    kinds = (
        ("Purchase rate", MetricKind.PROPORTION, DisplayUnit.PERCENT, Direction.INCREASE, ""),
        ("Page latency", MetricKind.AVERAGE, DisplayUnit.MILLISECONDS, Direction.DECREASE, "ms"),
        ("Revenue per user", MetricKind.SUM, DisplayUnit.CURRENCY, Direction.INCREASE, "revenue"),
        ("Clicks per user", MetricKind.COUNT, DisplayUnit.NUMBER, Direction.INCREASE, ""),
    )
    made = []
    for number in range(count):
        name, kind, unit, direction, property_ = kinds[number % len(kinds)]
        full = name if number < len(kinds) else f"{name}, {AREAS[number // len(kinds) % len(AREAS)].lower()}"
        made.append(
            Metric(
                project=home,
                key=f"m{number}",
                name=full,
                kind=kind,
                event=f"Event {number}",
                property=property_,
                direction=direction,
                display_unit=unit,
            )
        )
    Metric.objects.bulk_create(made)
    MetricVersion.objects.bulk_create(
        MetricVersion(metric=one, number=1, kind=one.kind, event=one.event, property=one.property) for one in made
    )
    return list(home.metrics.order_by("pk").prefetch_related("versions"))


def make_batch(rng: Any, home: Any, made_of: Any, variants: int, batch: list[int]) -> None:
    people, catalogue, layers, models = made_of
    from analysis.models import Glance, ResultSnapshot
    from analysis.results.glance import shown
    from analysis.results.schema import to_payload
    from experiments.models import Conclusion, Experiment, ExperimentMetric, Standing, Variant

    made = Experiment.objects.bulk_create(drawn(rng, home, people, layers, number) for number in batch)
    Variant.objects.bulk_create(row for one in made for row in arms(rng, one, models, variants))
    plan = ExperimentMetric.objects.bulk_create(row for one in made for row in uses(one, catalogue))
    by_experiment: dict[int, list[Any]] = {}
    for use in plan:
        by_experiment.setdefault(use.experiment_id, []).append(use)
    started = [one for one in made if one.started_at is not None]
    results = {one.pk: drawn_result(rng, one, by_experiment[one.pk], variants) for one in started}
    snapshots = ResultSnapshot.objects.bulk_create(
        ResultSnapshot(
            experiment=one, as_of=results[one.pk].as_of, engine_version="1", payload=to_payload(results[one.pk])
        )
        for one in started
    )
    Standing.objects.bulk_create(
        Standing(
            experiment_id=s.experiment_id, snapshot=s.pk, as_of=s.as_of, recommendation=r.verdict.decision,
            trustworthy=r.health.trustworthy, tone=r.verdict.tone, headline=r.verdict.headline,
        )
        for s, r in ((s, results[s.experiment_id]) for s in snapshots)
    )  # fmt: skip
    Glance.objects.bulk_create(
        Glance(standing_id=pk, **{name: getattr(seen, name) for name in seen.__dataclass_fields__})
        for pk, seen in ((pk, shown(one)) for pk, one in results.items())
    )
    Conclusion.objects.bulk_create(conclusions(rng, started, results, {s.experiment_id: s.pk for s in snapshots}))


def drawn(rng: Any, home: Any, people: Any, layers: Any, number: int) -> Any:
    """Return one experiment: most have ended within the last two years, some run, a few are drafts."""
    from experiments.models import Experiment

    now = datetime.now(UTC)
    area, idea = AREAS[number % len(AREAS)], IDEAS[int(rng.integers(len(IDEAS)))]
    days = int(rng.choice([7, 14, 14, 21, 28]))
    fate = rng.random()
    owner = people[int(rng.integers(len(people)))]
    tags = sorted(set(rng.choice(TAGS, size=int(rng.integers(0, 3))).tolist()))
    common = {
        "project": home, "key": f"e{number:04}", "name": f"{area}: {idea} {number}", "planned_days": days,
        "hypothesis": f"With {idea} on the {area.lower()} purchase rate rises, because people find what they came for.",
        "owner": owner, "created_by": owner, "tags": tags, "matters": 200,
    }  # fmt: skip
    if fate < 0.05:
        return Experiment(**common, created_at=now - timedelta(days=float(rng.uniform(0, 60))))
    runs = fate < 0.10
    ago = float(rng.uniform(0.5, days * 1.1)) if runs else float(rng.uniform(days, 730))
    start = now - timedelta(days=ago)
    layer = layers[int(rng.integers(len(layers)))] if not runs and rng.random() < 0.6 else None
    ended = {} if runs else {"status": "stopped", "stopped_at": start + timedelta(days=days)}
    life = {"status": "running", "started_at": start, "created_at": start - timedelta(days=float(rng.uniform(1, 12)))}
    return Experiment(**{**common, **life, **ended}, layer=layer)


def arms(rng: Any, experiment: Any, models: Any, variants: int) -> Iterator[Any]:
    from experiments.models import Variant

    weights = [10_000 // variants] * variants
    weights[0] += 10_000 - sum(weights)
    has_models = rng.random() < 0.3
    names = ["Control", "Treatment"] if variants == 2 else ["Control", *(f"Treatment {n}" for n in range(1, variants))]
    for position, (name, weight) in enumerate(zip(names, weights, strict=True)):
        model = models[int(rng.integers(len(models)))] if has_models else None
        yield Variant(
            experiment=experiment, key=name.lower().replace(" ", "-"), name=name, position=position, weight=weight,
            model_version=model,
        )  # fmt: skip


def uses(experiment: Any, catalogue: Any) -> Iterator[Any]:
    from experiments.models import ExperimentMetric

    for position, metric in enumerate(catalogue):
        role = "primary" if position == 0 else "guardrail" if position in (1, 5, 9) else "secondary"
        margin = 300 if role == "guardrail" else None
        version = metric.versions.all()[0] if experiment.started_at else None
        yield ExperimentMetric(
            experiment=experiment, metric=metric, role=role, margin=margin, position=position, version=version
        )


READ: dict[tuple[bool, int, int], list[tuple[str, Any]]] = {}
"""What the rule said, by whether the experiment runs, its days and its variants: reading a thousand takes minutes."""

MOST_READ = 12


def drawn_result(rng: Any, experiment: Any, plan: list[Any], variants: int) -> Any:
    """Return a result of its own, or once there are enough of that length one that was read before, renamed."""
    from msgspec import structs

    runs = experiment.stopped_at is None
    days = ((experiment.stopped_at or datetime.now(UTC)) - experiment.started_at).days
    read = READ.setdefault((runs, days, len(plan)), [])
    if runs or len(read) < MOST_READ:
        made = result(rng, experiment, plan, variants)
        read.append((experiment.name, made))
        return made
    name, other = read[int(rng.integers(len(read)))]
    headline, explanation = (
        text.replace(name, experiment.name) for text in (other.verdict.headline, other.verdict.explanation)
    )
    facts = structs.replace(
        other.experiment, key=experiment.key, name=experiment.name, started_at=experiment.started_at,
        stopped_at=experiment.stopped_at,
    )  # fmt: skip
    verdict = structs.replace(other.verdict, headline=headline, explanation=explanation)
    return structs.replace(other, experiment=facts, verdict=verdict, as_of=experiment.stopped_at)


def result(rng: Any, experiment: Any, plan: list[Any], variants: int) -> Any:
    """Return what the rule says of drawn sums: effects of about a percent, a broken split in one of forty."""
    from analysis.decisions.inputs import Situation, VariantCount
    from analysis.decisions.readout import ENGINE_VERSION, read_out
    from analysis.results.schema import SCHEMA_VERSION, ExperimentFacts, Results

    arms_of = list(experiment.variants.all())
    n = int(rng.lognormal(11, 0.7))
    broken = rng.random() < 0.025
    units = [int(n * (0.93 if broken and position else 1) + rng.normal(0, n**0.5 / 3)) for position in range(variants)]
    now = datetime.now(UTC)
    end = experiment.stopped_at or now
    days = [(experiment.started_at + timedelta(days=d)).date() for d in range((end - experiment.started_at).days + 1)]
    readout = read_out(
        Situation(
            experiment_name=experiment.name, unit_type="user", started_at=experiment.started_at,
            stopped_at=experiment.stopped_at, planned_days=experiment.planned_days, as_of=end, data_up_to=end,
            exposures_per_day={day: sum(units) // len(days) for day in days},
        ),
        [
            VariantCount(key=v.key, name=v.name, is_control=v.position == 0, weight=v.weight, units=units[v.position])
            for v in arms_of
        ],
        [summed(rng, use, arms_of, units) for use in plan],
    )  # fmt: skip
    return Results(
        schema=SCHEMA_VERSION, engine_version=ENGINE_VERSION, as_of=end, data_up_to=end, alpha=0.05,
        experiment=ExperimentFacts(
            key=experiment.key, name=experiment.name, hypothesis=experiment.hypothesis, unit_type="user",
            status=experiment.status, started_at=experiment.started_at, stopped_at=experiment.stopped_at,
            planned_days=experiment.planned_days, day=readout.day, currency="EUR",
        ),
        variants=readout.variants, health=readout.health, verdict=readout.verdict, metrics=readout.metrics,
        effect_over_time=[one for metric in readout.metrics for one in series(metric, days)],
        exposures_per_day=exposures(arms_of, units, days),
    )  # fmt: skip


def summed(rng: Any, use: Any, arms_of: list[Any], units: list[int]) -> Any:
    from analysis.decisions.inputs import MetricInput, MetricPlan
    from analysis.stats.moments import Moments, proportion_moments
    from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole

    metric, moments = use.metric, {}
    for arm in arms_of:
        n, lift = units[arm.position], float(rng.normal(0.002, 0.012)) if arm.position else 0.0
        if metric.kind == MetricKind.PROPORTION:
            moments[arm.key] = proportion_moments(n, int(rng.binomial(n, 0.08 * (1 + lift))))
            continue
        mean, spread = {"sum": (18.0, 40.0), "count": (3.1, 4.0), "mean": (210.0, 90.0)}[metric.kind]
        at = mean * (1 + lift / 4) + float(rng.normal(0, spread / n**0.5))
        if metric.kind == MetricKind.AVERAGE:
            moments[arm.key] = Moments(n=n, mean=np.array([at, 1.0]), comoment=np.diag([spread**2 * (n - 1), 0.0]))
        else:
            comoment = np.array([[spread**2 * (n - 1)]])
            moments[arm.key] = Moments(n=n, mean=np.array([at]), comoment=comoment, third=np.zeros(1))
    return MetricInput(
        plan=MetricPlan(
            key=metric.key, name=metric.name, kind=MetricKind(metric.kind), role=MetricRole(use.role),
            direction=Direction(metric.direction), display_unit=DisplayUnit(metric.display_unit),
            margin=None if use.margin is None else use.margin / 10_000, event=metric.event,
        ),
        moments=moments,
    )  # fmt: skip


def series(metric: Any, days: list[Any]) -> Iterator[Any]:
    from analysis.results.schema import EffectPoint, EffectSeries

    for one in metric.comparisons:
        if one.lift is None or one.lift_interval is None or None in one.lift_interval:
            continue
        half = (one.lift_interval[1] - one.lift_interval[0]) / 2
        points = []
        for number, day in enumerate(days, start=1):
            wide = half * (len(days) / number) ** 0.5
            points.append(
                EffectPoint(
                    day=day,
                    n=one.n * number // len(days),
                    control_n=one.control_n * number // len(days),
                    lift=one.lift,
                    lift_interval=(one.lift - wide, one.lift + wide),
                    difference=one.difference,
                    difference_interval=one.difference_interval,
                )
            )
        yield EffectSeries(metric=metric.key, variant=one.variant, points=points)


def exposures(arms_of: list[Any], units: list[int], days: list[Any]) -> list[Any]:
    from analysis.results.schema import ExposurePoint

    return [
        ExposurePoint(day=day, variant=arm.key, units=units[arm.position] // len(days))
        for day in days
        for arm in arms_of
    ]


def conclusions(rng: Any, started: list[Any], results: Any, snapshots: dict[int, int]) -> Iterator[Any]:
    """Yield what people decided of nine in ten that ended: mostly what the rule said."""
    from experiments.models import Conclusion

    for one in started:
        if one.stopped_at is None or rng.random() < 0.1:
            continue
        said = results[one.pk].verdict
        choice = "ship" if said.decision == "ship" else DECISIONS[1 + int(rng.integers(2))]
        if rng.random() < 0.03:
            choice = DECISIONS[int(rng.integers(3))]
        against = (said.decision == "ship") != (choice == "ship")
        yield Conclusion(
            experiment=one, decision=choice, recommendation=said.decision, snapshot=snapshots[one.pk], state="made",
            reason=said.headline, learned=f"{said.headline} {one.hypothesis}", tags=one.tags, against=against,
            decided_by=one.owner, decided_at=one.stopped_at + timedelta(days=float(rng.uniform(0, 6))),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--metrics", type=int, default=20)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--project", default="portfolio")
    parser.add_argument("--email", required=True, help="of the person who may look at it")
    options = parser.parse_args()
    import django

    django.setup()
    fill(options.project, options.experiments, options.metrics, options.variants, email=options.email)


if __name__ == "__main__":
    main()
