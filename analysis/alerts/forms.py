"""How long to hear nothing, and why."""

from datetime import datetime, timedelta

from django import forms

DAYS = {"1": "for a day", "7": "for a week", "30": "for a month", "0": "for good"}


class WhyForm(forms.Form):
    """A word for the colleagues, if one is wanted."""

    why = forms.CharField(label="Note", max_length=300, required=False)


class MuteForm(WhyForm):
    """How long an alert is muted."""

    days = forms.ChoiceField(label="Mute", choices=list(DAYS.items()))

    def until(self, now: datetime) -> datetime | None:
        """Return the end of the mute of a valid form; None is never."""
        days = int(self.cleaned_data["days"])
        return now + timedelta(days=days) if days else None
