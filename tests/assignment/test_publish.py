import psycopg
import pytest
from django.db.models import JSONField, Value

from assignment import snapshot as snapshots
from assignment.publish import read_content
from experiments import keys
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.models import ApiKey, ModelVersion, Variant
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


def test_read_content__a_running_experiment__has_its_variants_in_order(read):
    home = builders.project("shop")
    made = builders.experiment(home, "ranker", weights=(6000, 4000), allocation=2500, salt="pepper")
    model = ModelVersion.objects.create(project=home, name="ranker", version="2026-02")
    Variant.objects.filter(experiment=made, key="treatment").update(value={"model": "b"}, model_version=model)

    (project,) = read().projects
    (served,) = project.experiments

    assert (project.id, project.slug) == (home.pk, "shop")
    assert (served.key, served.unit_type, served.salt, served.allocation) == ("ranker", "user", "pepper", 2500)
    assert served.running
    assert [(v.key, v.value, v.weight, v.model_version) for v in served.variants] == [
        ("control", "control", 6000, ""),
        ("treatment", {"model": "b"}, 4000, "ranker 2026-02"),
    ]


def test_read_content__a_stopped_experiment__is_served_as_stopped_and_a_draft_is_not(read):
    home = builders.project()
    builders.experiment(home, "old", status=Status.STOPPED)
    builders.experiment(home, "next", status=Status.DRAFT)
    assert [(e.key, e.running) for e in read().projects[0].experiments] == [("old", False)]


def test_read_content__a_project_without_experiments__is_there_for_its_keys(read):
    home = builders.project()
    keys.issue_key(home, "App", [Scope.INGEST], None)
    assert [(p.id, p.experiments) for p in read().projects] == [(home.pk, ())]


def test_read_content__keys__are_digests_and_revoked_ones_are_gone(read):
    home = builders.project()
    good, plain = keys.issue_key(home, "App", [Scope.EVALUATE, Scope.READ], None)
    leaked, _ = keys.issue_key(home, "Leaked", [Scope.EVALUATE], None)
    keys.revoke(leaked, None)

    served = read()

    assert list(served.keys) == [good.digest]
    assert served.keys[good.digest].project_id == home.pk
    assert served.keys[good.digest].scopes == {Scope.EVALUATE, Scope.READ}
    assert plain.encode() not in snapshots.encode(snapshots.seal(served, T0))


def test_read_content__a_scope_of_a_later_version__opens_nothing(read):
    home = builders.project()
    key, _ = keys.issue_key(home, "App", [Scope.EVALUATE], None)
    ApiKey.objects.filter(pk=key.pk).update(scopes=["evaluate", "teleport"])
    assert read().keys[key.digest].scopes == {Scope.EVALUATE}


def test_read_content__numbers_of_two_types__are_all_floats(read):
    made = builders.experiment(builders.project())
    Variant.objects.filter(experiment=made, key="control").update(value=1)
    Variant.objects.filter(experiment=made, key="treatment").update(value=1.5)
    assert [repr(v.value) for v in read().projects[0].experiments[0].variants] == ["1.0", "1.5"]


@pytest.mark.parametrize(("values", "expected"), [((1.0, 2.0), "1.0 2.0"), ((1, 2), "1 2"), ((True, 0.5), "True 0.5")])
def test_read_content__other_values__keep_their_types(read, values, expected):
    made = builders.experiment(builders.project())
    for variant, value in zip(made.variants.all(), values, strict=True):
        Variant.objects.filter(pk=variant.pk).update(value=value)
    assert " ".join(repr(v.value) for v in read().projects[0].experiments[0].variants) == expected


def test_read_content__any_number_of_experiments__takes_two_queries(conninfo):
    home = builders.project()
    for number in range(5):
        builders.experiment(home, f"experiment-{number}")
    asked = []

    class Counting(psycopg.Cursor):
        def execute(self, query, *args, **kwargs):
            asked.append(str(query))
            return super().execute(query, *args, **kwargs)

    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.cursor_factory = Counting
        assert len(read_content(connection).projects[0].experiments) == 5
    assert sum("SELECT" in query for query in asked) == 2


def test_read_content__variants_with_json_null__are_served_as_their_keys(read):
    made = builders.experiment(builders.project())
    Variant.objects.filter(experiment=made, key="control").update(value=Value(None, JSONField()))
    assert read().projects[0].experiments[0].variants[0].value == "control"
