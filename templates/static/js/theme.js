// Loaded before the first paint, so that a chosen theme does not flash. "system" follows the machine.
(() => {
  "use strict";
  const root = document.documentElement;
  try { if (localStorage.getItem("keys") === "off") root.dataset.keys = "off"; } catch { /* private window: keys work */ }
  root.dataset.script = ""; // what only those without script need is never drawn for the others
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!button) return;
    const label = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to the ${dark() ? "light" : "dark"} theme`); };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* private window: the choice lasts for this page */ }
      label();
      document.dispatchEvent(new CustomEvent("themechange"));
    });
    for (const question of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(question).addEventListener("change", () => { label(); document.dispatchEvent(new CustomEvent("themechange")); });
    }
  });
})();
