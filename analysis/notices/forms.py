"""What people fill in about their notifications."""

from collections.abc import Sequence
from typing import Any

from django import forms

from analysis.mail.schedule import find_zone
from analysis.models import Recipient, Webhook
from analysis.notices.kinds import ALARMS, MEANINGS, TITLES, Channel, OccurrenceKind, channel_of
from analysis.notices.preferences import Wishes
from analysis.notices.quiet import QuietHours

HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]
PREFIX = "kind_"


class ZoneField(forms.CharField):
    """A time zone by its IANA name."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"})
        super().__init__(max_length=60, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        """Return the name, if there is such a time zone."""
        name = str(super().clean(value)).strip()
        try:
            find_zone(name)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return name


class PreferencesForm(forms.Form):
    """Quiet hours, and how each kind of occurrence arrives."""

    time_zone = ZoneField(label="Time zone", help_text="Yours, for example Europe/Berlin. Daylight saving is followed.")
    quiet_from = forms.TypedChoiceField(
        label="Quiet from", choices=HOURS, coerce=int, help_text="On the clock of your time zone."
    )
    quiet_until = forms.TypedChoiceField(
        label="Quiet until", choices=HOURS, coerce=int, help_text="The same hour twice is no quiet at all."
    )
    quiet_weekends = forms.BooleanField(label="Quiet on Saturdays and Sundays", required=False)
    alarms_at_any_hour = forms.BooleanField(
        label="Urgent alarms may come in quiet hours",
        required=False,
        help_text="A broken split, a guardrail beyond its limit, events that stopped.",
    )
    digest_only = forms.BooleanField(
        label="No single messages: put it all into my digests",
        required=False,
        help_text="What happened since the last one stands at the top of each digest.",
    )

    def __init__(self, posted: Any = None, *, webhooks: Sequence[Webhook] = (), **options: Any) -> None:
        super().__init__(posted, **options)
        self.webhooks = {str(hook.pk): hook for hook in webhooks}
        ways = [(Channel.EMAIL.value, "E-mail"), (Channel.NONE.value, "Nothing")]
        if webhooks:
            ways.insert(1, (Channel.WEBHOOK.value, "My webhook"))
            choices = [("", "None"), *((pk, str(hook)) for pk, hook in self.webhooks.items())]
            self.fields["webhook"] = forms.ChoiceField(label="My webhook", choices=choices, required=False)
        for kind in OccurrenceKind:
            self.fields[PREFIX + kind.value] = forms.ChoiceField(
                label=TITLES[kind], choices=ways, required=False, help_text=MEANINGS[kind]
            )

    @property
    def steps(self) -> list[Any]:
        """Return the fields of kinds that are steps in a life."""
        return [self[PREFIX + kind.value] for kind in OccurrenceKind if kind not in ALARMS]

    @property
    def alarms(self) -> list[Any]:
        """Return the fields of kinds that are alarms."""
        return [self[PREFIX + kind.value] for kind in OccurrenceKind if kind in ALARMS]

    def clean(self) -> dict[str, Any]:
        """Ask for a webhook where something is to go there."""
        values = super().clean() or self.cleaned_data
        to_hook = any(values.get(PREFIX + kind.value) == Channel.WEBHOOK for kind in OccurrenceKind)
        if to_hook and not values.get("webhook"):
            self.add_error("webhook", "Choose the webhook to which these go.")
        return values

    def wishes(self) -> Wishes:
        """Return what a valid form says."""
        values = self.cleaned_data
        chosen = {kind.value: values[PREFIX + kind.value] for kind in OccurrenceKind if values[PREFIX + kind.value]}
        return Wishes(
            quiet=QuietHours(
                time_zone=values["time_zone"],
                start=values["quiet_from"],
                end=values["quiet_until"],
                weekends=values["quiet_weekends"],
            ),
            alarms_at_any_hour=values["alarms_at_any_hour"],
            digest_only=values["digest_only"],
            channels={kind: way for kind, way in chosen.items() if way != Channel.EMAIL},
            webhook=self.webhooks.get(values.get("webhook", "")),
        )


def initial_of(recipient: Recipient) -> dict[str, Any]:
    """Return what the form shows of a recipient."""
    kinds = {PREFIX + kind.value: channel_of(recipient.channels, kind).value for kind in OccurrenceKind}
    names = ("time_zone", "quiet_from", "quiet_until", "quiet_weekends", "alarms_at_any_hour", "digest_only")
    return {**{name: getattr(recipient, name) for name in names}, **kinds, "webhook": recipient.webhook_id or ""}


class FollowForm(forms.Form):
    """An address that is to hear of something."""

    email = forms.EmailField(label="E-mail address", max_length=254, help_text="Needs no account here.")
