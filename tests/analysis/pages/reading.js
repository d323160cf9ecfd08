// For the tests: what a page is to people who do not look at it, do not point, or have no script.
window.reading = (() => {
  "use strict";
  const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const short = (node) => (node?.outerHTML ?? node?.textContent ?? "something that is gone").replace(/\s+/g, " ").slice(0, 150);
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.hadRecentInput) shifts.push([entry.value, entry.sources.map((source) => short(source.node)).join(" | ")]);
    }
  }).observe({ type: "layout-shift", buffered: true });

  function* lost() {
    if (![...document.querySelectorAll("h1")].some(seen)) yield "shows no heading";
    for (const part of document.querySelectorAll("[hx-trigger*=load]:not(datalist)")) {
      if (part.getAttribute("hx-trigger").includes("load") && !part.querySelector("a[href]") && !part.textContent.trim()) yield `has nothing in place of ${short(part)}`;
    }
    for (const button of document.querySelectorAll("button[type=button]")) {
      if (seen(button) && !button.hasAttribute("popovertarget")) yield `offers what does nothing: ${short(button)}`;
    }
    for (const form of document.forms) {
      const all = [...form.elements].filter((one) => one.matches("button:not([type=button]), input[type=submit]"));
      const fields = [...form.elements].filter((one) => one.matches("input:not([type=hidden])"));
      if (!all.length && fields.length === 1) continue; // one field is sent by Enter
      if (!all.length) yield `has a form that cannot be sent: ${short(form)}`;
      else if (seen(form) && !all.some((one) => seen(one) || one.closest("details:not([open])"))) yield `has a form whose buttons are out of sight: ${short(form)}`;
    }
    for (const chart of document.querySelectorAll("[data-chart]")) {
      const around = chart.closest("section, article") ?? document.querySelector("main");
      if (!around.querySelector("table, dl, .ruled")) yield `has a chart and not its numbers: ${short(chart)}`;
      if (chart.checkVisibility() && chart.getBoundingClientRect().height > 40) yield `keeps room for a chart that is not drawn: ${short(chart)}`;
    }
    if (/\bloading\b|please wait/i.test(document.body.innerText)) yield "says that something is on its way";
  }

  // A part that comes by itself after something was typed or chosen has to be said; one that a reader has not met yet need not.
  function* silent() {
    for (const source of document.querySelectorAll("[hx-get], [hx-post]")) {
      const trigger = source.getAttribute("hx-trigger") ?? "click";
      if (/^(load|every)\b[^,]*$/.test(trigger) || source.matches("datalist")) continue;
      const at = source.getAttribute("hx-target");
      const target = !at || at === "this" ? source : document.querySelector(at);
      if (!target) { yield `fills what is not there: ${short(source)}`; continue; }
      const told = target.closest("[aria-live], [role=status], [role=alert], [role=log], output") ?? target.querySelector("[role=status], h2, h3, caption");
      if (!told) yield `changes and has no words to say so: ${short(target)}`;
    }
  }

  let order = [];
  const isStop = (element) => {
    if (element.disabled || element.tabIndex < 0 || !seen(element)) return false;
    if (element.type !== "radio") return true;
    const group = [...document.querySelectorAll(`input[type=radio][name="${CSS.escape(element.name)}"]`)].filter((one) => one.form === element.form && !one.disabled && seen(one));
    return element === (group.find((one) => one.checked) ?? group[0]);
  };
  function begin() {
    document.body.tabIndex = -1;
    document.body.focus(); // from here Tab begins
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
    order = [...document.querySelectorAll(FOCUSABLE)].filter(isStop);
    return order.length;
  }
  const points = (box) => [[.5, .5], [.05, .5], [.95, .5], [.5, .1], [.5, .9]].map(([x, y]) => [box.left + x * box.width, box.top + y * box.height]);
  function isCovered(element) {
    const boxes = [...element.getClientRects(), ...[...(element.labels ?? [])].flatMap((label) => [...label.getClientRects()])];
    return !boxes.some((box) => points(box).some(([x, y]) => {
      const top = document.elementFromPoint(x, y);
      return top && (element.contains(top) || top.contains(element) && !top.matches("body, main, html") || [...(element.labels ?? [])].some((label) => label.contains(top)));
    }));
  }
  function here() {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return { at: null };
    const style = getComputedStyle(element);
    const frame = element.tagName === "IFRAME";
    const faults = [];
    if (!frame && !(style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) && style.boxShadow === "none") faults.push("has the focus and does not show it");
    if (isCovered(element)) faults.push("has the focus and is out of sight");
    const all = [...document.querySelectorAll("*")];
    return { at: order.indexOf(element), place: all.indexOf(element), is: short(element), frame, faults };
  }
  const overlay = (opener) => opener.matches("summary") ? opener.parentElement.lastElementChild : document.getElementById(opener.getAttribute("popovertarget"));
  // The menus, and the first word that is explained.
  const menus = () => [
    ...[...document.querySelectorAll("details.menu > summary")].filter((one) => seen(one) && getComputedStyle(overlay(one)).position === "absolute"),
    ...[...document.querySelectorAll("main [popovertarget]:not([data-peek])")].filter(seen).slice(0, 1),
  ];
  const isOpen = (n) => overlay(menus()[n]).matches(":popover-open, [open] > *");
  const isBack = (n) => !isOpen(n) && document.activeElement === menus()[n];
  return { menus, isOpen, isBack, nameOf: (n) => short(menus()[n]), shifts, withoutScript: () => [...lost()], unannounced: () => [...silent()], begin, here, named: (n) => short(order[n]) };
})();
