// The plan form: a key from the name, rows that come and go, and the sum of the weights. Without it, four rows are there.
(() => {
  "use strict";
  const slug = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replaceAll("ß", "ss").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80);

  function follow(source, target) {
    let own = target.value !== "" && target.value !== slug(source.value);
    target.addEventListener("input", () => { own = target.value !== ""; });
    source.addEventListener("input", () => { if (!own) target.value = slug(source.value); });
  }
  const source = document.querySelector("[data-key-source]");
  if (source) follow(source, document.getElementById(source.dataset.keySource));

  const inputs = (row) => [...row.querySelectorAll("input, select")];
  const isEmpty = (row) => inputs(row).every((input) => input.value === "");

  function wire(row) {
    for (const element of row.querySelectorAll("[data-with-script]")) element.hidden = false;
    const name = row.querySelector("[name$=-name]");
    if (name) follow(name, row.querySelector("[name$=-key]"));
  }

  for (const area of document.querySelectorAll("[data-rows]")) {
    const list = area.querySelector("[data-list]");
    const total = area.querySelector("[name$=-TOTAL_FORMS]");
    const rows = () => [...list.querySelectorAll("[data-row]")].filter((row) => !row.hidden);
    const least = area.dataset.rows === "variants" ? 2 : 0;
    rows().forEach((row, index) => { wire(row); if (index >= least && isEmpty(row)) row.hidden = true; });

    area.querySelector("[data-add]").addEventListener("click", () => {
      let row = [...list.querySelectorAll("[data-row]")].find((each) => each.hidden);
      if (!row) {
        const holder = document.createElement("div");
        holder.innerHTML = area.querySelector("template").innerHTML.replaceAll("__prefix__", total.value);
        row = holder.firstElementChild;
        total.value = Number(total.value) + 1;
        wire(row);
      }
      row.hidden = false;
      list.append(row);
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
