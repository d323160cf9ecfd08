"""Every part of the pages in one place, for people who build them and for the browser tests."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from analysis.pages.chain import strips
from analysis.pages.over_time import effect_chart, exposures_chart
from analysis.pages.samples import sample
from analysis.pages.table import table
from experiments.forms.errors import summary

TOKENS = ["page", "surface", "sunken", "line", "edge", "text", "muted", "accent", "good", "bad", "warn", "neutral"]


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="A hint stands between the label and the input.")
    weight = forms.DecimalField(label="Weight, %", max_value=100, help_text="From 0 to 100.")
    kind = forms.ChoiceField(label="Choose one", choices=[("a", "The first"), ("b", "The second")])
    several = forms.MultipleChoiceField(
        label="Choose some", choices=[("a", "The first"), ("b", "The second")], widget=forms.CheckboxSelectMultiple
    )


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every part with sample words and numbers; it holds nobody's data, so it needs no sign-in."""
    form = SampleForm({"name": "", "weight": "120", "kind": "a", "several": ["b"]})
    result, broken = sample(), sample(trustworthy=False)
    context = {
        "result": result,
        "broken": broken,
        "table": table(result),
        "withheld": table(broken),
        "strips": strips(result),
        "effect": effect_chart(result, ""),
        "exposures": exposures_chart(result),
        "form": form,
        "errors": summary([form]),
        "tokens": TOKENS,
    }
    return render(request, "styleguide.html", context)
