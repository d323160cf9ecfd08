"""What Celery runs of the set-up: the moves that are due, and what is kept no longer."""

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from experiments import schedule
from experiments.api import idempotency


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


@shared_task(name="experiments.forget_answers", time_limit=120)
def forget_answers() -> None:
    """Delete the API's answers of more than a day ago; run twice, the second finds none."""
    idempotency.forget(timezone.now())
