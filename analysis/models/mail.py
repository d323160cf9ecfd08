"""Scheduled result e-mails: who gets what when, and every message before it leaves."""

from django.db import models
from django.utils import timezone

from analysis.models.notices import Recipient, Webhook, new_token
from analysis.models.portfolios import Portfolio
from experiments.models import Experiment, Project, User


class Digest(models.Model):
    """One recipient's schedule for one experiment's results, a portfolio's, or with neither the whole project's.

    The recipient needs no account. ``hour`` is on the clock of ``time_zone``; ``weekday`` (0 is Monday) counts for
    weekly digests alone, ``day_of_month`` for monthly ones. ``next_due_at`` is kept in UTC so that one index finds what
    is due; a digest by milestones has none, because occurrences make it due. What happened after ``told_up_to`` is
    new to the reader.
    """

    class Cadence(models.TextChoices):
        DAILY = "daily"
        WEEKLY = "weekly"
        MONTHLY = "monthly"
        MILESTONES = "milestones"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="digests")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="digests")
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, null=True, blank=True, related_name="digests")
    email = models.EmailField()
    cadence = models.CharField(max_length=10, choices=Cadence.choices)
    weekday = models.PositiveSmallIntegerField(default=0)
    day_of_month = models.PositiveSmallIntegerField(default=1, db_default=1)
    hour = models.PositiveSmallIntegerField(default=8)
    time_zone = models.CharField(max_length=60, default="UTC")
    token = models.CharField(max_length=40, unique=True, default=new_token)
    next_due_at = models.DateTimeField(null=True, db_index=True)
    told_up_to = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "experiment", "portfolio", "email"],
                condition=models.Q(unsubscribed_at__isnull=True),
                nulls_distinct=False,
                name="one_active_digest_per_recipient",
            ),
            models.CheckConstraint(condition=models.Q(hour__lte=23), name="hour_of_the_day"),
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="day_of_the_week"),
            models.CheckConstraint(
                condition=models.Q(day_of_month__gte=1, day_of_month__lte=31), name="day_of_the_month"
            ),
            models.CheckConstraint(
                condition=models.Q(experiment__isnull=True) | models.Q(portfolio__isnull=True),
                name="a_digest_is_about_one_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(cadence="milestones") ^ models.Q(next_due_at__isnull=False),
                name="a_clock_makes_digests_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cadence} digest to {self.email}"


class OutboxMessage(models.Model):
    """A rendered message, stored before it is sent, so that it is sent once.

    (``digest``, ``due_at``) is unique: a digest that is due is queued once, however often the scheduler looks. An
    e-mail has ``text``, ``html`` and ``pictures``, a message to a webhook its ``payload``. ``recipient`` is the
    address, or what is shown of a webhook's. ``answered`` is the code with which the other side answered last,
    ``sent_again`` the message that this one repeats.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        KEPT = "kept"  # no SMTP server configured: readable at /dev/outbox/
        FAILED = "failed"

    class Kind(models.TextChoices):
        DIGEST = "digest", "Digest"
        EVENT = "event", "One event"
        SUMMARY = "summary", "Summary of events"
        TEST = "test", "Test"

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="outbox")
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.DIGEST, db_default=Kind.DIGEST.value)
    channel = models.CharField(
        max_length=7, choices=Channel.choices, default=Channel.EMAIL, db_default=Channel.EMAIL.value
    )
    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, null=True, related_name="messages")
    reader = models.ForeignKey(Recipient, on_delete=models.SET_NULL, null=True, related_name="messages")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, null=True, related_name="messages")
    due_at = models.DateTimeField()
    snapshot = models.ForeignKey("analysis.ResultSnapshot", on_delete=models.SET_NULL, null=True)
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    pictures = models.JSONField(default=dict)  # content id -> base64 of the PNG
    payload = models.JSONField(null=True)
    message_id = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    answered = models.PositiveSmallIntegerField(null=True)
    sent_again = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="repeats")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["digest", "due_at"], name="a_digest_goes_out_once_when_due"),
            models.CheckConstraint(
                condition=models.Q(channel="webhook") ^ models.Q(webhook__isnull=True), name="webhooks_are_messaged"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], name="outbox_waiting"),
            models.Index(fields=["project", "-id"], name="outbox_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.recipient}"
