// Show only the fields that the chosen kind of metric uses. Without it all of them are there, with a hint.
(() => {
  "use strict";
  const kinds = document.querySelectorAll("[name=kind]");
  const show = () => {
    const chosen = document.querySelector("[name=kind]:checked")?.value;
    for (const part of document.querySelectorAll("[data-for-kinds]")) part.hidden = !part.dataset.forKinds.split(" ").includes(chosen);
  };
  for (const kind of kinds) kind.addEventListener("change", show);
  show();
})();
