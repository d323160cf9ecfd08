import json
from datetime import timedelta

import duckdb
import pytest
from django.core.management import CommandError
from django.db import connection

from events.models import LoggedEvent
from events.row import COLUMNS
from tests import builders
from tests.builders import T0
from tests.events.transfer.files import run

DAYS = ("--from", "2026-03-02", "--to", "2026-03-03")


def rows(project):
    columns = COLUMNS.removeprefix("project_id, ")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM events_log WHERE project_id = %s ORDER BY ts, id", [project.pk])
        return cursor.fetchall()


@pytest.fixture
def busy(home):
    """Two days of events with everything that a cell can hold."""
    builders.log(home, 'Order, "quoted"\nand broken', "Zoë 'O'", text='a "b", \\N\n', nested={"list": [1, None, "é"]})
    builders.log(home, "Seen", None, anonymous_id="NULL", at=T0 + timedelta(microseconds=1), big=12345678901234567890)
    builders.log(home, "Experiment Viewed", "", variant=("new-ranker", "treatment"), at=T0 + timedelta(days=1))
    builders.log(home, "Seen", "staged", environment=1, at=T0 + timedelta(days=1, seconds=1))
    return home


def test_export__then_import_into_another_project__gives_the_same_rows(busy, tmp_path):
    builders.log(builders.project("other"), "Seen", "not theirs")
    assert "2 days: 2 written, 0 unchanged, 0 empty." in run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    copy = builders.project("copy")
    # The empty user id of the third event is nobody, and the log says so from now on.
    expected = [tuple(None if value == "" else value for value in row) for row in rows(busy)]
    said = run("import_events", copy.slug, *sorted(tmp_path.glob("*.parquet")), "--exported")
    assert "events-2026-03-02.parquet: 2 rows, 2 events new, 0 known already, 0 refused." in said
    assert rows(copy) == expected


def test_export__again__leaves_days_alone_until_they_change(busy, tmp_path):
    run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    file = tmp_path / "events-2026-03-02.parquet"
    stamp = file.stat().st_mtime_ns
    assert "0 written, 2 unchanged" in run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    assert file.stat().st_mtime_ns == stamp
    builders.log(busy, "Seen", "late")
    assert "1 written, 1 unchanged" in run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchall() == [(3,)]


def test_export__a_file_that_was_damaged_or_removed__is_written_again(busy, tmp_path):
    run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    (tmp_path / "events-2026-03-02.parquet").unlink()
    (tmp_path / "events-2026-03-03.parquet").write_bytes(b"cut")
    assert "2 written, 0 unchanged" in run("export_events", busy.slug, *DAYS, "--out", tmp_path)


def test_export__a_day_whose_events_were_erased__loses_its_file(busy, tmp_path):
    run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    LoggedEvent.objects.filter(ts__lt=T0 + timedelta(hours=1)).delete()
    assert "0 written, 1 unchanged, 1 empty" in run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    assert [file.name for file in tmp_path.glob("*.parquet")] == ["events-2026-03-03.parquet"]


def test_export__todays_file__is_marked_as_not_over(home, tmp_path):
    from django.utils import timezone

    now = timezone.now()
    builders.log(home, "Seen", at=now)
    said = run("export_events", home.slug, "--from", now.date(), "--to", now.date(), "--out", tmp_path)
    assert "(not over yet)" in said
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["days"][str(now.date())]["open"] is True
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"events-{now.date()}.parquet", "manifest.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-03-03", "--to", "2026-03-02"), "the earlier one first"),
        (("--from", "monday", "--to", "2026-03-02"), "--from 'monday': give a day"),
    ],
)
def test_export__wrong_days__are_refused_in_one_line(home, tmp_path, arguments, said):
    with pytest.raises(CommandError, match=said) as failure:
        run("export_events", home.slug, *arguments, "--out", tmp_path)
    assert failure.value.returncode == 2


def test_export__into_another_projects_directory__is_refused(busy, tmp_path):
    run("export_events", busy.slug, *DAYS, "--out", tmp_path)
    other = builders.project("other")
    with pytest.raises(CommandError, match="holds the export of project 'shop'"):
        run("export_events", other.slug, *DAYS, "--out", tmp_path)


def test_export__where_nothing_can_be_written__is_refused(home, tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(CommandError, match="name a directory with room"):
        run("export_events", home.slug, *DAYS, "--out", tmp_path / "file")
