"""An empty log whose rows are really committed, and an experiment that counts orders and their revenue."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric
from tests import builders
from tests.analysis.pipeline.conftest import empty_tables
from tests.faults.ledger import Ledger


@pytest.fixture(autouse=True)
def quiet_clients(caplog) -> None:
    """Keep a line for every request out of the printed figures."""
    caplog.set_level(logging.WARNING, logger="httpx")


@pytest.fixture
def log(transactional_db) -> Iterator[None]:
    """Delete a test's rows afterwards, event log included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: empty_tables())
        empty_tables()
        yield
        empty_tables()


@pytest.fixture
def experiment(log) -> Experiment:
    return counting_experiment()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def counting_experiment(slug: str = "") -> Experiment:
    """A running experiment with two metrics: how many orders, and how much they brought in."""
    home = builders.project(slug)
    made = builders.experiment(home, started_at=datetime.now(UTC) - timedelta(days=3))
    orders = builders.metric(home, "orders", kind=MetricKind.COUNT)
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, property="revenue")
    for position, metric in enumerate((orders, revenue)):
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=position)
    return made


def query(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
