"""What each metric of a result counts, and the same comparison read in other ways, as the page says it."""

import pytest
from django.urls import reverse

from analysis.pages.counting import narrower
from analysis.results.schema import Beside
from tests import builders

PLAIN = Beside(
    way="unadjusted", value=0.1271, control_value=0.1204, difference=0.0067, difference_interval=(0.002, 0.0114),
    lift=0.05, lift_interval=(0.01, 0.09), p_value=0.011, standard_error=0.0024,
)  # fmt: skip


def page_of(client, shop, purchase, **fields):
    made = builders.experiment(shop, primary=purchase, adjusted=True)
    metric = builders.metric_result(
        "click-through-rate",
        builders.comparison(**fields),
        definition="Share of users with a Click.",
        version=2,
        notes=["Counts whoever has been in for 7 days: 900 of 1,000 users so far."],
    )
    builders.snapshot(made, builders.results(made, metrics=[metric]))
    return client.get(reverse("experiment_results", args=["shop", made.key])).content.decode()


def test_page__of_an_adjusted_metric__has_the_plain_reading_beside_and_says_which_the_curve_is(
    client_of_alice, shop, purchase
):
    page = page_of(client_of_alice, shop, purchase, variance_reduction=0.2, beside=[PLAIN])
    assert "narrower by as much as 25% more units would make it" in page
    assert "Not adjusted: +5.0% (+1.0% to +9.0%), p 0.011." in page
    assert "Share of users with a Click." in page
    assert "900 of 1,000 users so far" in page
    assert "this curve is not" in page


def test_page__of_a_plain_metric__says_nothing_of_an_adjustment(client_of_alice, shop, purchase):
    page = page_of(client_of_alice, shop, purchase)
    assert "this curve is not" not in page
    assert "Not adjusted" not in page


@pytest.mark.parametrize(("reduction", "said"), [(0.5, "100% more"), (-0.1, "almost nothing"), (0.001, "almost")])
def test_narrower__says_the_gain_in_units(reduction, said):
    assert said in narrower(reduction)
