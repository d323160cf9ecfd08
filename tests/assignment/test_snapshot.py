import pytest

from assignment import snapshot as snapshots
from assignment.snapshot import SnapshotError
from tests.assignment.served import content, experiment, grant, project, variant
from tests.builders import T0


def test_snapshot__written_and_read_again__is_the_same():
    taken = snapshots.seal(content(), T0)
    assert snapshots.decode(snapshots.encode(taken)) == taken


def test_snapshot__a_whole_float__stays_a_float():
    home = project(experiment(variants=(variant("control", value=1.0), variant("treatment", value=1.5))))
    read = snapshots.decode(snapshots.encode(snapshots.seal(content(home), T0)))
    assert [repr(v.value) for v in read.content.projects[0].experiments[0].variants] == ["1.0", "1.5"]


def test_version__depends_on_the_content_and_not_on_the_time():
    later = T0.replace(year=2027)
    assert snapshots.seal(content(), T0).version == snapshots.seal(content(), later).version
    other = content(project(experiment(allocation=5000)))
    assert snapshots.seal(content(), T0).version != snapshots.seal(other, T0).version


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
    assert b'"allocation":10000' in encoded
    with pytest.raises(SnapshotError, match="does not match its version"):
        snapshots.decode(encoded.replace(b'"allocation":10000', b'"allocation":20000'))


def test_decode__a_later_format__is_refused_by_name():
    encoded = snapshots.encode(snapshots.seal(content(), T0)).replace(b'"format":1', b'"format":99')
    with pytest.raises(SnapshotError, match=r"format 99; this version reads format 1"):
        snapshots.decode(encoded)


def test_decode__an_experiment_that_cannot_be_served__is_refused():
    broken = content(project(experiment(salt="")))
    with pytest.raises(SnapshotError, match="has no salt"):
        snapshots.decode(snapshots.encode(snapshots.seal(broken, T0)))


def test_decode__a_key_of_an_unknown_project__is_refused():
    stray = content(keys={"a" * 64: grant("evaluate", project_id=99)})
    with pytest.raises(SnapshotError, match="of project 99"):
        snapshots.decode(snapshots.encode(snapshots.seal(stray, T0)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "a/b"}, "letters, digits, dots"),
        ({"key": ""}, "letters, digits, dots"),
        ({"salt": ""}, "no salt"),
        ({"variants": (variant("control", weight=10_000),)}, "has 1 variants"),
        ({"variants": (variant("a"), variant("a"))}, "a key of its own"),
        ({"variants": (variant("a", value=None), variant("b"))}, "no value"),
        ({"variants": (variant("a", weight=4000), variant("b", weight=4000))}, "sum to 10000"),
        ({"allocation": 10_001}, "allocation is 10001"),
    ],
)
def test_problem_of__an_experiment_that_cannot_be_served__is_named(fields, words):
    assert words in str(snapshots.problem_of(experiment(**fields)))


def test_problem_of__a_good_experiment__is_none():
    assert snapshots.problem_of(experiment()) is None


def test_accept__a_broken_experiment__stays_as_it_was_and_the_others_move_on():
    last_good = content(project(experiment("a"), experiment("b", allocation=1000)))
    offered = content(project(experiment("a", salt=""), experiment("b", allocation=2000)))

    accepted, refusals = snapshots.accept(offered, last_good)

    assert accepted.projects[0].experiments == (experiment("a"), experiment("b", allocation=2000))
    assert len(refusals) == 1
    assert "'a' of project 'shop'" in refusals[0]


def test_accept__a_broken_experiment_never_served__is_left_out():
    accepted, refusals = snapshots.accept(content(project(experiment("a", salt=""), experiment("b"))), None)
    assert [e.key for e in accepted.projects[0].experiments] == ["b"]
    assert len(refusals) == 1


def test_accept__a_revoked_key_beside_a_broken_experiment__is_gone():
    last_good = content(keys={"a" * 64: grant("evaluate")})
    accepted, _ = snapshots.accept(content(project(experiment(salt="")), keys={}), last_good)
    assert accepted.keys == {}


def test_accept__an_experiment_of_another_project__is_no_fallback():
    last_good = content(project(experiment("a"), id=1))
    accepted, _ = snapshots.accept(content(project(experiment("a", salt=""), id=2)), last_good)
    assert accepted.projects[0].experiments == ()


def test_accept__the_same_key_twice__serves_the_first():
    twice = content(project(experiment("a"), experiment("a", salt="another")))
    accepted, refusals = snapshots.accept(twice, None)
    assert accepted.projects[0].experiments == (experiment("a"),)
    assert "there twice" in refusals[0]
