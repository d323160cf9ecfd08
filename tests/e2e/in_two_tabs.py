"""One person with the same form in two tabs, whose session ends while they type."""

import re

from playwright.sync_api import Page, expect

from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD


def saved_elsewhere(page: Page, address: str, label: str, words: str, button: str) -> None:
    """Change a field in another tab."""
    other = page.context.new_page()
    other.goto(address)
    other.get_by_label(label).first.fill(words)
    other.get_by_role("button", name=button).click()
    expect(other).not_to_have_url(re.compile(re.escape(address) + "$"))
    other.close()


def sign_in_again(page: Page) -> None:
    """Sign in on the page that stands where the form was to lead."""
    expect(page.get_by_role("status").first).to_contain_text("What you typed is kept")
    page.get_by_label("E-mail address").fill(DEMO_EMAIL)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def nothing_is_lost(page: Page, address: str, label: str, button: str, *, elsewhere: str, here: str) -> None:
    """Type into a form that is saved in another tab meanwhile, and send it after the session too: words stay."""
    page.goto(address)
    page.get_by_label(label).first.fill(here)
    saved_elsewhere(page, address, label, elsewhere, button)
    page.get_by_role("button", name=button).click()
    expect(page.locator("main")).to_contain_text("was changed")
    expect(page.get_by_label(label).first).to_have_value(here)
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name=button).click()
    sign_in_again(page)
    expect(page.get_by_label(label).first).to_have_value(here)
    page.get_by_role("button", name=button).click()
    expect(page).not_to_have_url(re.compile(re.escape(address) + "$"))


def done_once(page: Page, address: str, button: str, why: dict[str, str], *, choose: str = "") -> Page:
    """Confirm a step by two clicks while it is open in an older tab; return that tab, filled in as well."""
    older = page.context.new_page()
    for tab in (older, page):
        tab.goto(address)
        if choose:
            tab.get_by_label(choose).first.check()
        for label, words in why.items():
            tab.get_by_label(label).first.fill(words)
    page.get_by_role("button", name=button, exact=True).dblclick()
    expect(page).not_to_have_url(re.compile(re.escape(address) + "$"))
    return older
