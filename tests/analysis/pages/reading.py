"""What a page is to people who do not look at it, do not point, or have no script; asked of a browser."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import CDPSession, Page

from config.paths import REPOSITORY

SCRIPTS = (REPOSITORY / "tests" / "analysis" / "pages" / "reading.js").read_text()
"""The functions below, for every page that a browser opens."""
JUMP = 0.02
"""How far a page may move by itself: a fifth of what is still called good (0.1, web.dev, Cumulative Layout Shift)."""
CONTROLS = frozenset({
    "button", "checkbox", "combobox", "link", "listbox", "menuitem", "radio", "searchbox", "slider", "spinbutton",
    "switch", "tab", "textbox", "DisclosureTriangle",
})  # fmt: skip
LANDMARKS = frozenset({"banner", "complementary", "contentinfo", "form", "main", "navigation", "region", "search"})
PICTURES = frozenset({"image", "img", "graphics-document", "SvgRoot"})
STEPS = 12
"""How often Tab may stay within one element: a date has its day, month, year and calendar."""


def jumps(page: Page) -> list[str]:
    """Say what moved by itself while the page came together, if that is more than nobody sees."""
    found: list[tuple[float, str]] = page.evaluate("reading.shifts")
    total = sum(value for value, _ in found)
    if total < JUMP:
        return []
    value, node = max(found)
    return [f"{page.url}: moves by itself by {total:.3f}, most ({value:.3f}): {node}"]


def lost_without_script(page: Page) -> list[str]:
    """Say what a reader without script does not get."""
    return [f"{page.url}: {one}" for one in page.evaluate("reading.withoutScript()")]


def unannounced(page: Page) -> list[str]:
    """Say which parts change by themselves and tell nobody who cannot see it."""
    return [f"{page.url}: {one}" for one in page.evaluate("reading.unannounced()")]


def by_tab(page: Page) -> list[str]:
    """Go through a page by Tab: say what is not reached in turn, out of sight, without a mark, or a trap."""
    expected: int = page.evaluate("reading.begin()")
    wrong, reached, same, last = list[str](), set[int](), 0, None
    for _ in range(expected * STEPS + 50):
        page.keyboard.press("Tab")
        here: dict[str, Any] = page.evaluate("reading.here()")
        if here["at"] is None or (here["at"] == 0 and len(reached) > 1):
            break
        same = same + 1 if here["place"] == last else 0
        if same > STEPS and not here["frame"]:
            wrong.append(f"{here['is']} holds the focus")
            break
        if same == 0:
            wrong += [f"{here['is']} {fault}" for fault in here["faults"]]
        reached.add(here["at"])
        last = here["place"]
    missed = sorted(set(range(expected)) - reached)
    wrong += [f"{page.evaluate('n => reading.named(n)', number)} is not reached by Tab" for number in missed[:3]]
    return [f"{page.url}: {one}" for one in wrong]


def menus(page: Page) -> list[str]:
    """Open what opens over a page by keyboard: say what does not open, or does not give the focus back at Escape."""
    wrong: list[str] = []
    for number in range(page.evaluate("reading.menus().length")):
        for key in ("Enter", "Space"):
            page.evaluate("n => reading.menus()[n].focus()", number)
            page.keyboard.press(key)
            opened = page.evaluate("n => reading.isOpen(n)", number)
            page.keyboard.press("Escape")
            if not opened or not page.evaluate("n => reading.isBack(n)", number):
                wrong.append(f"{key} and Escape do not work on {page.evaluate('n => reading.nameOf(n)', number)}")
    return [f"{page.url}: {one}" for one in wrong]


def aloud(page: Page) -> list[str]:
    """Say what the tree that screen readers read lacks: names, headers, an order of headings."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    told = [one for one in nodes if not one.get("ignored")]
    wrong = [f"has no name: {_html(session, one)}" for one in _nameless(nodes)]
    session.detach()
    whole = [] if "/body/" in page.url else [*_headings(told), *_landmarks(told)]  # an e-mail is no page
    return [f"{page.url}: {one}" for one in [*wrong, *whole, *_tables(nodes)]]


def _html(session: CDPSession, node: dict[str, Any]) -> str:
    return str(session.send("DOM.getOuterHTML", {"backendNodeId": node["backendDOMNodeId"]})["outerHTML"])[:150]


def _role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def _name(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", "")).strip()


def _nameless(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    named = [one for one in nodes if _role(one) in PICTURES and _name(one)]
    drawn = {child for one in named for child in one.get("childIds", [])}
    for one in nodes:
        if one["nodeId"] in drawn:
            drawn.update(one.get("childIds", []))  # what a picture with a name is made of
        elif not one.get("ignored") and _role(one) in CONTROLS | PICTURES and not _name(one):
            yield one


def _headings(nodes: list[dict[str, Any]]) -> Iterator[str]:
    found = [(_level(one), _name(one)) for one in nodes if _role(one) == "heading"]
    levels = [level for level, _ in found]
    if levels.count(1) != 1:
        yield f"has {levels.count(1)} headings of the first level: {[name for level, name in found if level == 1]}"
    yield from (f"has an empty heading of level {level}" for level, name in found if not name)
    for before, (level, name) in zip(levels, found[1:], strict=False):
        if level > before + 1:
            yield f"jumps from level {before} to {level} at the heading “{name}”"


def _level(node: dict[str, Any]) -> int:
    return next((int(one["value"]["value"]) for one in node["properties"] if one["name"] == "level"), 2)


def _landmarks(nodes: list[dict[str, Any]]) -> Iterator[str]:
    count = Counter((_role(one), _name(one)) for one in nodes if _role(one) in LANDMARKS)
    del count["form", ""]  # a form is one only by its name
    yield from (f"has {many} landmarks {role} “{name}”" for (role, name), many in count.items() if many > 1)
    if count["main", ""] != 1:
        yield "has no main part"


def _tables(nodes: list[dict[str, Any]]) -> Iterator[str]:
    by_id = {one["nodeId"]: one for one in nodes}

    def below(node: dict[str, Any]) -> Iterator[str]:
        for child in node.get("childIds", []):
            if child in by_id:
                yield _role(by_id[child])
                yield from below(by_id[child])

    for one in nodes:
        if _role(one) == "table" and not one.get("ignored") and not {"columnheader", "rowheader"} & set(below(one)):
            yield f"has a table “{_name(one)}” without header cells"
