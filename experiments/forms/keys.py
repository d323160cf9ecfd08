"""The form of an API key."""

from typing import Any

from django import forms

from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery

SCOPES = {
    Scope.EVALUATE: "Evaluate: ask which variant a unit gets",
    Scope.INGEST: "Ingest: send exposures and events",
    Scope.READ: "Read: fetch results and set-ups",
    Scope.WRITE: "Write: create and change experiments, flags and segments",
    Scope.MEMBERS: "Members: invite, change roles, remove; only admins can make such a key",
}
ENVIRONMENTS = {
    Environment.PRODUCTION: "Production: real people; the only one that is analysed",
    Environment.STAGING: "Staging: drafts are served as if they ran, and nothing is analysed",
    Environment.DEVELOPMENT: "Development: like staging",
}
DELIVERIES = {
    Delivery.PLAIN: "Plain: the SDK gets the whole definition and decides itself",
    Delivery.ENCRYPTED: "Encrypted: the same, readable with a second key alone",
    Delivery.REMOTE: "Remote: the SDK sends attributes and gets answers; nobody can read the targeting",
}


class KeyForm(forms.Form):
    """A name to remember the key by, where it is used, and what it opens."""

    name = forms.CharField(max_length=120, help_text="Who will use it, for example web shop.")
    environment = forms.ChoiceField(
        choices=[(one.value, text) for one, text in ENVIRONMENTS.items()],
        widget=forms.RadioSelect,
        initial=Environment.PRODUCTION.value,
        required=False,
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(scope.value, text) for scope, text in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.EVALUATE.value, Scope.INGEST.value],
    )
    delivery = forms.ChoiceField(
        label="What a GrowthBook SDK gets with it",
        choices=[(one.value, text) for one, text in DELIVERIES.items()],
        widget=forms.RadioSelect,
        initial=Delivery.PLAIN.value,
        required=False,
        help_text="It matters for these SDKs alone; OpenFeature providers always ask the server.",
    )

    def __init__(self, posted: Any = None, *, is_admin: bool = False) -> None:
        super().__init__(posted)
        if not is_admin:  # a key must not open what its maker may not do
            self.fields["scopes"].choices = [  # type: ignore[attr-defined]
                (scope.value, text) for scope, text in SCOPES.items() if scope is not Scope.MEMBERS
            ]

    def clean(self) -> dict[str, Any]:
        """Fall back to the usual choices where a client leaves them out."""
        values = super().clean() or {}
        values["environment"] = values.get("environment") or Environment.PRODUCTION.value
        values["delivery"] = values.get("delivery") or Delivery.PLAIN.value
        return values
