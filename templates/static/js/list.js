// Walk through a list by keyboard: j and k move, Enter opens, x chooses. Every step has a link or box of its own as well.
(() => {
  "use strict";
  const root = document.documentElement;
  const rows = () => [...document.querySelectorAll("[data-walk] tbody tr:has(th[scope=row] a)")];
  const typing = (target) => target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("at"));
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    for (const row of all) row.classList.toggle("at", row === next);
    next.querySelector("th[scope=row] a").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x") {
      const box = document.querySelector("[data-walk] tr.at .pick input");
      if (!box) return;
      box.checked = !box.checked;
    } else return;
    event.preventDefault();
  });

  // Who speaks to the machine, or hits keys by chance, turns them off: here, for all pages of this browser.
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keys-switch]")) return;
    root.dataset.keys = root.dataset.keys === "off" ? "on" : "off";
    try { localStorage.setItem("keys", root.dataset.keys); } catch { /* private window: for this page */ }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-walk] tbody tr");
    if (row) for (const one of rows()) one.classList.toggle("at", one === row);
  });
})();
