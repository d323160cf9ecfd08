"""What Celery runs of the set-up: the moves that are due."""

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from experiments import schedule


@shared_task(
    name="experiments.move_due",
    autoretry_for=(OperationalError,),
    retry_backoff=2,
    max_retries=3,
    time_limit=120,
)
def move_due() -> None:
    """Start, stop and step what is due; run twice at once, each move is made once."""
    schedule.move_due(timezone.now())
