"""What happened, who wants to hear of it and how, and what each was told."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from analysis.alerts.kinds import Severity
from analysis.models.alerts import SEVERITIES, Alert
from analysis.notices.kinds import TITLES, OccurrenceKind
from experiments.models import Experiment, Project, User

KINDS = [(kind.value, TITLES[kind]) for kind in OccurrenceKind]


def new_token() -> str:
    """Return the secret of the links in a recipient's messages."""
    return secrets.token_urlsafe(24)


class Occurrence(models.Model):
    """Something that happened, once for each ``key`` of its kind and project, whoever notices it and however often.

    ``facts`` are pairs of a label and a text. ``alert`` is the alert that it opened, ``snapshot`` the result that it
    is about. ``addressed_at`` says when it was handed to those who want to hear of it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="occurrences")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="occurrences"
    )
    kind = models.CharField(max_length=24, choices=KINDS)
    key = models.CharField(max_length=200)
    severity = models.CharField(max_length=8, choices=SEVERITIES, default=Severity.NOTE.value)
    tone = models.CharField(max_length=8, default="flat")
    sentence = models.CharField(max_length=300)
    explanation = models.CharField(max_length=1000, blank=True)
    next_step = models.CharField(max_length=500, blank=True)
    facts = models.JSONField(default=list)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="occurrences")
    snapshot = models.ForeignKey("analysis.ResultSnapshot", on_delete=models.SET_NULL, null=True, related_name="+")
    happened_at = models.DateTimeField()
    noticed_at = models.DateTimeField(default=timezone.now)
    addressed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-happened_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "key"], name="it_happened_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in OccurrenceKind]), name="occurrence_kind_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-happened_at"], name="occurrences_by_time"),
            models.Index(fields=["id"], condition=models.Q(addressed_at__isnull=True), name="occurrences_to_address"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.sentence}"


class Webhook(models.Model):
    """An address that gets messages as JSON. Address and secret are sealed (``analysis.sealing``).

    ``shown`` is what pages show of the address. ``kinds`` empty is every kind, ``experiment`` None every experiment. A
    personal one gets what people choose to have sent there, and nothing else.
    After a rotation the old secret signs beside the new one until ``old_secret_until``. ``failures`` counts messages in
    a row that the other side refused for good.
    """

    class Kind(models.TextChoices):
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"
        GENERIC = "generic", "Signed JSON"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="webhooks")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    sealed_url = models.TextField()
    shown = models.CharField(max_length=200)
    sealed_secret = models.TextField(blank=True)
    sealed_old_secret = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(null=True)
    kinds = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    is_personal = models.BooleanField(default=False)
    failures = models.PositiveIntegerField(default=0)
    disabled_at = models.DateTimeField(null=True)
    disabled_because = models.CharField(max_length=300, blank=True)
    removed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(removed_at__isnull=True),
                name="webhook_name_once_per_project",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=["slack", "teams", "generic"]), name="known_webhook"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_kind_display()})"


class Recipient(models.Model):
    """One address in a project, and how whoever reads it wants to hear of things. Needs no account.

    Quiet hours run from ``quiet_from`` to ``quiet_until`` on the clock of ``time_zone``; equal hours are none.
    ``channels`` maps kinds to channels; a kind that is missing comes by e-mail. ``webhook`` is where kinds go that the
    person wants there. ``refusals`` counts messages in a row that the mail server refused for good; too many of them
    end in ``disabled_at``. ``unsubscribed_at`` ends everything but digests, which end one by one.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recipients")
    email = models.EmailField()
    token = models.CharField(max_length=40, unique=True, default=new_token)
    time_zone = models.CharField(max_length=60, default="UTC")
    quiet_from = models.PositiveSmallIntegerField(default=0)
    quiet_until = models.PositiveSmallIntegerField(default=0)
    quiet_weekends = models.BooleanField(default=False)
    alarms_at_any_hour = models.BooleanField(default=False)
    digest_only = models.BooleanField(default=False)
    channels = models.JSONField(default=dict, blank=True)
    webhook = models.ForeignKey(Webhook, on_delete=models.SET_NULL, null=True, blank=True, related_name="people")
    refusals = models.PositiveIntegerField(default=0)
    disabled_at = models.DateTimeField(null=True)
    disabled_because = models.CharField(max_length=500, blank=True)
    unsubscribed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(fields=["project", "email"], name="one_recipient_per_address"),
            models.CheckConstraint(
                condition=models.Q(quiet_from__lte=23, quiet_until__lte=23), name="quiet_hours_of_the_day"
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Follow(models.Model):
    """A recipient hears of an experiment, or with None of everything in the project; ``is_muted`` is the contrary.

    An experiment's owner hears of it without a row, and not with a muted one.
    """

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="follows")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, null=True, blank=True, related_name="follows")
    is_muted = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "experiment"], nulls_distinct=False, name="one_follow_per_experiment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipient} {'does not follow' if self.is_muted else 'follows'} {self.experiment or 'everything'}"


class Notice(models.Model):
    """One occurrence for one recipient or one webhook: it waits, and then stands in one message or is dropped.

    An occurrence reaches an address or a webhook once, by whichever way it got there.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        WRITTEN = "written"
        DROPPED = "dropped"

    occurrence = models.ForeignKey(Occurrence, on_delete=models.CASCADE, related_name="notices")
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, null=True, related_name="notices")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, null=True, related_name="notices")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    not_before = models.DateTimeField()
    message = models.ForeignKey("analysis.OutboxMessage", on_delete=models.SET_NULL, null=True, related_name="notices")
    dropped_because = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["occurrence", "recipient"], name="a_recipient_hears_of_it_once"),
            models.UniqueConstraint(fields=["occurrence", "webhook"], name="a_webhook_hears_of_it_once"),
            models.CheckConstraint(
                condition=models.Q(recipient__isnull=False) ^ models.Q(webhook__isnull=False),
                name="a_notice_has_one_addressee",
            ),
        ]
        indexes = [
            models.Index(fields=["not_before"], condition=models.Q(state="waiting"), name="notices_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.occurrence} for {self.recipient or self.webhook}"


class Watched(models.Model):
    """The newest result of an experiment that was looked at for alarms."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, primary_key=True, related_name="watched")
    snapshot = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.experiment_id} up to {self.snapshot}"
