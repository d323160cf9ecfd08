"""Addresses: targeting, overrides and redirects."""

import pytest

from assignment.engine.sdk.context import Context
from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.overrides import query_string_override
from assignment.engine.sdk.redirects import redirect_of, with_parameters_of
from assignment.engine.sdk.urls import is_targeted

PAGE = "https://www.Example.com/Shop/item?color=red&size=4#top"


@pytest.mark.parametrize(
    ("kind", "pattern", "expected"),
    [
        ("simple", "/shop/item", True),
        ("simple", "/shop/item/", True),
        ("simple", "shop/item", True),
        ("simple", "/shop", False),
        ("simple", "/shop/*", True),
        ("simple", "/*/item", True),
        ("simple", "*", True),
        ("simple", "http://www.example.com/shop/item", True),
        ("simple", "www.example.com/shop/item", True),
        ("simple", "*.example.com/shop/item", True),
        ("simple", "example.com/shop/item", False),
        ("simple", "/shop/item?color=red", True),
        ("simple", "/shop/item?size=*&color=r*d", True),
        ("simple", "/shop/item?color=blue", False),
        ("simple", "/shop/item?brand=x", False),
        ("simple", "/shop/item#top", True),
        ("simple", "/shop/item#end", False),
        ("simple", "/shop.item", False),
        ("simple", "*/item", True),
        ("simple", "*/shop/*", True),
        ("simple", "www.example.com:443/shop/item", True),
        ("simple", "www.example.com:8443/shop/item", False),
        ("simple", "/shop/./sub/../item", True),
        ("simple", "/shop/item?color=red&color=blue", False),
        ("regex", r"^https://www\.example\.com/", True),
        ("regex", r"^https://www\.Example\.com/", False),
        ("regex", r"size=4#top$", True),
        ("regex", r"^/Shop/item\?color=red", True),
        ("regex", r"^/shop", False),
        ("regex", "[", False),
        ("newer", "/shop/item", False),
        ("simple", None, False),
        ("simple", "http://[", False),
    ],
)
def test_target__page__matches_by_host_path_parameters_and_fragment(kind, pattern, expected):
    assert is_targeted(PAGE, [{"include": True, "type": kind, "pattern": pattern}], Effort()) is expected


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([], False),
        ([(False, "/other")], True),
        ([(False, "/shop/*"), (True, "*")], False),
        ([(True, "/other"), (True, "/shop/*")], True),
        ([(True, "/other")], False),
    ],
)
def test_targets__exclusion__wins(targets, expected):
    rules = [{"include": include, "type": "simple", "pattern": pattern} for include, pattern in targets]
    assert is_targeted(PAGE, rules, Effort()) is expected


@pytest.mark.parametrize("url", ["http://[::1/", "http://x/\ud800"])
def test_targets__address_that_is_none__is_no_page(url):
    assert not is_targeted(url, [{"include": True, "type": "simple", "pattern": "*"}], Effort())


@pytest.mark.parametrize(
    ("page", "pattern", "expected"),
    [
        ("", "*", True),
        ("", "/", True),
        ("", "/shop", False),
        ("", "https://www.example.com/*", False),
        ("/shop/item?a=1", "/shop/item?a=1", True),
        ("shop/item", "/shop/*", True),
        ("//www.example.com/shop", "www.example.com/shop", True),
        ("https://www.example.com", "https://www.example.com/", True),
        ("https://www.example.com/a b/é", "/a%20b/*", True),
        ("http://www.example.com:80/", "http://www.example.com/", True),
        ("http://www.example.com:8080/", "http://www.example.com/", False),
        ("https://user@www.example.com/", "www.example.com", True),
        ("https://www.example.com/a/../b", "/b", True),
        ("https://www.example.com/a/b/..", "/a/", True),
        ("https://www.example.com/../b", "/b", True),
        ("https://www.example.com/a\\b", "/a/b", True),
        ("https://www.example.com/?q=x%20y", "/?q=x+y", True),
        ("https://www.example.com/?q=", "/?q=", True),
        ("https://www.example.com/", "/?q=", True),
        ("https://www.example.com/?q=1&q=2", "/?q=2", False),
        ("https://www.example.com/shop", "/shop#", True),
        ("https://www.example.com/(a)+b", "/(a)+b", True),
    ],
)
def test_target__address_as_a_browser_shows_it__is_compared(page, pattern, expected):
    assert is_targeted(page, [{"include": True, "type": "simple", "pattern": pattern}], Effort()) is expected


def test_target__expression__sees_the_address_without_its_origin_too():
    for pattern in (r"^/shop\?a=1#top$", r"^https://www\.example\.com/shop\?a=1#top$"):
        page = "HTTPS://WWW.example.com:443/shop?a=1#top"
        assert is_targeted(page, [{"type": "regex", "pattern": pattern}], Effort())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("k=0", 0),
        ("k=1", 1),
        ("k=2", None),
        ("k=-1", None),
        ("k=1.0", None),
        ("k=", None),
        ("k=²", None),
        ("k=1&k=0", 1),
        ("K=1", None),
        ("x=1", None),
        ("k=" + "9" * 5000, None),
        ("k=%31", 1),
        ("#?k=1", None),
    ],
)
def test_query_string__only_an_existing_index__chooses(query, expected):
    assert query_string_override("k", "http://x/?" + query, 2) == expected


@pytest.mark.parametrize(
    ("page", "to", "expected"),
    [
        ("http://x/?a=1", "http://y/", "http://y/?a=1"),
        ("http://x/?a=1&b=2", "http://y/?b=3#end", "http://y/?b=3&a=1#end"),
        ("http://x/", "http://y/?b=3", "http://y/?b=3"),
        ("http://x/?a=b%20c", "/new", "/new?a=b+c"),
        ("http://x/?a=1", "http://[/", "http://[/"),
        ("http://x/?a=1&a=2&b=&c", "http://y/", "http://y/?a=1&b=&c="),
        ("http://x/?a=1", "http://Y.example", "http://y.example/?a=1"),
        ("http://x/", "http://y", "http://y/"),
        ("http://x/?a=1", "http://y/?b=x%20y&b=2#end", "http://y/?b=x+y&b=2&a=1#end"),
        ("http://x/?a=*~é", "http://y/", "http://y/?a=*%7E%C3%A9"),
        ("http://x/?A=1", "http://y/?a=2", "http://y/?a=2&A=1"),
    ],
)
def test_redirect__parameters_of_the_page__are_kept_unless_the_target_sets_them(page, to, expected):
    assert with_parameters_of(page, to) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"weights": [0, 1]}, {"inExperiment": True, "urlRedirect": "http://y/", "urlWithParams": "http://y/"}),
        ({"weights": [1, 0]}, {"inExperiment": True, "urlRedirect": "", "urlWithParams": ""}),
        ({"coverage": 0}, {"inExperiment": False, "urlRedirect": "", "urlWithParams": ""}),
    ],
)
def test_redirect__unit__goes_where_its_variation_says(change, expected):
    experiment = {"key": "e", "variations": [{}, {"urlRedirect": "http://y/"}], **change}
    context = Context(attributes={"id": "1"}, url="http://x/?a=1")
    assert redirect_of(context, experiment).as_json() == expected
