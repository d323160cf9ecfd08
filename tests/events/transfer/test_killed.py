import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from events.models import Import, LoggedEvent
from tests.events.transfer.files import run, written

ROOT = Path(__file__).resolve().parents[3]
ROWS = 40_000
ORDERS = ("--name", "=Order Completed", "--unit", "who", "--time", "when")


def backends() -> int:
    """Return how many importers the test's database still serves."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'truelift events'"
        )
        return cursor.fetchone()[0]


def test_import__a_process_killed_outright__is_gone_on_with_and_every_row_is_there_once(home, address, tmp_path):
    lines = (f"u{n},2026-03-02T09:{n % 60:02}:{n // 60 % 60:02}Z" for n in range(ROWS))
    file = written(tmp_path / "orders.csv", "who,when", *lines)
    parts = dict(part.split("=", 1) for part in address.split())
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={quote(parts['host'], safe='')}"
    command = [sys.executable, "manage.py", "import_events", home.slug, str(file), *ORDERS]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url})
    while process.poll() is None and not Import.objects.filter(rows_done__gt=0).exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the import was over before it could be killed"
    while backends() > 0:
        time.sleep(0.05)  # the database may still be ending the last chunk
    done = Import.objects.get().rows_done
    assert done == LoggedEvent.objects.count()
    assert 0 < done < ROWS
    assert f"{ROWS:,} rows, {ROWS:,} events new, 0 known already, 0 refused (went on after row {done:,})." in run(
        "import_events", home.slug, file, *ORDERS
    )
    assert LoggedEvent.objects.values("user_id").distinct().count() == LoggedEvent.objects.count() == ROWS
