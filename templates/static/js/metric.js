// Show only the fields that the chosen kind of metric and of cap uses. Without it all of them are there, with a hint.
(() => {
  "use strict";
  for (const [name, place, mark] of [["kind", "forKinds", "data-for-kinds"], ["cap", "forCaps", "data-for-caps"]]) {
    const show = () => {
      const chosen = document.querySelector(`[name=${name}]:checked`)?.value;
      for (const part of document.querySelectorAll(`[${mark}]`)) {
        part.hidden = !part.dataset[place].split(" ").includes(chosen);
        part.dataset.shown = ""; // until now it was out of sight, so that the page does not jump
      }
    };
    for (const choice of document.querySelectorAll(`[name=${name}]`)) choice.addEventListener("change", show);
    show();
  }
  // A condition that a property is there has no value.
  document.addEventListener("change", (event) => {
    if (!event.target.name?.endsWith("-operator")) return;
    const value = event.target.closest("[data-row]").querySelector("[name$=-value]");
    value.disabled = event.target.value === "exists";
  });
})();
