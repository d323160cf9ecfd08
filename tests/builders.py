"""Typed builders with defaults: Alice owns, Bob shares, Charlie is a stranger; everything happens around T0."""

import hashlib
import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from msgspec import structs

from analysis.alerts.kinds import AlertKind
from analysis.alerts.raising import Raised, raise_alert
from analysis.models import ResultSnapshot
from analysis.results import glance
from analysis.results.schema import (
    SCHEMA_VERSION,
    Check,
    Comparison,
    EffectPoint,
    EffectSeries,
    ExperimentFacts,
    ExposurePoint,
    Health,
    MetricResult,
    Reading,
    Results,
    Srm,
    Tone,
    VariantFact,
    Verdict,
    to_payload,
)
from experiments.domain.access import Role
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind, SegmentKind, ValueType
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.models import (
    Experiment,
    ExperimentMetric,
    Flag,
    FlagEnvironment,
    Layer,
    Membership,
    Metric,
    Override,
    Project,
    Segment,
    Standing,
    User,
    Variant,
)

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

_serial = itertools.count(1)


def user(email: str = "", **fields: Any) -> User:
    return User.objects.create_user(email or f"person{next(_serial)}@example.com", PASSWORD, **fields)


def project(slug: str = "", *, owner: User | None = None, role: Role = Role.ADMIN, **fields: Any) -> Project:
    slug = slug or f"shop-{next(_serial)}"
    made = Project.objects.create(slug=slug, name=fields.pop("name", slug.replace("-", " ").capitalize()), **fields)
    if owner is not None:
        Membership.objects.create(project=made, user=owner, role=role)
    return made


def metric(home: Project, key: str = "purchase-rate", **fields: Any) -> Metric:
    defaults: dict[str, Any] = {
        "name": key.replace("-", " ").capitalize(),
        "kind": MetricKind.PROPORTION,
        "event": "Order Completed",
        "direction": Direction.INCREASE,
        "display_unit": DisplayUnit.PERCENT,
    }
    return Metric.objects.create(project=home, key=key, **{**defaults, **fields})


def experiment(
    home: Project,
    key: str = "new-ranker",
    *,
    weights: tuple[int, ...] = (5000, 5000),
    status: Status = Status.RUNNING,
    primary: Metric | None = None,
    **fields: Any,
) -> Experiment:
    if status is not Status.DRAFT:
        fields.setdefault("started_at", T0)
    if status is Status.STOPPED:
        fields.setdefault("stopped_at", T0)
    fields.setdefault("name", key.replace("-", " ").capitalize())
    made = Experiment.objects.create(project=home, key=key, status=status, **fields)
    names = ["control", *(["treatment"] if len(weights) == 2 else [f"treatment-{i}" for i in range(1, len(weights))])]
    for position, (name, weight) in enumerate(zip(names, weights, strict=True)):
        Variant.objects.create(experiment=made, key=name, name=name.capitalize(), position=position, weight=weight)
    if primary is not None:
        ExperimentMetric.objects.create(experiment=made, metric=primary, role=MetricRole.PRIMARY)
    return made


def standing(of: Experiment, **fields: Any) -> Standing:
    """What the newest result says, as the pipeline notes it."""
    defaults: dict[str, Any] = {
        "snapshot": 7, "as_of": T0, "recommendation": "ship", "trustworthy": True, "tone": "good", "headline": "Up.",
    }  # fmt: skip
    return Standing.objects.create(experiment=of, **{**defaults, **fields})


def a_flag(
    home: Project,
    key: str = "free-shipping",
    *,
    value_type: ValueType = ValueType.BOOLEAN,
    default_value: Any = False,
    on: tuple[Environment, ...] = tuple(Environment),
    **fields: Any,
) -> Flag:
    fields.setdefault("name", key.replace("-", " ").capitalize())
    made = Flag.objects.create(project=home, key=key, value_type=value_type, default_value=default_value, **fields)
    for environment in Environment:
        FlagEnvironment.objects.create(flag=made, environment=environment, enabled=environment in on)
    return made


def a_layer(home: Project, key: str = "checkout", **fields: Any) -> Layer:
    return Layer.objects.create(project=home, key=key, name=fields.pop("name", key.capitalize()), **fields)


def a_segment(home: Project, key: str = "staff", values: tuple[str, ...] = ("u1", "u2"), **fields: Any) -> Segment:
    """A list of user ids, unless ``targeting`` is given."""
    fields.setdefault("name", key.capitalize())
    if "targeting" in fields:
        return Segment.objects.create(project=home, key=key, kind=SegmentKind.CONDITION, **fields)
    fields.setdefault("unit_attribute", "id")
    return Segment.objects.create(project=home, key=key, kind=SegmentKind.LIST, values=list(values), **fields)


def a_holdout(home: Project, size: int = 500, *, metric_: Metric | None = None, **fields: Any) -> Experiment:
    """A running holdout of ``size`` ten-thousandths, compared with as many of the rest."""
    fields.setdefault("key", "holdout-user")
    made = experiment(home, kind=ExperimentKind.HOLDOUT, allocation=2 * size, respects_holdout=False, **fields)
    for variant, key in zip(made.variants.all(), ("holdoutcontrol", "holdouttreatment"), strict=True):
        variant.key = key
        variant.save()
    if metric_ is not None:
        ExperimentMetric.objects.create(experiment=made, metric=metric_, role=MetricRole.PRIMARY)
    return made


def an_override(of: Experiment, unit_id: str = "tester", variant: str = "treatment", **fields: Any) -> Override:
    return Override.objects.create(experiment=of, unit_id=unit_id, variant=of.variants.get(key=variant), **fields)


def log(
    home: Project,
    name: str,
    unit: str | None = "u1",
    *,
    at: datetime = T0,
    ts: datetime | None = None,
    received_at: datetime | None = None,
    anonymous_id: str | None = None,
    variant: tuple[str, str] | None = None,
    message: str = "",
    environment: int = 0,
    **props: Any,
) -> None:
    """Put one event into the log as the ingest door does; an exposure's ``variant`` is (experiment key, its key)."""
    identity = uuid.UUID(bytes=hashlib.blake2b((message or str(uuid.uuid4())).encode(), digest_size=16).digest())
    row = [
        home.pk,
        identity,
        ts or at,
        at,
        received_at or at,
        name,
        unit,
        anonymous_id,
        *(variant or (None, None)),
        environment,
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_log"
            " (project_id, id, ts, at, received_at, name, user_id, anonymous_id, experiment, variant, environment,"
            " props) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [*row, json.dumps(props)],
        )


def expose(tested: Experiment, unit: str | None, variant: str, *, at: datetime = T0, **fields: Any) -> None:
    """Log that ``unit`` felt ``variant`` of the experiment."""
    log(tested.project, "Experiment Viewed", unit, at=at, variant=(tested.key, variant), **fields)


def comparison(**fields: Any) -> Comparison:
    """Treatment against control with a clear gain of 5.6%."""
    defaults: dict[str, Any] = {
        "variant": "treatment",
        "control": "control",
        "n": 92_103,
        "control_n": 92_103,
        "value": 0.1271,
        "control_value": 0.1204,
        "difference": 0.0067,
        "difference_interval": (0.0025, 0.0109),
        "lift": 0.056,
        "lift_interval": (0.021, 0.092),
        "p_value": 0.002,
        "standard_error": 0.00215,
        "degrees_of_freedom": None,
        "reading": Reading.BETTER,
    }
    return Comparison(**{**defaults, **fields})


def metric_result(key: str = "purchase-rate", *comparisons: Comparison, **fields: Any) -> MetricResult:
    defaults: dict[str, Any] = {
        "name": key.replace("-", " ").capitalize(),
        "description": "",
        "kind": "proportion",
        "role": "primary",
        "direction": "increase",
        "display_unit": "percent",
        "margin": None,
        "comparisons": list(comparisons) or [comparison()],
    }
    return MetricResult(key=key, **{**defaults, **fields})


def shop_metrics() -> list[MetricResult]:
    """A click gain that does not reach revenue, and a guardrail that is slower than it may be."""
    return [
        metric_result("click-through-rate", name="Click-through rate"),
        metric_result(
            "page-latency",
            comparison(
                value=212.4, control_value=203.1, difference=9.3, difference_interval=(5.1, 13.5),
                lift=0.0458, lift_interval=(0.025, 0.0665), p_value=0.00002, standard_error=2.1,
                reading=Reading.WORSE, margin_crossed=True,
            ),
            name="Page latency", kind="average", role="guardrail", direction="decrease",
            display_unit="milliseconds", margin=0.02,
        ),
        metric_result(
            "revenue-per-user",
            comparison(
                value=18.42, control_value=18.69, difference=-0.27, difference_interval=(-0.9, 0.36),
                lift=-0.0144, lift_interval=(-0.048, 0.019), p_value=0.4, standard_error=0.32,
                reading=Reading.NO_CLEAR_CHANGE,
            ),
            name="Revenue per user", kind="sum", role="secondary", display_unit="currency",
        ),
    ]  # fmt: skip


def effect_series(metric_key: str = "click-through-rate", variant: str = "treatment", days: int = 14) -> EffectSeries:
    points = [
        EffectPoint(
            day=(T0 + timedelta(days=day)).date(),
            n=6_500 * (day + 1),
            control_n=6_500 * (day + 1),
            lift=0.056 + 0.03 / (day + 1),
            lift_interval=(0.056 - 0.12 / (day + 1) ** 0.5, 0.056 + 0.13 / (day + 1) ** 0.5),
            difference=0.0067,
            difference_interval=(-0.01, 0.02),
        )
        for day in range(days)
    ]
    return EffectSeries(metric=metric_key, variant=variant, points=points)


def verdict(**fields: Any) -> Verdict:
    defaults: dict[str, Any] = {
        "decision": "iterate",
        "tone": Tone.WARN,
        "headline": "Click-through rate is up, but pages are slower and revenue did not move.",
        "explanation": "Click-through rate rose by 5.6% (95% interval +2.1% to +9.2%). "
        "Page latency crossed its limit of +2.0%. Revenue per user shows no clear change.",
        "reasons": ["The primary metric is better.", "A guardrail crossed its margin."],
        "next_step": "Make the pages faster before you ship.",
    }
    return Verdict(**{**defaults, **fields})


def health(**fields: Any) -> Health:
    defaults: dict[str, Any] = {
        "trustworthy": True,
        "srm": Srm(
            p_value=0.44,
            counts={"control": 92_103, "treatment": 92_103},
            expected={"control": 92_103.0, "treatment": 92_103.0},
            threshold=0.001,
        ),
        "quarantined_units": 0,
        "checks": [Check(key="srm", name="Traffic split", ok=True, summary="as designed (p = 0.44)")],
    }
    return Health(**{**defaults, **fields})


def broken_health() -> Health:
    return health(
        trustworthy=False,
        srm=Srm(
            p_value=1e-9,
            counts={"control": 92_103, "treatment": 88_001},
            expected={"control": 90_052.0, "treatment": 90_052.0},
            threshold=0.001,
        ),
        checks=[
            Check(
                key="srm",
                name="Traffic split",
                ok=False,
                summary="51.1 / 48.9 where 50 / 50 was designed (p < 0.001).",
                what_to_do="Find what loses units in one variant, then start again.",
            )
        ],
    )


def results(experiment_: Experiment | None = None, **fields: Any) -> Results:
    """A running experiment on its last planned day with something of everything."""
    as_of = T0 + timedelta(days=13, hours=3)
    defaults: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "engine_version": "1",
        "as_of": as_of,
        "data_up_to": as_of,
        "alpha": 0.05,
        "experiment": ExperimentFacts(
            key=experiment_.key if experiment_ else "new-ranker",
            name=experiment_.name if experiment_ else "New ranker",
            hypothesis="Ranking by the gradient-boosted model raises clicks, because it knows the season.",
            unit_type="user",
            status=experiment_.status if experiment_ else "running",
            started_at=T0,
            stopped_at=experiment_.stopped_at if experiment_ else None,
            planned_days=14,
            day=14,
            currency="EUR",
        ),
        "variants": [
            VariantFact(
                key=key, name=key.capitalize(), is_control=key == "control", weight=5000, units=92_103,
                expected_share=0.5, share=0.5,
            )
            for key in ("control", "treatment")
        ],
        "health": health(),
        "verdict": verdict(),
        "metrics": shop_metrics(),
        "effect_over_time": [effect_series()],
        "exposures_per_day": [
            ExposurePoint(day=(T0 + timedelta(days=day)).date(), variant=key, units=6_500)
            for day in range(14)
            for key in ("control", "treatment")
        ],
    }  # fmt: skip
    return Results(**{**defaults, **fields})


def broken_results(of: Experiment | None = None, **fields: Any) -> Results:
    """A split that cannot be believed; the numbers are there, and must not be shown."""
    sound = results(of)
    units = {"control": 92_103, "treatment": 88_001}
    defaults: dict[str, Any] = {
        "health": broken_health(),
        "variants": [
            structs.replace(v, units=units[v.key], share=units[v.key] / sum(units.values())) for v in sound.variants
        ],
        "verdict": verdict(
            decision="fix",
            tone=Tone.BAD,
            headline="The traffic split is broken: do not read these results.",
            explanation="Treatment has 48.9% of the users instead of 50%.",
            next_step="Find what loses users of the treatment.",
        ),
    }
    return structs.replace(sound, **{**defaults, **fields})


def snapshot(of: Experiment, made: Results | None = None) -> ResultSnapshot:
    made = made or results(of)
    stored = ResultSnapshot.objects.create(
        experiment=of, as_of=made.as_of, engine_version=made.engine_version, payload=to_payload(made)
    )
    glance.keep(of, stored, made)
    return stored


def flag(home: Project, key: str = "new-checkout", *, on: tuple[str, ...] = (), **fields: Any) -> Flag:
    """A flag on or off, switched on in the environments named by ``on``."""
    fields = {"name": key.replace("-", " ").capitalize(), "value_type": "boolean", "default_value": False, **fields}
    made = Flag.objects.create(project=home, key=key, **fields)
    FlagEnvironment.objects.bulk_create(
        FlagEnvironment(flag=made, environment=one.value, enabled=one.value in on) for one in Environment
    )
    return made


def alert(home: Project, kind: AlertKind = AlertKind.BROKEN_SPLIT, **fields: Any) -> Raised:
    """A split that broke at T0."""
    defaults: dict[str, Any] = {"key": "new-ranker", "sentence": "48.9% got the treatment instead of 50%.", "now": T0}
    wanted = {**defaults, **fields}
    return raise_alert(home, kind, wanted.pop("key"), wanted.pop("sentence"), **wanted)
