"""The pictures of the user guide: which page each shows, and how much of it."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from config.paths import REPOSITORY
from tests.analysis.pages.test_looks import HOST

GUIDE = REPOSITORY / "docs" / "user-guide"
IMAGES = GUIDE / "images"
HOME = "/p/shop/"
WIDTH = 1100
CHARTED = ".js-plotly-plot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page, its part that is shown, how much of it from the top, and what it is waited for."""

    at: str
    part: str = "main"
    height: int = 760
    wait: str = "main, body"


PICTURES: dict[str, Picture] = {
    "home": Picture(at=HOME),
    "kinds": Picture(at=HOME + "new-experiment/"),
    "set-up-why": Picture(at=HOME + "experiments/season-ranker/set-up/why/"),
    "set-up-who": Picture(at=HOME + "experiments/season-ranker/set-up/who/"),
    "set-up-what": Picture(at=HOME + "experiments/season-ranker/set-up/what/"),
    "set-up-how": Picture(at=HOME + "experiments/season-ranker/set-up/how/", height=1000),
    "checklist": Picture(at=HOME + "experiments/season-ranker/"),
    "result-ship": Picture(at=HOME + "experiments/purchase-ranker/results/", height=1000),
    "result-clicks": Picture(at=HOME + "experiments/click-ranker/results/", wait=CHARTED),
    "result-guardrail": Picture(at=HOME + "experiments/transformer/results/"),
    "result-broken": Picture(at=HOME + "experiments/basket/results/"),
    "ship": Picture(at=HOME + "experiments/purchase-ranker/ship/"),
    "conclude": Picture(at=HOME + "experiments/transformer/conclude/"),
    "metrics": Picture(at=HOME + "metrics/"),
    "metric": Picture(at=HOME + "metrics/new/", height=900),
    "models": Picture(at=HOME + "models/"),
    "evidence": Picture(at="/p/past/evidence/", height=900, wait=CHARTED),
    "alerts": Picture(at=HOME + "alerts/"),
    "mail": Picture(at="mail", part="body", height=1100),
}
"""``mail`` is the body of the first digest. The guide shows each of them, and no other."""


def take(page: Page, picture: Picture, at: str) -> bytes:
    """Return a picture as WebP of at most the wanted height."""
    page.goto(HOST + at, wait_until="networkidle")
    page.locator(picture.wait).first.wait_for(state="attached")
    return cut(page.locator(picture.part).first.screenshot(), picture.height)


def cut(shot: bytes, height: int) -> bytes:
    """Return the upper part of a picture as WebP."""
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    out = io.BytesIO()
    image.crop((0, 0, image.width, min(image.height, height))).save(out, "WEBP", quality=82, method=6)
    return out.getvalue()


def keep(folder: Path, name: str, content: bytes) -> None:
    """Write a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.webp").write_bytes(content)
