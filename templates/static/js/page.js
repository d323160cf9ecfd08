// Small conveniences of every page. Each page works without them.
(() => {
  "use strict";

  // An error summary takes the focus, so that a screen reader starts there.
  document.querySelector("[data-error-summary]")?.focus();

  // A choice by pointer opens at once. By keyboard each arrow chooses, so that the button waits until one is meant.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" && event.target.matches("[data-submit-on-change]")) event.target.dataset.byKeys = "";
  });
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!target.matches("[data-submit-on-change]")) return;
    if (target.dataset.byKeys === undefined) target.form.requestSubmit();
    else target.form.querySelector("[data-without-script]")?.removeAttribute("data-without-script");
  });

  // A form is sent once: the button says so, and a second click does nothing. The server guards it as well.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post") || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button:not([type=button])")) button.setAttribute("aria-disabled", "true");
  });
  // A form that was changed and not sent asks before the page is left. What it was like at first is its own text.
  const typed = (form) => new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, value.name ?? value])).toString();
  const guarded = () => [...document.querySelectorAll("form[data-guard]")].filter((form) => !form.dataset.sent && form.dataset.first !== undefined && typed(form) !== form.dataset.first);
  for (const form of document.querySelectorAll("form[data-guard]")) {
    // After the other scripts, which fill keys from names; a form that came back with errors is unsaved from the start.
    setTimeout(() => { form.dataset.first = document.querySelector("[data-error-summary]") ? "" : typed(form); });
  }
  addEventListener("beforeunload", (event) => { if (guarded().length) event.preventDefault(); });

  // A proposal fills its field and says so to whatever listens to the form.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fill]");
    const field = button && document.getElementById(button.dataset.fill);
    if (!field) return;
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
    field.focus();
  });

  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  // Numbers behind a number open under the pointer and on focus as they do by a click, and stay while it is on them.
  let leaving;
  const peek = (button) => {
    const tip = document.getElementById(button.getAttribute("popovertarget"));
    if (tip && !tip.matches(":popover-open")) tip.showPopover({ source: button });
  };
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const button = event.target.closest("[data-peek]");
    if (button || event.target.closest(".peek")) clearTimeout(leaving);
    if (button) peek(button);
    else if (!event.target.closest(".peek")) {
      clearTimeout(leaving);
      leaving = setTimeout(() => document.querySelector(".peek:popover-open")?.hidePopover(), 300);
    }
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-peek]:focus-visible")) peek(event.target);
  });

  // What htmx brought after somebody chose or typed is said to who cannot see it; a live part says itself.
  document.addEventListener("htmx:afterSettle", (event) => {
    const part = event.target;
    if (!event.detail.requestConfig?.triggeringEvent?.isTrusted || part.closest("[aria-live], [role=status]")) return;
    const words = part.querySelector("[role=status]") ?? part.querySelector("h2, h3, caption");
    if (words) document.getElementById("said").textContent = words.matches("[role=status]") ? words.textContent.trim() : `${words.textContent.trim()}: brought up to date.`;
  });
  // A menu that lies over the page closes by Escape, which gives the focus back, and when somebody goes elsewhere.
  const menus = () => [...document.querySelectorAll("details.menu[open]")].filter((menu) => getComputedStyle(menu.lastElementChild).position === "absolute");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  });
  for (const going of ["click", "focusin"]) document.addEventListener(going, (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  // "/" leads to the search that is nearest to what the page is about: the last one on it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || document.documentElement.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const fields = document.querySelectorAll('[data-key="/"]');
    if (!fields.length) return;
    event.preventDefault();
    fields[fields.length - 1].focus();
    fields[fields.length - 1].select();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  });
})();
