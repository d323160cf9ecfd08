"""A form that is sent again is answered as it was, waits for the first, and does without a cache that is down."""

import threading
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import redirect
from django.test import RequestFactory
from redis.exceptions import ConnectionError as BrokenCacheError

from experiments.pages import once

SENT = {"csrfmiddlewaretoken": "a" * 64, "name": "New layer"}


@pytest.fixture
def request_of(alice, client_of_alice):
    """Return a form as it arrives, with another token where it was drawn anew."""

    def request_of(**changes: str):
        made = RequestFactory().post("/p/shop/layers/", {**SENT, **changes})
        made.COOKIES = {name: one.value for name, one in client_of_alice.cookies.items()}
        made.user, made.session = alice, client_of_alice.session
        return made

    cache.clear()
    return request_of


class Counting:
    """A view that counts how often it acts."""

    def __init__(self, answer: HttpResponse) -> None:
        self.acts, self.answer = 0, answer

    def __call__(self, request: object) -> HttpResponse:
        self.acts += 1
        return self.answer


def test_form__sent_again__leads_where_the_first_led_and_acts_no_more(request_of):
    view = Counting(redirect("/p/shop/layers/7/"))
    door = once.ActOnceMiddleware(view)
    assert [door(request_of()).url for _ in range(3)] == ["/p/shop/layers/7/"] * 3
    assert view.acts == 1


def test_form__drawn_anew_or_refused__acts_again(request_of):
    view = Counting(HttpResponse(status=400))
    door = once.ActOnceMiddleware(view)
    for words in ({}, {}, {"csrfmiddlewaretoken": "b" * 64}):
        door(request_of(**words))
    assert view.acts == 3


def test_form__sent_again_while_the_first_is_done__waits_for_it(request_of, monkeypatch):
    name = once._name(request_of())
    cache.add(name, once._AT_WORK, 60)
    threading.Timer(0.2, cache.set, (name, "/done/", 60)).start()
    view = Counting(redirect("/twice/"))
    assert once.ActOnceMiddleware(view)(request_of()).url == "/done/"
    assert view.acts == 0


def test_form__without_a_cache__acts(request_of, monkeypatch):
    def broken(*_: object) -> bool:
        raise BrokenCacheError

    monkeypatch.setattr(once, "cache", SimpleNamespace(add=broken))
    view = Counting(redirect("/done/"))
    assert once.ActOnceMiddleware(view)(request_of()).url == "/done/"


def test_piece_of_a_page_and_a_program__are_never_held_back(request_of):
    piece, program = request_of(), request_of()
    piece.META["HTTP_HX_REQUEST"] = "true"
    program.COOKIES = {}
    assert [once._name(piece), once._name(program)] == ["", ""]
