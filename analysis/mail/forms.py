"""The form that says who gets results when."""

from typing import Any

from django import forms

from analysis.mail.digests import WEEKDAYS
from analysis.mail.schedule import Rhythm, find_zone
from analysis.models import Digest


class DigestForm(forms.Form):
    """A recipient and a schedule on the recipient's own clock."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="Needs no account here. An address that is listed already gets the new schedule.",
    )
    cadence = forms.ChoiceField(
        label="How often",
        choices=[
            ("weekly", "Every week"),
            ("daily", "Every day"),
            ("monthly", "Every month"),
            ("milestones", "At milestones"),
        ],
        help_text="Milestones: a start, an answer, an end, a shipment.",
    )
    weekday = forms.TypedChoiceField(
        label="Weekday",
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        required=False,
        help_text="Counts for weekly e-mails.",
    )
    day_of_month = forms.TypedChoiceField(
        label="Day of the month",
        choices=[(day, str(day)) for day in range(1, 32)],
        coerce=int,
        required=False,
        help_text="Counts for monthly e-mails; in a shorter month it is the last day.",
    )
    hour = forms.TypedChoiceField(
        label="Hour",
        choices=[(hour, f"{hour:02d}:00") for hour in range(24)],
        coerce=int,
        help_text="On the clock of the time zone.",
    )
    time_zone = forms.CharField(
        label="Time zone",
        max_length=60,
        help_text="For example Europe/Berlin. Daylight saving is followed.",
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_time_zone(self) -> str:
        """Return the name, if there is such a time zone."""
        name = str(self.cleaned_data["time_zone"]).strip()
        try:
            find_zone(name)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return name

    def clean(self) -> dict[str, Any]:
        """Ask for a weekday where the digest is weekly."""
        values = super().clean() or self.cleaned_data
        if values.get("cadence") == Digest.Cadence.WEEKLY and values.get("weekday") in ("", None):
            self.add_error("weekday", "Choose the day of the week on which the e-mail goes out.")
        return values

    def rhythm(self) -> Rhythm:
        """Return the chosen schedule of a valid form."""
        values = self.cleaned_data
        cadence = values["cadence"]
        return Rhythm(
            cadence=cadence,
            weekday=values["weekday"] if cadence == Digest.Cadence.WEEKLY else 0,
            day_of_month=(values["day_of_month"] or 1) if cadence == Digest.Cadence.MONTHLY else 1,
            hour=values["hour"],
            time_zone=values["time_zone"],
        )
