import csv
from datetime import UTC, datetime

import psycopg
import pytest
from django.core.management import CommandError

from events import log
from events.models import Import, LoggedEvent
from events.row import Door
from events.transfer import importing
from events.transfer.importing import import_file
from events.transfer.mapping import ColumnMeaning
from events.transfer.reading import open_table
from tests.events.transfer.files import parquet, run, written

HEAD = "who,when,what,amount,returning"
ORDERS = ("--name", "what", "--unit", "who", "--time", "when", "--properties", "all")
MEANING = ColumnMeaning(time="when", name="what", units=(("user", "who"),), all_properties=True)


def orders(path, count=25):
    lines = (f"u{n},2026-03-02T09:{n % 60:02}:00Z,Order Completed,{n}.5,true" for n in range(count))
    return written(path, HEAD, *lines)


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
def test_import__a_csv_file__lands_row_by_row_with_typed_properties(home, tmp_path, name):
    assert "25 rows, 25 events new, 0 known already, 0 refused" in run(
        "import_events", home.slug, orders(tmp_path / name), *ORDERS
    )
    event = LoggedEvent.objects.get(user_id="u3")
    assert event.props == {"amount": 3.5, "returning": True}
    assert (event.name, event.environment, event.door) == ("Order Completed", 0, Door.IMPORT)
    assert event.at == event.ts == datetime(2026, 3, 2, 9, 3, tzinfo=UTC)
    assert event.received_at > event.at


def test_import__a_parquet_file__keeps_the_types_it_has(home, tmp_path):
    file = parquet(
        tmp_path / "orders.parquet",
        "SELECT 7::BIGINT AS who, TIMESTAMPTZ '2026-03-02 10:00:00.25+01' AS \"when\", 12.50::DECIMAL(9,2) AS amount, "
        "'1.50' AS word, NULL::DOUBLE AS nothing, 'nan'::DOUBLE AS missing, DATE '2026-03-01' AS day",
    )
    arguments = ("--name", "=Order Completed", "--unit", "who", "--time", "when", "--properties", "all")
    assert "1 events new" in run("import_events", home.slug, file, *arguments)
    event = LoggedEvent.objects.get()
    assert (event.user_id, event.name) == ("7", "Order Completed")
    assert event.ts == datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)
    assert event.props == {"amount": 12.5, "word": 1.5, "day": "2026-03-01"}


def test_import__exposures__name_experiment_variant_and_the_unit_of_its_type(home, tmp_path):
    file = written(tmp_path / "seen.csv", "session,at,arm", "007,2026-03-02 09:00:00,treatment")
    run(
        "import_events", home.slug, file, "--unit", "session", "--unit-type", "session", "--time", "at",
        "--experiment", "=new-ranker", "--variant", "arm",
    )  # fmt: skip
    event = LoggedEvent.objects.get()
    assert (event.name, event.experiment, event.variant) == ("Experiment Viewed", "new-ranker", "treatment")
    assert event.props["session_id"] == "007"
    assert (event.user_id, event.anonymous_id) == (None, None)


def test_import__the_same_file_twice_or_under_another_name__adds_nothing(home, tmp_path):
    first = run("import_events", home.slug, orders(tmp_path / "orders.csv"), *ORDERS)
    again = run("import_events", home.slug, orders(tmp_path / "copy.csv"), *ORDERS)
    assert first.removeprefix("orders.csv") == again.removeprefix("copy.csv").replace(" (went on after row 25)", "")
    Import.objects.all().delete()  # as if no one remembered: the rows' ids still do
    assert "25 rows, 0 events new, 25 known already" in run(
        "import_events", home.slug, tmp_path / "orders.csv", *ORDERS
    )
    assert LoggedEvent.objects.count() == 25


def test_import__an_id_column__is_the_message_id_that_doors_take(home, tmp_path):
    head = "who,when,number"
    row = "u1,2026-03-02T09:00:00Z,order-1"
    arguments = ("--name", "=Order Completed", "--unit", "who", "--time", "when", "--id", "number")
    run("import_events", home.slug, written(tmp_path / "a.csv", head, row), *arguments)
    later = run(
        "import_events", home.slug, written(tmp_path / "b.csv", head, row.replace("1,2", "1,2"), row), *arguments
    )
    assert "2 rows, 0 events new, 2 known already" in later
    assert LoggedEvent.objects.count() == 1


@pytest.mark.parametrize("break_in", ["store", "advance"])
def test_import__killed_in_a_chunk__goes_on_there_and_keeps_every_row_once(home, tmp_path, monkeypatch, break_in):
    table = open_table(orders(tmp_path / "orders.csv"))
    store, calls = log.store, []

    def dying(*arguments, **named):
        calls.append(1)
        if len(calls) == 3:
            if break_in == "advance":
                store(*arguments, **named)
            raise KeyboardInterrupt
        return store(*arguments, **named)

    monkeypatch.setattr(importing.log, "store", dying)
    with pytest.raises(KeyboardInterrupt):
        import_file(home, table, MEANING, chunk_rows=10)
    assert LoggedEvent.objects.count() == Import.objects.get().rows_done == 20
    monkeypatch.undo()
    done = import_file(home, table, MEANING, chunk_rows=10)
    assert (done.resumed_after, done.rows, done.stored, done.known) == (20, 25, 25, 0)
    assert LoggedEvent.objects.count() == 25


def test_import__parquet__goes_on_at_the_row_where_it_ended(home, tmp_path, monkeypatch):
    query = (
        "SELECT 'u' || n AS who, TIMESTAMP '2026-03-02 09:00:00' + to_seconds(n) AS \"when\", 'Seen' AS what "
        "FROM range(5000) t(n)"
    )
    table = open_table(parquet(tmp_path / "seen.parquet", query))
    shares = []

    def dying(share):
        shares.append(share)
        if len(shares) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(home, table, MEANING, chunk_rows=700, on_share=dying)
    assert shares == pytest.approx([700 / 5000, 1400 / 5000, 2100 / 5000])
    done = import_file(home, table, MEANING, chunk_rows=700)
    assert (done.resumed_after, done.rows, done.stored, done.known) == (2100, 5000, 5000, 0)
    assert LoggedEvent.objects.values("user_id").distinct().count() == 5000


def test_import__another_process_has_gone_on_meanwhile__stops_and_keeps_nothing_twice(home, tmp_path):
    table = open_table(orders(tmp_path / "orders.csv"))
    with pytest.raises(Exception, match="imported by another process"):
        import_file(home, table, MEANING, chunk_rows=10, on_share=lambda _: Import.objects.update(rows_done=25))
    assert LoggedEvent.objects.count() == 10


BAD = {
    "unreadable_row": "u1,2026-03-02T09:00:00Z,Order",
    "missing_unit": ",2026-03-02T09:00:00Z,Order,1,true",
    "missing_event": "u1,2026-03-02T09:00:00Z,,1,true",
    "missing_time": "u1,,Order,1,true",
    "invalid_time": "u1,yesterday,Order,1,true",
    "too_long": f"{'u' * 300},2026-03-02T09:00:00Z,Order,1,true",
    "nul_character": "u1,2026-03-02T09:00:00Z,Order,a\x00b,true",
    "event_too_large": f"u1,2026-03-02T09:00:00Z,Order,{'x' * 40_000},true",
    "invalid_exposure": "u1,2026-03-02T09:00:00Z,Experiment Viewed,1,true",
}


def test_import__rows_that_no_door_takes__are_refused_each_with_its_reason(home, tmp_path):
    good = "u1,2026-03-02T09:00:00Z,Order Completed,1,true"
    file, report = written(tmp_path / "mixed.csv", HEAD, *BAD.values(), good), tmp_path / "refused.csv"
    said = run("import_events", home.slug, file, *ORDERS, "--report", report)
    assert f"{len(BAD) + 1} rows, 1 events new, 0 known already, {len(BAD)} refused" in said
    lines = list(csv.reader(report.read_text().splitlines()))
    assert [(row, code) for row, code, _ in lines[1:]] == [(str(n), code) for n, code in enumerate(BAD, start=1)]
    assert "row 5: invalid_time: timestamp is 'yesterday'" in said
    assert LoggedEvent.objects.get().user_id == "u1"


def test_import__a_report_of_a_killed_import__names_every_row_once(home, tmp_path, monkeypatch):
    lines = [",2026-03-02T09:00:00Z,Order,1,true" for _ in range(7)]
    table, report = open_table(written(tmp_path / "bad.csv", HEAD, *lines)), tmp_path / "refused.csv"
    monkeypatch.setattr(importing.log, "store", lambda *_, **__: 1 / 0 if Import.objects.get().rows_done else 0)
    with pytest.raises(ZeroDivisionError):
        import_file(home, table, MEANING, report=report, chunk_rows=4)
    monkeypatch.undo()
    done = import_file(home, table, MEANING, report=report, chunk_rows=4)
    assert done.refused == {"missing_unit": 7}
    assert [line[0] for line in csv.reader(report.read_text().splitlines())] == ["row", *map(str, range(1, 8))]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "what", "--unit", "who"), "--time is missing"),
        (("--unit", "who", "--time", "when"), "--name is missing"),
        (("--name", "what", "--time", "when"), "--unit is missing"),
        (
            ("--name", "event", "--unit", "who", "--time", "when"),
            "--name: there is no column 'event'; the file has who,",
        ),
        (("--unit", "who", "--time", "when", "--variant", "=b"), "--experiment and --variant go together"),
        ((*ORDERS, "--property", "amount"), "give NAME=COL"),
        ((*ORDERS, "--user", "what"), "two columns are given for one type of unit"),
        (("--exported", "--unit", "who"), "leave the other options out"),
    ],
)
def test_import__wrong_options__are_refused_in_one_line_before_the_first_row(home, tmp_path, arguments, said):
    with pytest.raises(CommandError, match=said) as failure:
        run("import_events", home.slug, orders(tmp_path / "orders.csv"), *arguments)
    assert failure.value.returncode == 2
    assert "\n" not in str(failure.value)
    assert not LoggedEvent.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PAR1 but not really", "cannot be read as Parquet"),
        (b"only one column\n1\n", "at least two columns"),
        (b"a,a\n1,2\n", "more than one column 'a'"),
        (b"\xff\xfea,b\n", "not UTF-8"),
        (b"PK\x03\x04,b\n", "neither CSV nor Parquet"),
    ],
)
def test_import__what_is_no_table__is_refused_in_one_line(home, tmp_path, content, said):
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        run("import_events", home.slug, file, *ORDERS)


def test_import__a_project_that_is_not_there__names_those_that_are(home, tmp_path):
    with pytest.raises(CommandError, match="no project has the slug 'shpo'; there are: shop"):
        run("import_events", "shpo", orders(tmp_path / "orders.csv"), *ORDERS)


def test_import__a_quote_that_never_ends__keeps_the_chunks_before_it(home, tmp_path):
    file = orders(tmp_path / "orders.csv", count=12)
    with file.open("a") as handle:
        handle.write('u1,2026-03-02T09:00:00Z,"Order\n')
    table = open_table(file)
    with pytest.raises(Exception, match="put the quotes right"):
        import_file(home, table, MEANING, chunk_rows=10)
    assert LoggedEvent.objects.count() == 10


def test_import__a_database_that_goes_away__is_one_line_that_says_to_run_it_again(home, tmp_path, monkeypatch):
    def lost(*_, **__):
        raise psycopg.OperationalError("the connection is lost\nDETAIL: much more")

    monkeypatch.setattr(importing.log, "store", lost)
    with pytest.raises(CommandError, match=r"the connection is lost\. What was done before is kept") as failure:
        run("import_events", home.slug, orders(tmp_path / "orders.csv"), *ORDERS)
    assert (failure.value.returncode, Import.objects.get().rows_done) == (1, 0)


def test_import__columns_of_unusual_types__are_kept_or_refused_but_never_end_the_import(home, tmp_path):
    file = parquet(
        tmp_path / "odd.parquet",
        "SELECT 'u' || n AS who, TIMESTAMP '2026-03-02 09:00:00' AS \"when\", 'Seen' AS what, "
        "170141183460469231731687303715884105727::HUGEINT AS huge, [1, 2] AS list, {'a': 1} AS struct, "
        "{'at': TIMESTAMPTZ '2026-03-02 09:00:00+00'} AS nested, "
        "CASE WHEN n = 1 THEN 'inf'::DOUBLE ELSE 1 END AS number, CASE WHEN n = 2 THEN 'x'::BLOB END AS bytes "
        "FROM range(3) t(n)",
    )
    said = run("import_events", home.slug, file, *ORDERS)
    assert "3 rows, 1 events new, 0 known already, 2 refused" in said
    assert "2 × invalid_property" in said
    props = LoggedEvent.objects.get(user_id="u0").props
    assert (props["list"], props["struct"], props["number"]) == ([1, 2], {"a": 1}, 1)
    assert props["huge"] == pytest.approx(2.0**127)
