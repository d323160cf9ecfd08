"""The demo as ``make run`` starts it: its stories, the README's commands, and the picture on the README's top."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD
from config.stack.running import RunningStack
from tests.docs import guide_pictures
from tests.e2e.conftest import ARTEFACTS, LOOKS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
HOME = "/p/demo-shop/"
PICTURES = ROOT / "docs" / "images" if os.environ.get("TRUELIFT_GUIDE") else ARTEFACTS
TOP = ("search-ranker-v8-clicks", "light")
"""The README begins with this page; `make guide` keeps its picture."""
EVIDENCE = {
    "": "has meant a gain in revenue per shopper",
    "holdbacks/": "is gone: the world changed",
}
"""What the pages across experiments answer from the demo's archive and its launch that did not last."""


def results_of(demo: RunningStack, key: str, experiment: str) -> dict[str, object]:
    answer = httpx.get(
        f"{demo.base_url}/api/v1/experiments/{experiment}/results", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("experiment", "decision", "words"),
    [
        ("search-ranker-v8", "ship", "revenue per shopper"),
        ("search-ranker-v8-clicks", "look before you ship", "the gain stopped at clicks"),
        ("search-ranker-v9-transformer", "look before you ship", "beyond its limit"),
        ("basket-recommender-v3", "not trustworthy", "The split is broken"),
    ],
)
def test_demo__tells_its_stories(demo, key, experiment, decision, words):
    verdict = results_of(demo, key, experiment)["verdict"]
    assert (verdict["decision"], words in verdict["headline"]) == (decision, True), verdict


def test_demo__is_fed_live(demo, key):
    def shoppers() -> int:
        variants = results_of(demo, key, "live-ranker")["variants"]
        return sum(variant["units"] for variant in variants)

    before, deadline = shoppers(), time.monotonic() + 60
    while shoppers() <= before:
        assert time.monotonic() < deadline, f"still {before} shoppers; the feed says: {demo.log('live')[-500:]}"
        time.sleep(3)
        # The schedule looks at an experiment of this age every five minutes; a person who cannot wait asks.
        httpx.post(
            f"{demo.base_url}/api/v1/experiments/live-ranker/refresh", headers={"Authorization": f"Bearer {key}"}
        )


def test_recompute__finds_no_difference_in_the_demo(demo):
    assert " 0 differences" in demo.manage("recompute", "--check")


BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
CALLS = [
    (block, BLOCKS[place + 1][1] if place + 1 < len(BLOCKS) and BLOCKS[place + 1][0] == "json" else None)
    for place, (language, block) in enumerate(BLOCKS)
    if language == "sh" and "curl" in block
]


@pytest.mark.parametrize(("block", "printed"), CALLS)
def test_readme__curl_commands_work(demo, block, printed):
    script = ("KEY=$(cat .truelift/demo-api-key)\n" + block).replace("http://127.0.0.1:8000", demo.base_url)
    script = script.replace(".truelift/", f"{demo.home}/").replace("curl -s", "curl -s --fail-with-body")
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    if printed:
        assert shape(done.stdout) == shape(printed)


def shape(answer: str) -> str:
    """Keep what an answer says and drop which of two variants, and so which model, this shopper got."""
    return re.sub(r"control|treatment|ranker v[89]", "VARIANT", answer.strip())


def test_readme__openfeature_program_works(demo, key):
    program = next(block for language, block in BLOCKS if language == "python")
    environment = {**os.environ, "TRUELIFT_URL": demo.base_url, "TRUELIFT_KEY": key}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"shopper-2 gets (control|treatment)", done.stdout)


def test_demo__answers_in_five_seconds_in_every_look(demo, browser: Browser):
    errors: list[str] = []
    for look, options in LOOKS.items():
        context = browser.new_context(base_url=demo.base_url, **options)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto("/sign-in/")
        page.get_by_label("E-mail address").fill(DEMO_EMAIL)
        page.get_by_label("Password").fill(DEMO_PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The split is broken").first).to_be_visible()
        ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTEFACTS / f"demo-home-{look}.png", full_page=True)
        for story in ("search-ranker-v8", "search-ranker-v8-clicks", "basket-recommender-v3", "live-ranker"):
            page.goto(f"{HOME}experiments/{story}/results/", wait_until="networkidle")
            expect(page.locator(".verdict h2")).to_be_in_viewport()
            if look != "phone":  # reason, next step, and how far the gain came, all on the first screen
                for said in (".verdict h2 + p", ".verdict p:has(> b)", ".way h2"):
                    expect(page.locator(said)).to_be_in_viewport(ratio=1)
            whole = page.screenshot(path=ARTEFACTS / f"demo-{story}-{look}.png", full_page=True)
            if (story, look) == TOP:
                guide_pictures.keep(PICTURES, "results-light", guide_pictures.cut(whole, 1420))
            page.screenshot(path=ARTEFACTS / f"demo-{story}-{look}-first-view.png")
        for question, answer in EVIDENCE.items():
            page.goto(f"{HOME}evidence/{question}", wait_until="networkidle")
            expect(page.locator(".verdict h2")).to_contain_text(answer)
            expect(page.locator(".verdict h2")).to_be_in_viewport()
            page.screenshot(path=ARTEFACTS / f"demo-evidence-{question.strip('/') or 'proxies'}-{look}.png")
        context.close()
    assert errors == []
