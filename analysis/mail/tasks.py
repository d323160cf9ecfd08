"""The tasks that bring results and alarms to people; each may run twice, or in two workers at once."""

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from analysis.alerts import volume
from analysis.drifting import watching as drifting
from analysis.joining import watching as joining
from analysis.mail import queueing
from analysis.notices import addressing, gathering, noticing, silence, watching
from analysis.outbox import sending

# Shorter than outbox.sending.CLAIM_HOLDS, so that a row counts as lost only when its sender is gone.
TIME_LIMIT = 600
logger = logging.getLogger(__name__)


@shared_task(name="analysis.queue_due_digests", time_limit=TIME_LIMIT)
def queue_due_digests() -> None:
    """Write the messages that are due, and have them sent at once."""
    if queueing.queue_due(timezone.now()):
        deliver_soon()


@shared_task(name="analysis.tell_people", time_limit=TIME_LIMIT)
def tell_people() -> None:
    """Notice what happened, say who hears of it, and write what may be told by now."""
    now = timezone.now()
    watching.watch(now)
    noticing.notice(now)
    addressing.address_new(now)
    if gathering.write_messages(now):
        deliver_soon()


@shared_task(name="analysis.watch_for_silence", time_limit=TIME_LIMIT)
def watch_for_silence() -> None:
    """Notice that events stopped."""
    silence.watch(timezone.now())


@shared_task(name="analysis.watch_volumes", time_limit=TIME_LIMIT)
def watch_volumes() -> None:
    """Notice that much fewer or many more events arrive than usual."""
    volume.watch(timezone.now())


@shared_task(name="analysis.watch_drift", time_limit=TIME_LIMIT)
def watch_drift() -> None:
    """Notice that what models predict has moved since the launch week."""
    drifting.watch(timezone.now())


@shared_task(name="analysis.watch_joining", time_limit=TIME_LIMIT)
def watch_joining() -> None:
    """Notice that exposures and events of an experiment do not meet."""
    joining.watch(timezone.now())


@shared_task(name="analysis.deliver_outbox", time_limit=TIME_LIMIT)
def deliver_outbox() -> None:
    """Send what waits in the outbox."""
    sending.deliver_waiting(timezone.now())


def deliver_soon() -> None:
    """Have the outbox delivered now; without a broker the schedule does it once there is one."""
    try:
        deliver_outbox.apply_async(retry=False)
    except OperationalError as error:
        logger.warning("the outbox waits for the schedule: %s", error)
