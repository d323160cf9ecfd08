import json

import plotly.graph_objects as go
import pytest
from django.core.serializers.json import DjangoJSONEncoder

from analysis.charts.depth import spread_figure, wearing_figure
from analysis.charts.figures import effect_figure, exposures_figure
from analysis.charts.scatter import scatter_figure
from analysis.charts.versions import VersionPoint, versions_figure
from analysis.charts.waterfall import waterfall_figure
from analysis.programme.schema import Bar, Line, Point
from analysis.results.schema import EffectPoint, EffectSeries
from tests import builders
from tests.builders import T0


def test_effect__draws_a_band_and_a_line_a_treatment():
    series = [builders.effect_series(variant=key) for key in ("b", "c")]
    figure = effect_figure(series, {"b": "Ranker B", "c": "Ranker C"})
    assert [trace.get("name") for trace in figure["data"]] == [None, None, "Ranker B", None, None, "Ranker C"]
    assert figure["data"][2]["line"]["color"] == "var(--series-1)"
    assert figure["data"][5]["line"]["color"] == "var(--series-2)"


def test_effect__days_that_cannot_be_computed__are_left_out():
    empty = EffectPoint(
        day=T0.date(), n=0, control_n=0, lift=None, lift_interval=None, difference=None, difference_interval=None
    )
    unbounded = EffectPoint(
        day=T0.date(), n=5, control_n=5, lift=0.2, lift_interval=(None, None), difference=None, difference_interval=None
    )
    series = EffectSeries(metric="m", variant="b", points=[empty, unbounded, *builders.effect_series(days=3).points])
    assert len(effect_figure([series], {})["data"][2]["x"]) == 3


def test_exposures__the_control_is_the_first_and_neutral_stack():
    made = builders.results()
    figure = exposures_figure(made.exposures_per_day, made.variants)
    assert [(bar["name"], bar["marker"]["color"]) for bar in figure["data"]] == [
        ("Control", "var(--series-0)"), ("Treatment", "var(--series-1)"),
    ]  # fmt: skip


def test_figures__are_plain_json_without_colours_of_their_own():
    made = builders.results()
    text = json.dumps(exposures_figure(made.exposures_per_day, made.variants))
    assert "NaN" not in text
    assert "#" not in text


def test_figures__names_and_hover_texts__carry_no_markup_that_needs_inline_styles():
    figure = effect_figure([builders.effect_series(variant="b")], {"b": "<b>Bold & new</b>"})
    texts = [trace.get(part, "") for trace in figure["data"] for part in ("name", "hovertemplate")]
    assert "&lt;b>Bold &amp; new&lt;/b>" in texts
    assert not any("<" in text for text in texts)


POINT = Point(
    experiment="idea-1", name="Idea 1", x=0.1, y=0.05, xx=0.01, xy=0.002, yy=0.02, weight=1.0, units=9, imported=False
)
LINE = Line(xs=[0.0, 0.1], ys=[0.0, 0.1], low=[-0.1, 0.0], high=[0.1, 0.2], naive_slope=0.9, naive_intercept=0.0)


@pytest.mark.parametrize(
    "figure",
    [
        effect_figure([builders.effect_series(), builders.effect_series(days=1)], {}),
        scatter_figure([POINT], LINE, ("Clicks", "Revenue"), "/results/KEY/"),
        exposures_figure(builders.results().exposures_per_day, builders.results().variants),
        spread_figure(["0", "1 to 2"], [("Control", [0.9, 0.1]), ("Treatment", [0.8, 0.2])]),
        versions_figure([VersionPoint(version="v1", value=0.4, low=0.3, high=None, said="0.4")]),
        waterfall_figure([Bar(name="Ranker", value=0.02, interval=(0.0, 0.04), experiment="ranker")], "/results/KEY/"),
        wearing_figure([("Treatment", [(0, 0.1, 0.05), (1, 0.2, 0.05)])], ".2%"),
    ],
)
def test_figures__written_without_plotlys_objects__are_what_plotly_takes(figure):
    go.Figure(json.loads(json.dumps(figure, cls=DjangoJSONEncoder)))  # refuses what it does not know
