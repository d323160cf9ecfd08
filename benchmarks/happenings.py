"""What happens in a large project: alerts, mail that was sent, evidence across experiments, events that arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

OPEN_ALERTS, CLOSED_ALERTS, HOOKS, READERS, FOLLOWED, SENT, PORTFOLIOS = 60, 2000, 40, 300, 5, 3000, 30
HOLDBACKS, PAIRS, PAST, PAST_EFFECTS = 60, 400, 5, 300
NAMES, DAYS, LOGGED, BOTS = 120, 60, 20_000, 300
TEXT = "The purchase rate rose by 2 % in the new ranker's favour; the interval is from 1 % to 3 %. " * 10


def alerts(home: Any, chosen: Any) -> None:
    from analysis.alerts.kinds import AlertKind, Severity
    from analysis.models import Alert, AlertMute

    now, kinds = datetime.now(UTC), list(AlertKind)
    Alert.objects.bulk_create(
        Alert(
            project=home, experiment=chosen if n % 20 == 0 else None, kind=kinds[n % len(kinds)], key=f"thing-{n}",
            severity=list(Severity)[n % 3], sentence=f"Events of door {n} have stopped.", what_to_do="Look at it.",
            opened_at=now - timedelta(hours=n), seen_at=now - timedelta(hours=n // 2),
            closed_at=None if n < OPEN_ALERTS else now - timedelta(hours=n // 2), closed_because="It is over.",
        )
        for n in range(OPEN_ALERTS + CLOSED_ALERTS)
    )  # fmt: skip
    AlertMute.objects.bulk_create(AlertMute(project=home, kind=kinds[n % 8], key=f"thing-{n}") for n in range(20))


def mail(home: Any, chosen: Any) -> None:
    from analysis.models import Digest, Follow, OutboxMessage, Portfolio, Recipient, Webhook
    from analysis.sealing import seal
    from experiments.models import Experiment

    now = datetime.now(UTC)
    some = list(Experiment.objects.filter(project=home)[: READERS * FOLLOWED])
    Webhook.objects.bulk_create(
        Webhook(
            project=home, name=f"Hook {n}", kind=Webhook.Kind.SLACK, sealed_url=seal("https://a.example"), shown="a"
        )
        for n in range(HOOKS)
    )
    portfolios = Portfolio.objects.bulk_create(
        Portfolio(project=home, name=f"Portfolio {n}", kind=Portfolio.Kind.CHOSEN) for n in range(PORTFOLIOS)
    )
    for one in portfolios:
        one.experiments.set(some[:200])
    readers = Recipient.objects.bulk_create(
        Recipient(project=home, email=f"reader{n}@{home.slug}.example") for n in range(READERS)
    )
    Follow.objects.bulk_create(
        Follow(recipient=one, experiment=some[(n * FOLLOWED + k) % len(some)])
        for n, one in enumerate(readers)
        for k in range(FOLLOWED)
    )
    Follow.objects.bulk_create(
        (Follow(recipient=one, experiment=chosen) for one in readers[:100]), ignore_conflicts=True
    )
    abouts: list[dict[str, Any]] = [{}, {"experiment": chosen}, *({"portfolio": one} for one in portfolios)]
    Digest.objects.bulk_create(
        Digest(
            project=home, email=f"exec{n}@{home.slug}.example", cadence="weekly",
            next_due_at=now + timedelta(days=3), **about,
        )
        for about in abouts
        for n in range(20)
    )  # fmt: skip
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            project=home, kind="event", due_at=now, recipient=f"reader{n % READERS}@{home.slug}.example", text=TEXT,
            html=f"<p>{TEXT}</p>", subject=f"Purchase rate up {n}", message_id=f"{home.pk}-{n}",
            state="failed" if n % 100 == 0 else "sent", sent_at=now,
        )
        for n in range(SENT)
    )  # fmt: skip


def evidence(home: Any, chosen: Any, rng: Any) -> None:
    """Give what has ended its effect vectors, launches, holdbacks and scans, and add what other tools ran."""
    from experiments.models import Experiment

    home.north_star = home.metrics.get(key="m0")
    home.save(update_fields=["north_star"])
    ended = list(Experiment.objects.filter(project=home, status="stopped").prefetch_related("variants"))
    keys = list(home.metrics.order_by("key").values_list("key", flat=True))
    vectors(home, rng, ended, keys)
    launches(home, [one for one in ended if one != chosen])
    scans(home, keys[0])
    past(home, rng, keys)


def vectors(home: Any, rng: Any, ended: list[Any], keys: list[str]) -> None:
    from analysis.models import EffectVector
    from analysis.programme.vectors import FOLDS

    width, upper = len(keys), np.triu_indices(len(keys))
    EffectVector.objects.bulk_create(
        (
            EffectVector(
                project=home, experiment=one, phase=one.phase, variant=arm, definition="d", as_of=one.stopped_at,
                trustworthy=True, units=20_000, control_units=20_000, metrics=keys, control=[2.0] * width,
                differences=(2 * np.expm1(seen)).tolist(), covariance=(4 * noise)[upper].tolist(),
                log_lifts=seen.tolist(), log_covariance=noise[upper].tolist(),
                folds=(seen + 0.03 * rng.normal(size=(FOLDS, width))).ravel().tolist(),
            )
            for one in ended
            for arm in list(one.variants.all())[1:]
            for noise in [(np.eye(width) / 2 + 0.5) * 0.02**2]
            for seen in [0.03 * rng.normal(size=width)]
        ),
        batch_size=500,
    )  # fmt: skip


def launches(home: Any, ended: list[Any]) -> None:
    """Ship a fifth of what has ended, and keep measuring some of it."""
    from analysis.models import HoldbackWatch
    from experiments.domain.kinds import ExperimentKind
    from experiments.models import Experiment, Variant

    shipped = ended[::5]
    for one in shipped:
        one.shipped_variant, one.shipped_at, one.shipped_share = one.variants.all()[1], one.stopped_at, 10_000
    Experiment.objects.bulk_update(shipped, ["shipped_variant", "shipped_at", "shipped_share"])
    held = Experiment.objects.bulk_create(
        Experiment(
            project=home, key=f"{one.key}-holdback", name=f"Holdback of {one.name}", kind=ExperimentKind.HOLDBACK,
            parent=one, status="running", started_at=one.stopped_at,
        )
        for one in shipped[:HOLDBACKS]
    )  # fmt: skip
    Variant.objects.bulk_create(
        Variant(experiment=one, key=name, name=name.capitalize(), position=position, weight=5000)
        for one in held
        for position, name in enumerate(("control", "treatment"))
    )
    size = 8
    HoldbackWatch.objects.bulk_create(
        HoldbackWatch(
            holdback=one, metric="m0", declared_at=one.started_at, effect=0.02, standard_error=0.005, scale=0.01,
            alpha=0.05, sign=1, block_days=7, read_at=one.started_at, blocks=[0.02] * size,
            covariance=(np.eye(size) * 0.01**2)[np.triu_indices(size)].tolist(),
        )
        for one in held
    )  # fmt: skip


def scans(home: Any, metric: str) -> None:
    from analysis.models import InteractionScan
    from analysis.programme.interactions import concurrent

    now = datetime.now(UTC)
    test = {
        "metric": metric, "metric_name": "Purchase rate", "first_treatment": "Treatment 1", "units": 9000,
        "second_treatment": "Treatment 1", "alone": 0.01, "together": 0.02, "value": 0.01, "interval": [-0.02, 0.04],
        "p_value": 0.4, "counted_by": "e0001",
    }  # fmt: skip
    pairs = [pair for pair, _ in zip(concurrent(home, now), range(PAIRS), strict=False)]
    InteractionScan.objects.bulk_create(
        InteractionScan(
            project=home, first=first, second=second, seen=f"{n}", scanned_at=now, units=9000, tests=[test, test]
        )
        for n, (first, second) in enumerate(pairs)
    )


def past(home: Any, rng: Any, keys: list[str]) -> None:
    from analysis.models import PastEffect, PastImport

    now, width = datetime.now(UTC), len(keys)
    for n in range(PAST):
        made = PastImport.objects.create(
            project=home, name=f"File {n}", source="An older tool", file_name="a.csv", digest="0" * 64, correlation=0.3,
            treatments=PAST_EFFECTS, metrics={key: key for key in keys}, imported_at=now,
        )  # fmt: skip
        PastEffect.objects.bulk_create(
            PastEffect(
                past_import=made, experiment=f"old-{k}", variant="b", ended_at=now - timedelta(days=k), units=5000,
                metrics=keys, control=[2.0] * width, differences=[0.01] * width,
                log_lifts=(0.03 * rng.normal(size=width)).tolist(), log_variances=[0.02**2] * width,
            )
            for k in range(PAST_EFFECTS)
        )  # fmt: skip


def arrivals(home: Any) -> None:
    """Let many events have been seen, and the last of them stand in the log."""
    from analysis.models import BotDay
    from events import models
    from experiments.domain.units import UnitType

    now = datetime.now(UTC)
    seen = models.SeenEvent.objects.bulk_create(
        models.SeenEvent(
            project=home, name=f"Event {n}", first_at=now - timedelta(days=DAYS), last_at=now, events=10_000
        )
        for n in range(NAMES)
    )
    days = [(now - timedelta(days=n)).date() for n in range(DAYS)]
    models.SeenDay.objects.bulk_create(
        models.SeenDay(event=one, environment=0, day=day, events=500) for one in seen for day in days
    )
    models.ArrivalDay.objects.bulk_create(
        models.ArrivalDay(event=one, door=1 + n % 2, day=day, events=500, late=3, corrected=2, farthest=40, missing=1)
        for n, one in enumerate(seen)
        for day in days
    )
    models.SeenProperty.objects.bulk_create(
        models.SeenProperty(event=one, key=f"property_{n}", type="number", example="1")
        for one in seen
        for n in range(8)
    )
    BotDay.objects.bulk_create(
        BotDay(project=home, unit_type=UnitType.USER, unit=f"bot-{n}", day=days[n % 7], events=9000, busiest=400)
        for n in range(BOTS)
    )
    log(home)


LOG = """
INSERT INTO events_log (project_id, id, ts, at, received_at, name, user_id, props)
SELECT %(project)s, gen_random_uuid(), at, at, at, 'Event ' || n %% 120, 'user-' || n %% 2000,
       jsonb_build_object('revenue', n %% 90, 'page', 'checkout')
FROM (SELECT n, now() - make_interval(secs => n * 2.0) AS at FROM generate_series(1, %(events)s) n) row
"""


def log(home: Any) -> None:
    from django.db import connection

    from events import partitions

    partitions.keep()
    with connection.cursor() as cursor:
        cursor.execute(LOG, {"project": home.pk, "events": LOGGED})
