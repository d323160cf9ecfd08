import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from experiments.models import Project


def test_models__match_their_migrations(db):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_event_log__is_partitioned(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT partattrs::text FROM pg_partitioned_table WHERE partrelid = 'events_log'::regclass")
        assert cursor.fetchone() is not None


def test_result_snapshot__refuses_change(db):
    from django.utils import timezone

    from analysis.models import ResultSnapshot
    from experiments.models import Experiment

    project = Project.objects.create(slug="shop", name="Shop")
    experiment = Experiment.objects.create(project=project, key="e", name="E")
    snapshot = ResultSnapshot.objects.create(
        experiment=experiment, as_of=timezone.now(), engine_version="1", payload={}
    )
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        ResultSnapshot.objects.filter(pk=snapshot.pk).update(payload={"changed": True})


def test_sums__of_every_process_of_ours__take_one_thread():
    """Read after numpy is there, a number of threads is not heard: the settings must come first and say it."""
    say = "import config.settings, os, sys; print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    answer = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "1"]
