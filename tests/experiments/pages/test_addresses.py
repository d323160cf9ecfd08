"""Addresses in lists are those that the URL conf gives."""

import pytest
from django.template import Context, Template
from django.urls import reverse

from experiments.pages.addresses import of_each


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("experiment_results", "one"), ("experiment_detail", "odd key & ümlaut's"), ("flag_rule_new", "a.b"),
        ("follow_remove", 7), ("metric_detail", "909090909"),
    ],
)  # fmt: skip
def test_address__is_that_of_the_url_conf(name, key):
    assert of_each(name, "shop")(key) == reverse(name, args=["shop", key])


def test_address__in_a_template__is_written_as_url_writes_it():
    both = Template("{% address name 'shop' key %}|{% url name 'shop' key %}")
    ours, plain = both.render(Context({"name": "experiment_results", "key": "a'b&c"})).split("|")
    assert ours == plain
