// Forms with rows: a key from the name, rows that come and go, and the sum of the weights. Without it, spare rows are there.
(() => {
  "use strict";
  const slug = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replaceAll("ß", "ss").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80);

  function follow(source, target) {
    let own = target.value !== "" && target.value !== slug(source.value);
    if (!own) target.value = slug(source.value); // what was typed before this script came counts too
    target.addEventListener("input", () => { own = target.value !== ""; });
    source.addEventListener("input", () => { if (!own) target.value = slug(source.value); });
  }
  const source = document.querySelector("[data-key-source]");
  if (source) follow(source, document.getElementById(source.dataset.keySource));

  // A control with data-keeps always holds something, so it says nothing about whether its row is used.
  const inputs = (row) => [...row.querySelectorAll("input, select:not([data-keeps])")];
  const isEmpty = (row) => inputs(row).every((input) => input.value === "");

  function wire(row) {
    const name = row.querySelector("[name$=-name]");
    if (name) follow(name, row.querySelector("[name$=-key]"));
    const op = row.querySelector("[name$=-op]");
    if (op) { op.addEventListener("change", () => shape(row, op.value)); shape(row, op.value); }
  }

  // A clause about a segment has no attribute and offers the segments; one about being known has no value.
  function shape(row, op) {
    const [attribute, value] = ["attribute", "value"].map((name) => row.querySelector(`[name$=-${name}]`));
    attribute.disabled = op.endsWith("in_segment");
    value.disabled = op === "known" || op === "unknown";
    if (attribute.disabled) value.setAttribute("list", `${row.closest("[data-rows]").id.replace(/-rows$/, "")}-segments`);
    else value.removeAttribute("list");
    value.placeholder = attribute.disabled ? "its key" : value.disabled ? "" : "DE, AT";
  }

  for (const area of document.querySelectorAll("[data-rows]")) {
    const list = area.querySelector("[data-list]");
    const total = area.querySelector("[name$=-TOTAL_FORMS]");
    if (!list) continue;
    const rows = () => [...list.querySelectorAll("[data-row]")].filter((row) => !row.hidden);
    const least = { variants: 2, targeting: 1 }[area.dataset.rows] ?? 0;
    area.dataset.wired = "";
    rows().forEach((row, index) => { wire(row); if (index >= least && isEmpty(row)) row.hidden = true; });

    area.querySelector("[data-add]").addEventListener("click", () => {
      // A hidden row is used again only behind the last one in sight, for the server reads rows in their first order.
      const all = [...list.querySelectorAll("[data-row]")];
      let row = all.slice(all.findLastIndex((each) => !each.hidden) + 1)[0];
      if (!row) {
        const holder = document.createElement("div");
        holder.innerHTML = area.querySelector("template").innerHTML.replaceAll("__prefix__", total.value).replaceAll("__number__", Number(total.value) + 1);
        row = holder.firstElementChild;
        total.value = Number(total.value) + 1;
        wire(row);
      }
      if (!row.isConnected) list.append(row);
      row.hidden = false;
      inputs(row)[0].focus();
      area.dispatchEvent(new Event("input"));
    });
    area.addEventListener("click", (event) => {
      const button = event.target.closest("[data-remove]");
      if (!button) return;
      const row = button.closest("[data-row]");
      for (const input of inputs(row)) input.value = "";
      row.hidden = true;
      area.querySelector("[data-add]").focus();
      area.dispatchEvent(new Event("input"));
    });

    const output = area.querySelector("[data-weight-total]");
    if (!output) continue;
    const weights = () => rows().map((row) => row.querySelector("[name$=-weight]"));
    const add = () => {
      const sum = weights().reduce((so, input) => so + Math.round(Number(input.value || 0) * 100), 0);
      output.textContent = sum === 10000 ? "Weights add up to 100 %." : `Weights add up to ${sum / 100} %, not to 100 %.`;
    };
    area.addEventListener("input", add);
    area.querySelector("[data-split-evenly]").addEventListener("click", () => {
      const all = weights();
      const each = Math.floor(10000 / all.length);
      all.forEach((input, index) => { input.value = (each + (index < 10000 - each * all.length ? 1 : 0)) / 100; });
      add();
    });
    add();
  }
})();
