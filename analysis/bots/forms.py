"""The limits of a project's rule, as people type them."""

from django import forms

from analysis.bots.excluding import Limits
from analysis.bots.flagging import MANY_A_DAY, MANY_A_MINUTE

MOST = 10_000_000


class LimitsForm(forms.Form):
    """The most events that are believed of one unit. Below what is flagged, nothing is known of units."""

    most_a_day = forms.IntegerField(
        label="Most events in a day",
        min_value=MANY_A_DAY,
        max_value=MOST,
        help_text=f"At least {MANY_A_DAY:,}: units with fewer are not looked at.",
    )
    most_a_minute = forms.IntegerField(
        label="Most events in a minute",
        min_value=MANY_A_MINUTE,
        max_value=MOST,
        help_text=f"At least {MANY_A_MINUTE:,}.",
    )
    why = forms.CharField(label="Why", max_length=300, required=False)

    def limits(self) -> Limits:
        """Return the limits of a valid form."""
        return Limits(most_a_day=self.cleaned_data["most_a_day"], most_a_minute=self.cleaned_data["most_a_minute"])
