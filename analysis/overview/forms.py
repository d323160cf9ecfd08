"""The forms of the list: what is to be saved, and what is to be done with several experiments at once."""

from enum import StrEnum

from django import forms

from analysis.overview.saving import LONGEST_NAME
from experiments.domain.conclusions import clean_tags

MOST_AT_ONCE = 200
LONGEST_QUERY = 2000


class SaveForm(forms.Form):
    """A name for the list as it is shown."""

    name = forms.CharField(label="Name of this view", max_length=LONGEST_NAME)
    query = forms.CharField(required=False, max_length=LONGEST_QUERY, widget=forms.HiddenInput)
    shared = forms.BooleanField(label="All members see it", required=False)
    default = forms.BooleanField(label="Open it first for me", required=False)


class Bulk(StrEnum):
    """What can be done with several experiments: nothing of it changes what anybody is served."""

    TAG = "tag"
    ARCHIVE = "archive"
    RESTORE = "restore"


class BulkForm(forms.Form):
    """Which experiments, and what is to be done."""

    do = forms.ChoiceField(choices=[(one.value, one.value) for one in Bulk])
    tags = forms.CharField(required=False, max_length=400)
    query = forms.CharField(required=False, max_length=LONGEST_QUERY, widget=forms.HiddenInput)

    def clean_tags(self) -> list[str]:
        """Return the tags that were typed between commas."""
        return clean_tags(str(self.cleaned_data["tags"]))
