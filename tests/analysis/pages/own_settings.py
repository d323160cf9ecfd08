"""What a page is to people who read it in colours, with spacing, or at a size of their own; asked of a browser."""

from playwright.sync_api import Page

from config.paths import REPOSITORY

SCRIPTS = (REPOSITORY / "tests" / "analysis" / "pages" / "own_settings.js").read_text()
"""The functions below, for every page that a browser opens."""
SPACED = (1280, 390, 320)
"""Widths at which words stand further apart (WCAG 1.4.12)."""
ZOOMED = 640
"""The width that is left of 1280 at 200 % (WCAG 1.4.4), with the usual spacing."""


def in_forced_colours(page: Page) -> list[str]:
    """Say what is no longer to be seen when the machine's few colours take the place of the page's own."""
    page.evaluate("own.remember()")
    wrong: list[str] = []
    for scheme in ("dark", "light"):
        page.emulate_media(forced_colors="active", color_scheme=scheme)  # type: ignore[arg-type]
        wrong += [f"{page.url}: forced, {scheme}: {one}" for one in page.evaluate("own.forced()")]
    page.emulate_media(forced_colors="none", color_scheme="light")
    return wrong


def with_room(page: Page) -> list[str]:
    """Say which words are cut off or lie on each other, also at twice the size and with more space between them."""
    page.evaluate("for (const one of document.querySelectorAll('details:not(.menu)')) one.open = true")
    wrong: list[str] = []
    for width in (ZOOMED, *SPACED):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("on => own.space(on)", width != ZOOMED)
        page.evaluate("own.settled()")
        wrong += [f"{page.url}: at {width}: {one}" for one in page.evaluate("own.cut()")]
    page.set_viewport_size({"width": 1280, "height": 900})
    return wrong
