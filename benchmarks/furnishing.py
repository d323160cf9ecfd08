"""What else a large project has beside its experiments: people, flags, files of mail, evidence, and what arrives.

``benchmarks.portfolio`` fills it in, so that the pages that list such things are measured with many of them too. The
chosen experiment, whose pages are measured, has more of everything that hangs on an experiment than any other.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

PEOPLE, INVITED, KEYS, FLAGS, SEGMENTS, TEMPLATES, VIEWS, MODELS = 300, 20, 40, 300, 60, 20, 30, 120
NOTES, LINKS, OVERRIDES, CHANGES = 50, 30, 100, 300


def furnish(home: Any, chosen: Any, email: str, rng: Any) -> None:
    """Give a project what it has beside experiments; ``chosen`` is the experiment whose pages are measured."""
    from django.db import transaction

    from benchmarks import happenings
    from experiments.models import User

    with transaction.atomic():
        reader = User.objects.get(email=email)
        people(home)
        flags(home)
        models(home)
        saved(home, reader)
        around(chosen, reader)
        happenings.alerts(home, chosen)
        happenings.mail(home, chosen)
        happenings.evidence(home, chosen, rng)
        happenings.arrivals(home)


def people(home: Any) -> None:
    from experiments.domain.access import Role, Scope
    from experiments.models import ApiKey, Invitation, Membership, User

    end = datetime.now(UTC) + timedelta(days=7)
    made = User.objects.bulk_create(
        User(email=f"member{n}@{home.slug}.example", name=f"Member {n}") for n in range(PEOPLE)
    )
    Membership.objects.bulk_create(Membership(project=home, user=one, role=Role.VIEWER) for one in made)
    Invitation.objects.bulk_create(
        Invitation(project=home, email=f"new{n}@{home.slug}.example", role=Role.VIEWER, expires_at=end)
        for n in range(INVITED)
    )
    ApiKey.objects.bulk_create(
        ApiKey(project=home, name=f"App {n}", prefix=f"tl_{n:04}", digest=f"{home.pk}-{n}", scopes=[Scope.READ.value])
        for n in range(KEYS)
    )


def flags(home: Any) -> None:
    from experiments.domain.environments import Environment
    from experiments.domain.kinds import RuleKind, SegmentKind, ValueType
    from experiments.models import Flag, FlagEnvironment, FlagRule, Prerequisite, Segment

    made = Flag.objects.bulk_create(
        Flag(project=home, key=f"flag-{n}", name=f"Flag {n}", value_type=ValueType.BOOLEAN, default_value=False)
        for n in range(FLAGS)
    )
    FlagEnvironment.objects.bulk_create(
        FlagEnvironment(flag=one, environment=place, enabled=True) for one in made for place in Environment
    )
    FlagRule.objects.bulk_create(
        FlagRule(flag=one, position=n, name=f"Rule {n}", kind=RuleKind.FORCE, value=True, targeting={"country": "DE"})
        for one in made
        for n in range(10 if one is made[0] else 3)
    )
    Prerequisite.objects.bulk_create(Prerequisite(flag=one, parent_key="flag-0", value=True) for one in made[1::10])
    Segment.objects.bulk_create(
        Segment(
            project=home, key=f"segment-{n}", name=f"Segment {n}", kind=SegmentKind.LIST, unit_attribute="id",
            values=[f"user-{k}" for k in range(500)],
        )
        for n in range(SEGMENTS)
    )  # fmt: skip


def models(home: Any) -> None:
    from experiments.domain.metrics import Direction
    from experiments.models import ModelVersion, OfflineMetric

    ModelVersion.objects.bulk_create(
        ModelVersion(project=home, name=f"model-{n % 10}", version=f"v{n}") for n in range(MODELS)
    )
    OfflineMetric.objects.bulk_create(
        OfflineMetric(
            model_version=one, name=name, value=0.4 + position / 50, size=10_000, evaluation_set="May",
            direction=Direction.INCREASE, position=position,
        )
        for one in ModelVersion.objects.filter(project=home)
        for position, name in enumerate(("ndcg@10", "auc", "mrr", "recall@20"))
    )  # fmt: skip


def saved(home: Any, reader: Any) -> None:
    import msgspec

    from analysis.models import SavedView
    from experiments.domain.templates import Content
    from experiments.models import ExperimentTemplate

    content = msgspec.to_builtins(Content())
    ExperimentTemplate.objects.bulk_create(
        ExperimentTemplate(project=home, key=f"template-{n}", name=f"Template {n}", content=content)
        for n in range(TEMPLATES)
    )
    SavedView.objects.bulk_create(
        SavedView(project=home, owner=reader, name=f"View {n}", query="stage=running", is_shared=True)
        for n in range(VIEWS)
    )


def around(chosen: Any, reader: Any) -> None:
    """Give one experiment its notes, links, overrides and changes."""
    from analysis.models import Note, RefreshRun, ShareLink
    from experiments.models import AuditEntry, Override

    now = datetime.now(UTC)
    arm = chosen.variants.last()
    Note.objects.bulk_create(
        Note(experiment=chosen, author=reader, text=f"What was seen on day {n}.") for n in range(NOTES)
    )
    ShareLink.objects.bulk_create(
        ShareLink(
            experiment=chosen,
            digest=f"{chosen.pk:010}{n:054}",
            purpose=f"Board {n}",
            expires_at=now + timedelta(days=9),
        )
        for n in range(LINKS)
    )
    Override.objects.bulk_create(
        Override(experiment=chosen, unit_id=f"user-{n}", variant=arm, created_by=reader) for n in range(OVERRIDES)
    )
    RefreshRun.objects.create(experiment=chosen, state="done", percent=100, finished_at=now)
    AuditEntry.objects.bulk_create(changes(chosen, reader, now))


def changes(chosen: Any, reader: Any, now: datetime) -> Iterator[Any]:
    """Yield many changes of the chosen experiment, and a few of each of the others."""
    from experiments.models import AuditEntry, Experiment

    keys = Experiment.objects.filter(project=chosen.project).values_list("key", flat=True)
    for key, count in [(key, 5) for key in keys] + [(chosen.key, CHANGES)]:
        for n in range(count):
            yield AuditEntry(
                project=chosen.project, user=reader, action="experiment.edit", subject=f"experiment:{key}",
                at=now - timedelta(hours=n), before={"planned_days": 14}, after={"planned_days": 21}, why="More days",
            )  # fmt: skip
