"""Scheduled result e-mails: who gets what when, and every message before it leaves."""

import secrets

from django.db import models
from django.utils import timezone

from experiments.models import Experiment, Project, User


def new_token() -> str:
    """Return the secret of an unsubscribe link."""
    return secrets.token_urlsafe(24)


class Digest(models.Model):
    """One recipient's schedule for one experiment's results, or for the whole project (``experiment`` empty).

    The recipient needs no account. ``hour`` is on the clock of ``time_zone``; ``weekday`` (0 is Monday) counts for
    weekly digests alone. ``next_due_at`` is kept in UTC so that one index finds what is due.
    """

    class Cadence(models.TextChoices):
        DAILY = "daily"
        WEEKLY = "weekly"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="digests")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="digests")
    email = models.EmailField()
    cadence = models.CharField(max_length=6, choices=Cadence.choices)
    weekday = models.PositiveSmallIntegerField(default=0)
    hour = models.PositiveSmallIntegerField(default=8)
    time_zone = models.CharField(max_length=60, default="UTC")
    token = models.CharField(max_length=40, unique=True, default=new_token)
    next_due_at = models.DateTimeField(db_index=True)
    unsubscribed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "experiment", "email"],
                condition=models.Q(unsubscribed_at__isnull=True),
                nulls_distinct=False,
                name="one_active_digest_per_recipient",
            ),
            models.CheckConstraint(condition=models.Q(hour__lte=23), name="hour_of_the_day"),
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="day_of_the_week"),
        ]

    def __str__(self) -> str:
        return f"{self.cadence} digest to {self.email}"


class OutboxMessage(models.Model):
    """A rendered e-mail, stored before it is sent, so that it is sent once.

    (``digest``, ``due_at``) is unique: a digest that is due is queued once, however often the scheduler looks.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        KEPT = "kept"  # no SMTP server configured: readable at /dev/outbox/
        FAILED = "failed"

    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="messages")
    due_at = models.DateTimeField()
    snapshot = models.ForeignKey("analysis.ResultSnapshot", on_delete=models.SET_NULL, null=True)
    recipient = models.EmailField()
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField()
    pictures = models.JSONField(default=dict)  # content id -> base64 of the PNG
    message_id = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["digest", "due_at"], name="a_digest_goes_out_once_when_due")]
        indexes = [models.Index(fields=["state", "not_before"], name="outbox_waiting")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.recipient}"
