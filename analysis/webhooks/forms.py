"""What people fill in about a webhook."""

from collections.abc import Sequence
from typing import Any

from django import forms

from analysis.models import Webhook
from analysis.notices.kinds import TITLES, OccurrenceKind
from analysis.webhooks.keeping import Wanted
from experiments.models import Experiment

EVENTS = [(kind.value, TITLES[kind]) for kind in OccurrenceKind]
ADDRESS_HELP = (
    "Slack: the address of an incoming webhook. Teams: that of a workflow “When a Teams webhook request is received”. "
    "Signed JSON: any address of yours."
)


class WebhookForm(forms.Form):
    """A webhook's address, and what goes there."""

    name = forms.CharField(label="Name", max_length=80, help_text="For example the channel: #experiments.")
    kind = forms.ChoiceField(label="Format", choices=Webhook.Kind.choices)
    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text=ADDRESS_HELP,
        widget=forms.TextInput(attrs={"type": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    kinds = forms.MultipleChoiceField(
        label="Only these events",
        choices=EVENTS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all of them.",
    )
    experiment = forms.ChoiceField(label="Only this experiment", required=False)
    is_personal = forms.BooleanField(
        label="One person's own",
        required=False,
        help_text="It gets only what people choose to have sent there on their own page, within their quiet hours.",
    )

    def __init__(
        self, posted: Any = None, *, experiments: Sequence[Experiment], kept: bool = False, **options: Any
    ) -> None:
        super().__init__(posted, **options)
        self.by_key = {one.key: one for one in experiments}
        choices = [("", "All"), *((key, one.name) for key, one in self.by_key.items())]
        self.fields["experiment"] = forms.ChoiceField(label="Only this experiment", choices=choices, required=False)
        self.order_fields(["name", "kind", "url", "experiment", "kinds", "is_personal"])
        if kept:
            del self.fields["kind"]
            self.fields["url"].required = False
            self.fields["url"].label = "New address"
            self.fields["url"].help_text = "Empty keeps the address that it has, which nobody can see again."

    def wanted(self) -> Wanted:
        """Return what a valid form says."""
        values = self.cleaned_data
        return Wanted(
            name=values["name"].strip(),
            url=values["url"],
            kinds=values["kinds"],
            experiment=self.by_key.get(values["experiment"]),
            is_personal=values["is_personal"],
        )
