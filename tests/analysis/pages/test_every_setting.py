"""Every page there is, for people who read it in colours, with spacing, or at a size of their own."""

import pytest

from tests import chromium
from tests.analysis.pages import kept_site, own_settings
from tests.analysis.pages.every_page import told_apart

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_pages__all_of_them__keep_their_signs_and_words_in_colours_spacing_and_size_of_ones_own(
    answers, parts, monkeypatch
):
    monkeypatch.setattr(chromium, "SECONDS", 1100)
    wrong: list[str] = []
    with kept_site.served(answers, parts) as site, chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(own_settings.SCRIPTS)
        chromium.listen(page, wrong)
        for address in told_apart(answers):
            page.goto(site + address, wait_until="networkidle")
            wrong += [*own_settings.in_forced_colours(page), *own_settings.with_room(page)]
    assert wrong == [], "\n".join(wrong)


FAULTY = """<!doctype html><html lang="en"><style>
body { width: 900px; } .btn { border: 0; background: teal; } [aria-current] { background: gold; }
.dot { display: block; width: 9px; height: 9px; background: teal; } .low { height: 1.2em; overflow: hidden; }
.after::after { content: ""; display: block; width: 9px; height: 9px; background: linear-gradient(teal, navy); }
.upon { position: absolute; top: 0; } .tight { width: 4em; height: 1em; } svg { width: 9px; } .wide { width: 1400px; }
</style><body><p>Words that lie beneath</p><p class="upon">Words that lie on them</p>
<i class="dot"></i><b class="after">After</b><a class="btn" href="#c">Do it</a>
<ul><li><a href="#a" aria-current="page">This</a></li><li><a href="#b">That</a></li></ul>
<svg viewBox="0 0 9 9"><rect width="9" height="9" style="fill: #0a0a0a"/></svg>
<p class="low">Words enough for two lines and more of them, so that they are cut off where they go on.</p>
<button class="tight">Far too many words</button><div class="wide">Wide</div></body></html>"""
SAID = [
    "its ground is gone", "::after is gone", "has no edge", "is drawn in", "looks like the others", "is wider than",
    "cuts its words off", "too small for its words", "lies on",
]  # fmt: skip


def test_settings__finds_what_it_is_there_to_find():
    with chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(own_settings.SCRIPTS)
        page.route("http://faulty.invalid/", lambda route: route.fulfill(body=FAULTY, content_type="text/html"))
        page.goto("http://faulty.invalid/")
        found = [*own_settings.in_forced_colours(page), *own_settings.with_room(page)]
    missed = [words for words in SAID if words not in "\n".join(found)]
    assert missed == [], "\n".join(found)
