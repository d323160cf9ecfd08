"""The event log's background work."""

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from events import catalogue, partitions


@shared_task(
    name="events.keep_partitions",
    autoretry_for=(OperationalError,),
    retry_backoff=5,
    max_retries=3,
    time_limit=300,
)
def keep_partitions() -> None:
    """Make the partitions that are missing around today, and forget the hours that are too old to compare with."""
    partitions.keep()
    catalogue.drop_old_hours(timezone.now())


@shared_task(
    name="events.update_catalogue",
    autoretry_for=(OperationalError,),
    retry_backoff=5,
    max_retries=3,
    time_limit=300,
)
def update_catalogue() -> None:
    """Count the events that have settled since the last time."""
    catalogue.bring_up_to_date()
