"""What Celery runs of the set-up: the moves that are due, and what is kept no longer."""

from celery import shared_task
from django.core.mail import EmailMessage
from django.db import OperationalError
from django.template.loader import render_to_string
from django.utils import timezone

from experiments import schedule
from experiments.api import idempotency
from experiments.members import link_of
from experiments.models import Invitation


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


@shared_task(name="experiments.mail_invitation", time_limit=60)
def mail_invitation(invitation_id: int) -> None:
    """Send an invitation once: the row is claimed before the mail is sent, so that a lost answer sends no second."""
    claimed = Invitation.objects.filter(
        pk=invitation_id, mailed_at__isnull=True, accepted_at__isnull=True, revoked_at__isnull=True
    ).update(mailed_at=timezone.now())
    if not claimed:
        return
    invitation = Invitation.objects.select_related("project", "created_by").get(pk=invitation_id)
    text = render_to_string("mail/invitation.txt", {"invitation": invitation, "link": link_of(invitation)})
    # A project's name is its members' text: no line of it becomes a header.
    subject = " ".join(f"You are invited to {invitation.project.name}".split())
    EmailMessage(subject, text, to=[invitation.email]).send()
