import stat
import threading
import time

import msgspec
import pytest

from assignment import disk
from assignment.edge import Edge
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.models import Experiment
from tests import builders
from tests.assignment import served
from tests.assignment.asking import ask
from tests.assignment.conftest import wait_until

NOWHERE = "host=/nowhere dbname=truelift connect_timeout=1"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "snapshot.json"


def offered(file, content):
    edge = Edge(NOWHERE, file)
    edge.offer(content)
    return edge


class TestFollowing:
    def test_edge__a_committed_change__is_seen_by_notification(self, edge):
        home = builders.project()
        _, plain = keys.issue_key(home, "App", [Scope.EVALUATE], None)
        assert wait_until(lambda: edge.grant(plain))
        assert ask(edge, plain).status == 404

        builders.experiment(home)
        announce()

        assert wait_until(lambda: ask(edge, plain).status == 200)

    def test_edge__ten_changes_in_a_row__are_each_seen_by_notification(self, edge):
        made = builders.experiment(builders.project())
        for allocation in range(1000, 11_000, 1000):
            Experiment.objects.filter(pk=made.pk).update(allocation=allocation)
            announce()
            assert wait_until(lambda wanted=allocation: allocations(edge) == [wanted])

    def test_edge__five_of_them__see_each_change_by_notification(self, conninfo, tmp_path, capsys):
        edges = [Edge(conninfo, tmp_path / f"{number}.json", poll_seconds=3600) for number in range(5)]
        for edge in edges:
            edge.start()
        try:
            assert all(edge.wait_until_ready(10) for edge in edges)
            made = builders.experiment(builders.project())
            waited = []
            for allocation in (9000, 8000, 7000):
                Experiment.objects.filter(pk=made.pk).update(allocation=allocation)
                announce()
                waited.append(
                    wait_until(lambda wanted=[allocation]: all(allocations(edge) == wanted for edge in edges))
                )
            assert len({edge.version for edge in edges}) == 1
            with capsys.disabled():
                print(f"\n5 edges saw a change after at most {max(waited) * 1000:.0f} ms")
        finally:
            for edge in edges:
                edge.stop()

    def test_edge__two_processes__see_the_same_version(self, edge, conninfo, tmp_path):
        other = Edge(conninfo, tmp_path / "other.json", poll_seconds=3600)
        other.start()
        try:
            builders.experiment(builders.project())
            announce()
            assert wait_until(lambda: allocations(edge) and edge.version == other.version)
        finally:
            other.stop()

    def test_edge__a_change__wakes_who_watches_and_an_unchanged_content_does_not(self, file):
        edge, versions = Edge(NOWHERE, file), []
        edge.on_change(lambda: versions.append(edge.version))
        edge.offer(served.content())
        edge.offer(served.content())
        edge.offer(served.content(served.project(served.experiment(allocation=5000))))
        assert len(versions) == len(set(versions)) == 2

    def test_edge__a_revoked_key__stops_working_by_notification(self, edge):
        key, plain = keys.issue_key(builders.project(), "Leaked", [Scope.EVALUATE], None)
        assert wait_until(lambda: edge.grant(plain))
        keys.revoke(key, None)
        assert wait_until(lambda: edge.grant(plain) is None)

    def test_edge__a_lost_notification__is_made_good_by_polling(self, conninfo, file):
        edge = Edge(conninfo, file, poll_seconds=0.2)
        edge.start()
        try:
            builders.experiment(builders.project())  # and nobody announces it
            assert wait_until(lambda: allocations(edge))
        finally:
            edge.stop()

    def test_edge__stopped__ends_its_thread_and_still_serves(self, edge):
        builders.experiment(builders.project())
        announce()
        assert wait_until(lambda: allocations(edge))
        began = time.perf_counter()
        edge.stop()
        assert time.perf_counter() - began < 10, "it waits for a poll or a notification that does not come"
        assert "truelift-edge" not in {thread.name for thread in threading.enumerate()}
        assert allocations(edge) == [10_000]

    def test_edge__nothing_changes__keeps_its_version_and_confirms_its_age(self, conninfo, file):
        edge = Edge(conninfo, file, poll_seconds=0.05)
        edge.start()
        try:
            assert wait_until(file.exists)
            version, written = edge.version, file.stat().st_mtime_ns
            time.sleep(0.5)
            assert (edge.version, file.stat().st_mtime_ns) == (version, written)
            assert edge.age < 0.4
            assert edge.connected
            assert edge.problem is None
        finally:
            edge.stop()


class TestBadContent:
    def test_edge__an_experiment_whose_weights_no_longer_sum__is_served_as_before(self, edge):
        home = builders.project()
        made = builders.experiment(home)
        _, plain = keys.issue_key(home, "App", [Scope.EVALUATE], None)
        assert wait_until(lambda: edge.grant(plain))
        before = ask(edge, plain).body

        made.variants.filter(position=0).update(weight=1)
        builders.experiment(home, "another")
        announce()

        assert wait_until(lambda: ask(edge, plain, "another").status == 200)
        assert ask(edge, plain).body == before
        assert "sum to 10000" in edge.problem

    def test_edge__the_bad_experiment_is_mended__the_problem_is_over(self, file):
        edge = offered(file, served.content(served.project(served.experiment(salt=""))))
        assert "no salt" in edge.problem
        edge.offer(served.content())
        assert edge.problem is None

    def test_edge__reading_raises__the_thread_lives_and_serves_again(self, conninfo, file):
        answers = iter([ValueError("surprise"), ValueError("surprise")])

        def read(connection):
            for error in answers:
                raise error
            return served.content()

        edge = Edge(conninfo, file, poll_seconds=0.05, read=read)
        edge.start()
        try:
            assert wait_until(lambda: edge.problem)
            assert "surprise" in edge.problem
            assert wait_until(lambda: edge.version and edge.problem is None)
        finally:
            edge.stop()


class TestDisk:
    def test_edge__without_a_database__serves_the_snapshot_on_disk(self, file):
        offered(file, served.content_for(served.KEY, served.experiment()))
        edge = Edge(NOWHERE, file)
        edge.start()
        try:
            answer = ask(edge, served.KEY, "ranker")
            assert answer.status == 200
            assert wait_until(lambda: edge.problem)
            assert "The database gives no snapshot" in edge.problem
            assert not edge.connected
            assert ask(edge, served.KEY, "ranker") == answer
        finally:
            edge.stop()

    def test_edge__the_file__is_readable_by_its_owner_alone_and_nothing_is_left_beside_it(self, file):
        edge = offered(file, served.content())
        edge.offer(served.content(served.project(served.experiment(allocation=1))))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in file.parent.iterdir()] == ["snapshot.json"]

    def test_edge__a_file_that_somebody_removed__is_written_again_although_nothing_changed(self, file):
        edge = offered(file, served.content())
        file.unlink()
        edge.offer(served.content())
        assert file.exists()

    def test_edge__the_file_of_an_older_version__is_ignored_in_words_and_replaced(self, file, caplog):
        file.parent.mkdir()
        file.write_bytes(b'{"format":1,"version":"x","taken_at":"2026-01-01T00:00:00Z","content":{"projects":[]}}')
        edge = Edge(NOWHERE, file)
        edge.start()
        edge.stop()
        assert edge.version is None
        assert "format 1; this version reads format 2" in caplog.text
        edge.offer(served.content())
        assert "format 1" not in edge.problem
        assert disk.load(file).version == edge.version

    def test_edge__refused_while_the_file_holds_the_last_good_one__serves_that_after_a_restart(self, file):
        offered(file, served.content_for(served.KEY, served.experiment()))
        edge = Edge(NOWHERE, file)
        edge.start()
        edge.stop()
        before = ask(edge, served.KEY, "ranker")
        edge.offer(served.content_for(served.KEY, served.experiment(salt="")))
        assert ask(edge, served.KEY, "ranker") == before
        assert edge.refusals == ["'ranker' of project 'shop' is refused: it has no salt, so its split would equal "
                                 "that of others."]  # fmt: skip

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format":1}', b"\xff\xfe", b"[" * 100_000])
    def test_edge__a_damaged_file__is_refused_in_words_and_replaced_by_the_next_snapshot(self, file, damage):
        file.parent.mkdir()
        file.write_bytes(damage)
        edge = Edge(NOWHERE, file)
        edge.start()
        try:
            assert edge.version is None
            assert "is refused" in edge.problem
            edge.offer(served.content())
        finally:
            edge.stop()
        again = Edge(NOWHERE, file)
        again.start()
        again.stop()
        assert again.version == edge.version

    def test_edge__a_disk_that_cannot_be_written__still_serves_and_says_so(self, tmp_path):
        blocked = tmp_path / "a-file"
        blocked.write_text("")
        edge = offered(blocked / "snapshot.json", served.content_for(served.KEY, served.experiment()))
        assert ask(edge, served.KEY, "ranker").status == 200
        assert "cannot be written" in edge.problem

        blocked.unlink()
        edge.offer(served.content_for(served.KEY, served.experiment()))
        assert edge.problem is None
        assert (blocked / "snapshot.json").exists()

    def test_edge__age_after_a_restart__counts_from_when_the_snapshot_was_taken(self, file):
        offered(file, served.content())
        time.sleep(0.05)
        edge = Edge(NOWHERE, file)
        assert edge.age is None
        edge.start()
        edge.stop()
        assert 0.05 <= edge.age < 60


def allocations(edge):
    if edge.snapshot is None:
        return []
    environments = [project.environments["production"] for project in edge.snapshot.content.projects]
    features = [msgspec.json.decode(raw) for one in environments for raw in one.features.values()]
    return [round(rule["coverage"] * 10_000) for feature in features for rule in feature["rules"]]
