from datetime import timedelta

import msgspec
import pytest

from assignment import snapshot as snapshots
from assignment.snapshot import SnapshotError
from tests.assignment.served import content, experiment, flag, grant, project, variant
from tests.builders import T0

LATER = T0 + timedelta(days=1)
BROKEN = {"salt": ""}


def production(accepted):
    return accepted.projects[0].environments["production"]


def test_snapshot__written_and_read_again__is_the_same():
    taken = snapshots.seal(content(), T0)
    assert snapshots.decode(snapshots.encode(taken)) == taken


def test_snapshot__a_whole_float__stays_a_float():
    home = project(experiment(variants=(variant("control", value=1.0), variant("treatment", value=1.5))))
    read = snapshots.decode(snapshots.encode(snapshots.seal(content(home), T0)))
    assert b'"variations":[1.0,1.5]' in bytes(production(read.content).features["ranker"])


def test_version__depends_on_the_content_and_not_on_the_time():
    assert snapshots.seal(content(), T0).version == snapshots.seal(content(), LATER).version
    other = content(project(experiment(allocation=5000)))
    assert snapshots.seal(content(), T0).version != snapshots.seal(other, T0).version


@pytest.mark.parametrize("other", [True, 1.0])
def test_version__a_value_that_python_holds_equal__is_another(other):
    def version(value):
        return snapshots.seal(content(project(flag(value_type="object", default=value))), T0).version

    assert version(1) != version(other)


def test_version__the_order_of_keys_and_scopes__does_not_matter():
    one = content(keys={"a" * 64: grant("evaluate", "ingest"), "b" * 64: grant("read")})
    other = content(keys={"b" * 64: grant("read"), "a" * 64: grant("ingest", "evaluate")})
    assert snapshots.seal(one, T0).version == snapshots.seal(other, T0).version


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_decode__a_truncated_snapshot__is_refused(length):
    encoded = snapshots.encode(snapshots.seal(content(), T0))
    with pytest.raises(SnapshotError, match="cannot be read"):
        snapshots.decode(encoded[:length])


def test_decode__a_changed_snapshot__is_refused():
    encoded = snapshots.encode(snapshots.seal(content(), T0))
    assert b'"coverage":1.0' in encoded
    with pytest.raises(SnapshotError, match="does not match its checksum"):
        snapshots.decode(encoded.replace(b'"coverage":1.0', b'"coverage":0.1'))


@pytest.mark.parametrize("older", [b'{"format":1,"version":"x","taken_at":"2026-01-01T00:00:00Z","content":{}}'])
def test_decode__the_format_of_an_older_version__is_refused_by_name(older):
    with pytest.raises(SnapshotError, match=r"format 1; this version reads format 2"):
        snapshots.decode(older)


def test_decode__a_later_format__is_refused_by_name():
    encoded = snapshots.encode(snapshots.seal(content(), T0)).replace(b'"format":2', b'"format":99')
    with pytest.raises(SnapshotError, match=r"format 99; this version reads format 2"):
        snapshots.decode(encoded)


def test_decode__a_key_of_an_unknown_project__is_refused():
    stray = content(keys={"a" * 64: grant("evaluate", project_id=99)})
    with pytest.raises(SnapshotError, match="of project 99"):
        snapshots.decode(snapshots.encode(snapshots.seal(stray, T0)))


def test_accept__a_broken_experiment__stays_as_it_was_in_each_environment_and_the_others_move_on():
    last_good = content(project(experiment("a"), experiment("b", allocation=1000)))
    offered = content(project(experiment("a", **BROKEN), experiment("b", allocation=2000)))

    accepted, refusals = snapshots.accept(offered, last_good, LATER)

    for name, environment in accepted.projects[0].environments.items():
        before = last_good.projects[0].environments[name]
        assert environment.features["a"] == before.features["a"]
        assert environment.facts["a"] == before.facts["a"]
        assert msgspec.json.decode(environment.features["b"])["rules"][0]["coverage"] == 0.2
        assert list(environment.features) == ["a", "b"]
    assert refusals == ["'a' of project 'shop' is refused: it has no salt, so its split would equal that of others."]


def test_accept__a_broken_experiment_that_is_kept__changes_nothing():
    last_good = content(project(experiment("a"), experiment("b")))
    accepted, _ = snapshots.accept(content(project(experiment("a", **BROKEN), experiment("b"))), last_good, LATER)
    assert snapshots.seal(accepted, LATER).version == snapshots.seal(last_good, T0).version


def test_accept__a_broken_experiment_never_served__is_left_out():
    accepted, refusals = snapshots.accept(content(project(experiment("a", **BROKEN), experiment("b"))), None, LATER)
    assert list(production(accepted).features) == ["b"]
    assert len(refusals) == 1


def test_accept__a_revoked_key_beside_a_broken_experiment__is_gone():
    last_good = content(keys={"a" * 64: grant("evaluate")})
    accepted, _ = snapshots.accept(content(project(experiment(**BROKEN)), keys={}), last_good, LATER)
    assert accepted.keys == {}


def test_accept__an_experiment_of_another_project__is_no_fallback():
    last_good = content(project(experiment("a"), id=1))
    accepted, _ = snapshots.accept(content(project(experiment("a", **BROKEN), id=2)), last_good, LATER)
    assert production(accepted).features == {}


def test_accept__an_unchanged_environment__keeps_its_date_and_a_changed_one_gets_a_later_one():
    last_good = content(project(experiment("a"), flag(enabled=("staging",))))
    same, _ = snapshots.accept(content(project(experiment("a"), flag(enabled=("staging",)))), last_good, LATER)
    assert {one.date_updated for one in same.projects[0].environments.values()} == {T0}

    offered = content(project(experiment("a"), flag(enabled=())))
    accepted, _ = snapshots.accept(offered, same, LATER)
    dates = {name: one.date_updated for name, one in accepted.projects[0].environments.items()}
    assert dates == {"production": T0, "staging": LATER, "development": T0}
