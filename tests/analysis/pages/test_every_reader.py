"""Every page there is, for people who do not look at it, do not point, or have no script; and none moves by itself."""

import pytest
from django.urls import reverse

from tests import chromium
from tests.analysis.pages import kept_site, reading
from tests.analysis.pages.every_page import told_apart

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

LATE = 0.15
"""Seconds after which a page's parts arrive: later than its first paint, as on a real connection."""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(chromium, "SECONDS", 1100)


@pytest.mark.parametrize("width", [1280, 390])
def test_pages__all_of_them__hold_still_while_their_parts_arrive(answers, parts, width):
    wrong: list[str] = []
    with kept_site.served(answers, parts, late=LATE) as site, chromium.launched() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.add_init_script(reading.SCRIPTS)
        chromium.listen(page, wrong)
        for address in told_apart(answers):
            page.goto(site + address, wait_until="networkidle")
            wrong += reading.jumps(page)
    assert wrong == [], "\n".join(wrong)


def test_pages__all_of_them__can_be_read_aloud_and_walked_by_tab(answers, parts):
    wrong: list[str] = []
    with kept_site.served(answers, parts) as site, chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(reading.SCRIPTS)
        chromium.listen(page, wrong)
        for address in told_apart(answers):
            page.goto(site + address, wait_until="networkidle")
            wrong += [*reading.aloud(page), *reading.unannounced(page)]
            wrong += [*reading.by_tab(page), *reading.menus(page)]
    assert wrong == [], "\n".join(wrong)


def test_pages__all_of_them__can_be_read_and_sent_without_script(answers, parts):
    wrong: list[str] = []
    with kept_site.served(answers, parts) as site, chromium.launched() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, java_script_enabled=False)
        page = context.new_page()
        for address in told_apart(answers):
            if address == reverse("styleguide"):
                continue  # its buttons are pieces to look at
            page.goto(site + address, wait_until="load")
            page.evaluate(reading.SCRIPTS)
            wrong += reading.lost_without_script(page)
    assert wrong == [], "\n".join(wrong)


FAULTY = """<!doctype html><html lang="en" data-script><style>
.covered { position: fixed; inset: 0; background: white; } .unmarked:focus { outline: none; }</style><body>
<main><h1>One</h1><h1>Another</h1><h3>Too deep</h3><button></button><svg><text y="9">a</text></svg>
<table border="1"><tr><td>1<td>2<td>3<tr><td>1<td>2<td>3<tr><td>1<td>2<td>3</table>
<a class="unmarked" href="#a">Unmarked</a><a tabindex="3" href="#b">Second</a><a tabindex="2" href="#c">First</a>
<input onkeydown="if (event.key === 'Tab') event.preventDefault()" aria-label="Trap"><a href="#never">Never</a>
<details class="menu"><summary>Menu</summary><p style="position: absolute">Opens</p></details>
<form><input name="a"><input name="b"></form><button type="button">Dead</button><section><i data-chart></i></section>
<div hx-get="/later" hx-trigger="load"></div><div hx-get="/here" hx-trigger="change"></div></main>
<nav>1</nav><nav>2</nav></body></html>"""
SAID = [
    "has 2 headings of the first level", "jumps from level 1 to 3", "has no name: <button>", "has no name: <svg",
    "without header cells", "has 2 landmarks navigation", "has no words to say so", "offers what does nothing",
    "a form that cannot be sent", "has nothing in place of", "a chart and not its numbers",
    "Escape do not work", "does not show it", "holds the focus", "is not reached by Tab",
    "is out of sight", "moves by itself",
]  # fmt: skip


def test_reading__finds_what_it_is_there_to_find():
    add = "html => document.body.insertAdjacentHTML('afterbegin', html)"
    with chromium.launched() as browser:
        page = browser.new_page()
        page.add_init_script(reading.SCRIPTS)
        page.route("http://faulty.invalid/", lambda route: route.fulfill(body=FAULTY, content_type="text/html"))
        page.goto("http://faulty.invalid/")
        found = [*reading.aloud(page), *reading.unannounced(page), *reading.lost_without_script(page)]
        found += [*reading.menus(page), *reading.by_tab(page)]
        page.evaluate(add, "<p class=covered>Over it all</p>")
        found += reading.by_tab(page)
        page.evaluate("document.querySelector('.covered').remove()")
        page.wait_for_timeout(700)
        page.evaluate(add, "<p style='height: 300px'>Late</p>")
        page.wait_for_timeout(300)
        found += reading.jumps(page)
    missed = [words for words in SAID if words not in "\n".join(found)]
    assert missed == [], "\n".join(found)
