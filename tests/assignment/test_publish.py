"""From the database's rows to what is served; what documents mean is tested in test_document.py."""

import json
from datetime import timedelta

import psycopg
import pytest
from django.db.models import JSONField, Value
from django.utils import timezone

from assignment import snapshot as snapshots
from assignment.publish import Publisher, read_content, read_project
from experiments import audit, keys
from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery, ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import (
    ApiKey,
    Experiment,
    Flag,
    FlagEnvironment,
    FlagRule,
    Layer,
    ModelVersion,
    Override,
    Prerequisite,
    Segment,
    Variant,
)
from tests import builders
from tests.builders import T0


@pytest.fixture
def read(conninfo):
    """Read what would be served now, and leave no transaction open."""

    def now():
        with psycopg.connect(conninfo, autocommit=True) as connection:
            found = read_content(connection)
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return found

    return now


def features(content, environment="production"):
    (project,) = content.projects
    return {key: json.loads(bytes(raw)) for key, raw in project.environments[environment].features.items()}


def flag(home, key="banner", *, environments=tuple(Environment), **fields):
    made = Flag.objects.create(
        project=home, key=key, name=key, **{"value_type": "string", "default_value": "off", **fields}
    )
    for environment in environments:
        FlagEnvironment.objects.create(flag=made, environment=environment, enabled=True)
    return made


def test_read_content__a_running_experiment__is_a_feature_with_its_variants_in_order(read):
    home = builders.project("shop")
    made = builders.experiment(home, "ranker", weights=(6000, 4000), allocation=2500, salt="pepper", name="Ranker")
    model = ModelVersion.objects.create(project=home, name="ranker", version="2026-02")
    Variant.objects.filter(experiment=made, key="treatment").update(value={"model": "b"}, model_version=model)

    (project,) = read().projects

    assert (project.id, project.slug) == (home.pk, "shop")
    assert set(project.environments) == set(Environment)
    served = project.environments["production"]
    assert json.loads(bytes(served.features["ranker"])) == {
        "defaultValue": "control",
        "rules": [
            {
                "id": "experiment",
                "key": "ranker",
                "name": "Ranker",
                "phase": "0",
                "seed": "pepper",
                "hashVersion": 2,
                "hashAttribute": "id",
                "variations": ["control", {"model": "b"}],
                "weights": [0.6, 0.4],
                "coverage": 0.25,
                "meta": [{"key": "control", "name": "Control"}, {"key": "treatment", "name": "Treatment"}],
            }
        ],
    }
    assert served.facts["ranker"].models == {"ranker": {"treatment": "ranker 2026-02"}}
    assert served.date_updated == home.created_at


def test_read_content__everything_a_project_can_say__arrives(read):
    home = builders.project("shop")
    layer = Layer.objects.create(project=home, key="search", name="Search", salt="layer")
    made = builders.experiment(
        home, "ranker", layer=layer, layer_ranges=[[0, 5000]], targeting={"$segment": "pros"},
        fallback_unit_type="device", phase=2, bucket_version=1, min_bucket_version=1,
    )  # fmt: skip
    Override.objects.create(experiment=made, unit_id="qa", variant=made.variants.get(key="treatment"))
    Prerequisite.objects.create(experiment=made, parent_key="gate", value="off")
    Segment.objects.create(project=home, key="pros", name="Pros", kind="condition", targeting={"plan": "pro"})
    Segment.objects.create(project=home, key="staff", name="S", kind="list", unit_attribute="id", values=["ann"])
    builders.experiment(home, "quiet", kind=ExperimentKind.HOLDOUT, allocation=1000)
    flag(home, "gate")
    banner = flag(home)
    FlagRule.objects.create(flag=banner, position=0, kind="force", value="on", targeting={"$segment": "staff"})
    FlagRule.objects.create(flag=banner, position=1, kind="rollout", value="new", share=2500, salt="pepper")
    FlagRule.objects.create(flag=banner, position=2, kind="experiment", experiment=made)

    served = features(read())

    assert list(served) == ["$holdout:quiet", "banner", "gate", "ranker"]
    override, holdout, split = served["ranker"]["rules"]
    assert override == {"id": "override:1", "condition": {"id": {"$in": ["qa"]}}, "force": "treatment"}
    assert holdout["parentConditions"] == [{"id": "$holdout:quiet", "condition": {"value": "holdoutcontrol"}}]
    assert split["filters"] == [{"attribute": "id", "seed": "layer", "hashVersion": 2, "ranges": [[0.0, 0.5]]}]
    assert split["condition"] == {"plan": "pro"}
    assert split["parentConditions"] == [{"id": "gate", "condition": {"value": "off"}}]
    assert (split["phase"], split["bucketVersion"], split["minBucketVersion"]) == ("1", 1, 1)
    assert split["fallbackAttribute"] == "device_id"
    force, rollout, *inside = served["banner"]["rules"]
    assert force["condition"] == {"id": {"$inGroup": "staff"}}
    assert (rollout["range"], rollout["seed"]) == ([0.0, 0.25], "pepper")
    assert inside[-1] == split
    assert bytes(read().projects[0].environments["production"].saved_groups) == b'{"staff":["ann"]}'


def test_read_content__shipped_with_a_holdback__splits_by_the_old_seed(read):
    home = builders.project()
    made = builders.experiment(home, "ranker", status=Status.STOPPED, salt="pepper")
    treatment = made.variants.get(key="treatment")
    Experiment.objects.filter(pk=made.pk).update(
        shipped_variant=treatment, shipped_at=T0, shipped_share=10_000, holdback_share=500
    )
    builders.experiment(home, "ranker-holdback", kind=ExperimentKind.HOLDBACK, parent=made)
    split, shipped = features(read())["ranker"]["rules"]
    assert (split["key"], split["seed"], split["ranges"]) == ("ranker-holdback", "pepper", [[0.0, 0.05], [0.05, 1.0]])
    assert shipped == {"id": "shipped", "force": "treatment"}


def test_read_content__a_draft__is_served_for_trying_and_not_in_production(read):
    builders.experiment(builders.project(), "next", status=Status.DRAFT)
    served = read()
    assert features(served) == {}
    assert list(features(served, "staging")) == ["next"]


def test_read_content__rules__begin_and_end_by_the_databases_clock(read):
    hour = timedelta(hours=1)
    made = flag(builders.project())
    for position, (start, end) in enumerate([(-hour, hour), (None, -hour), (hour, None), (-hour, None)]):
        now = timezone.now()
        FlagRule.objects.create(
            flag=made, position=position, kind="force", value=str(position),
            starts_at=start and now + start, ends_at=end and now + end,
        )  # fmt: skip
    assert [rule["force"] for rule in features(read())["banner"]["rules"]] == ["0", "3"]


def test_read_content__an_archived_flag__is_not_served(read):
    flag(builders.project(), archived_at=T0)
    assert features(read()) == {}


def test_read_content__a_project_without_experiments__is_there_for_its_keys(read):
    home = builders.project()
    keys.issue_key(home, "App", [Scope.INGEST], None)
    assert [(p.id, p.environments["production"].features) for p in read().projects] == [(home.pk, {})]


def test_read_content__keys__are_digests_and_revoked_ones_are_gone(read):
    home = builders.project()
    good, plain = keys.issue_key(home, "App", [Scope.EVALUATE, Scope.READ], None)
    leaked, _ = keys.issue_key(home, "Leaked", [Scope.EVALUATE], None)
    keys.revoke(leaked, None)

    served = read()

    assert list(served.keys) == [good.digest]
    grant = served.keys[good.digest]
    assert (grant.project_id, grant.scopes) == (home.pk, {Scope.EVALUATE, Scope.READ})
    assert (grant.environment, grant.delivery, grant.encryption_key) == ("production", "plain", "")
    assert plain.encode() not in snapshots.encode(snapshots.seal(served, T0))


def test_read_content__a_key__says_its_environment_and_delivery(read):
    key, _ = keys.issue_key(builders.project(), "App", [Scope.EVALUATE], None)
    secret = "c2VjcmV0LW9mLTE2LWJ5dA=="
    ApiKey.objects.filter(pk=key.pk).update(environment="staging", delivery="encrypted", encryption_key=secret)
    grant = read().keys[key.digest]
    assert (grant.environment, grant.delivery, grant.encryption_key) == (
        Environment.STAGING, Delivery.ENCRYPTED, secret,
    )  # fmt: skip


def test_read_content__a_scope_of_a_later_version__opens_nothing(read):
    home = builders.project()
    key, _ = keys.issue_key(home, "App", [Scope.EVALUATE], None)
    ApiKey.objects.filter(pk=key.pk).update(scopes=["evaluate", "teleport"])
    assert read().keys[key.digest].scopes == {Scope.EVALUATE}


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1, 1.5), "1.0 1.5"), ((1.0, 2.0), "1.0 2.0"), ((1, 2), "1 2"), ((True, 0.5), "True 0.5")],
)
def test_read_content__values__keep_their_types_and_numbers_are_of_one(read, values, expected):
    made = builders.experiment(builders.project(), "ranker")
    for variant, value in zip(made.variants.all(), values, strict=True):
        Variant.objects.filter(pk=variant.pk).update(value=value)
    assert " ".join(map(repr, features(read())["ranker"]["rules"][0]["variations"])) == expected


def test_read_content__variants_with_json_null__are_served_as_their_keys(read):
    made = builders.experiment(builders.project(), "ranker")
    Variant.objects.filter(experiment=made, key="control").update(value=Value(None, JSONField()))
    assert features(read())["ranker"]["defaultValue"] == "control"


def test_read_content__a_row_in_an_unusual_shape__is_refused_alone(read):
    home = builders.project()
    layer = Layer.objects.create(project=home, key="search", name="Search")
    builders.experiment(home, "odd", layer=layer, layer_ranges=["everything"])
    builders.experiment(home, "ranker")
    content = read()
    assert list(features(content)) == ["ranker"]
    assert "its row cannot be read" in content.projects[0].environments["production"].refused["odd"]


def test_read_content__any_number_of_experiments__takes_a_fixed_number_of_queries(conninfo):
    def queries(count):
        home = builders.project()
        for number in range(count):
            builders.experiment(home, f"experiment-{number}")
        asked = []

        class Counting(psycopg.Cursor):
            def execute(self, query, *args, **kwargs):
                asked.append(str(query))
                return super().execute(query, *args, **kwargs)

        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.cursor_factory = Counting
            assert len(read_content(connection).projects[-1].environments["production"].features) == count
        return sum("SELECT" in query for query in asked)

    assert queries(1) == queries(5) == 6


class TestPublisher:
    def test_publisher__a_project_that_did_not_change__is_not_built_again(self, conninfo):
        one, other = builders.project(), builders.project()
        builders.experiment(one, "ranker")
        publisher = Publisher()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            first = publisher.read(connection)
            builders.experiment(other, "banner")
            second = publisher.read(connection)
        assert second.projects[0] is first.projects[0]
        assert second.projects[1] is not first.projects[1]

    def test_publisher__a_changed_project__is_dated_by_its_latest_audit_entry(self, conninfo):
        home = builders.project()
        builders.experiment(home, "ranker")
        audit.record(home, None, "experiment.start", "experiment:ranker")
        with psycopg.connect(conninfo, autocommit=True) as connection:
            (project,) = Publisher().read(connection).projects
        assert project.environments["production"].date_updated == home.audit_entries.get().at


def test_read_project__gives_one_project_and_sees_the_open_transaction(db):
    from django.db import connection

    builders.experiment(builders.project(), "theirs")
    home = builders.project()
    builders.experiment(home, "ranker")
    found = read_project(connection.connection, home.pk)
    assert list(found.environments["production"].features) == ["ranker"]
    with pytest.raises(LookupError):
        read_project(connection.connection, home.pk + 1)
