"""A person without a pointer: goes from one thing to the next by Tab, and writes where the focus is."""

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

MOST = 400
"""Steps of Tab to anything on a page."""


@dataclass(frozen=True, slots=True)
class Keyboard:
    page: Page

    def to(self, target: Locator) -> None:
        """Go on by Tab until this has the focus."""
        expect(target).to_be_visible()
        for _ in range(MOST):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {target} on {self.page.url}")

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.to(target)
        self.page.keyboard.press(key)

    def follow(self, name: str, *, exact: bool = False) -> None:
        self.press(self.page.get_by_role("link", name=name, exact=exact).first)

    def push(self, name: str, *, exact: bool = False) -> None:
        self.press(self.page.get_by_role("button", name=name, exact=exact).first)

    def write(self, label: str, words: str, nth: int = 0) -> None:
        """Fill in a field: what stands there is chosen on arrival, or by Ctrl+A in a field of several lines."""
        self.to(self.page.get_by_label(label).nth(nth))
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(words)

    def choose(self, label: str, words: str) -> None:
        """Choose from a list by typing how the choice begins."""
        field = self.page.get_by_label(label).first
        self.to(field)
        self.page.keyboard.type(words)
        assert words in field.evaluate("element => element.selectedOptions[0].label")

    def pick(self, name: str, value: str) -> None:
        """Choose one of several: Tab leads to the group, arrows within it."""
        wanted = self.page.locator(f"input[name={name}][value={value}]")
        expect(wanted).to_be_visible()
        for _ in range(MOST):
            if self.page.evaluate("document.activeElement.name") == name:
                break
            self.page.keyboard.press("Tab")
        for _ in range(wanted.evaluate("element => element.form[element.name].length")):
            if wanted.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{value} cannot be chosen as {name} on {self.page.url}")


def single_keys(hand: Keyboard, experiments: str) -> None:
    """Use the keys of the list, and turn them off for all pages (WCAG 2.1.4)."""
    page = hand.page
    page.goto(experiments)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-walk] tr.at")).to_have_count(1)
    expect(page.locator("[data-walk] tbody tr").nth(1).locator("th a").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    hand.push("Turn them off")
    page.reload()
    page.keyboard.press("/")
    page.keyboard.press("j")
    expect(page.locator("#q")).not_to_be_focused()
    expect(page.locator("[data-walk] tr.at")).to_have_count(0)
    hand.push("turn them on")


def a_list_of_choices(hand: Keyboard, deliveries: str) -> None:
    """Go through the choices of a list without opening the first of them (WCAG 3.2.2)."""
    page = hand.page
    page.goto(deliveries)
    hand.to(page.get_by_label("State", exact=True))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile(re.escape(deliveries) + "$"))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"state=\w+"))


def an_experiment(hand: Keyboard) -> None:
    """Set one up in its four steps, and start it."""
    page = hand.page
    hand.follow("Create experiment")
    hand.press(page.locator("main .kinds a").first)
    hand.write("Name", "By keyboard")
    hand.write("Hypothesis", "If we rank by ranker v9, revenue per shopper rises, because it knows seasons.")
    expect(page.locator("#purpose li.good")).to_have_count(4)
    hand.push("Create draft and go on")
    expect(page.locator("#reach")).to_contain_text("take part")
    hand.push("Save and go on")
    hand.write("Name", "Control")
    hand.write("Name", "Treatment", 1)
    hand.push("Save and go on")
    hand.choose("Primary metric", "Revenue per shopper")
    hand.push("Save and check")
    expect(page.get_by_role("heading", name="Ready to start")).to_be_visible()
    hand.push("Start", exact=True)
    expect(page.get_by_text("Running, day 1").first).to_be_visible()


def a_result(hand: Keyboard, metric: str) -> None:
    """Read the numbers behind a number, another metric's chart, and a metric in depth."""
    page = hand.page
    hand.to(page.locator("[data-peek]").first)
    expect(page.locator(".peek:popover-open")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".peek:popover-open")).to_have_count(0)
    hand.press(page.locator(".menu > summary").first)
    page.keyboard.press("Escape")
    expect(page.locator(".menu > summary").first).to_be_focused()
    chosen = page.locator("#effect-metric")
    hand.to(chosen)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#said")).to_have_text("Effect over time: brought up to date.")
    expect(chosen).to_be_focused()
    page.reload()
    hand.press(page.get_by_role("rowheader", name=metric).get_by_role("link").first)
    expect(page.get_by_role("heading", level=1, name=metric)).to_be_visible()


def an_end(hand: Keyboard, home: str) -> None:
    """Stop an experiment and conclude it."""
    page = hand.page
    page.goto(home)
    hand.follow("Stop")
    hand.write("Why?", "It was to be ended without a pointer.")
    hand.push("Stop for good")
    hand.follow("Conclude")
    hand.pick("decision", "iterate")
    hand.write("Why?", "Nothing was learned of ranking.")
    hand.write("What was learned?", "All of it can be done by keyboard.")
    hand.push("Conclude")
    expect(page.get_by_role("status").first).to_contain_text("oncluded")
