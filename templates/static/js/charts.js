// Draw the page's Plotly figures in the colours of its theme, and again when the theme changes.
(() => {
  "use strict";
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const TOKEN = /^var\((--[a-z0-9-]+)\)$/;

  // A token may be light-dark() or any colour syntax: the browser paints it, and the pixel says what it is.
  function colour(token, alpha) {
    const holder = document.createElement("i");
    holder.style.color = `var(${token})`;
    holder.style.forcedColorAdjust = "none"; // its own colour, also where the machine's take the place of the page's
    document.body.append(holder);
    probe.fillStyle = getComputedStyle(holder).color;
    holder.remove();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    return `rgba(${r},${g},${b},${alpha})`;
  }

  function themed(value, name) {
    if (typeof value === "string") {
      const found = TOKEN.exec(value);
      return found ? colour(found[1], name === "fillcolor" ? 0.16 : 1) : value;
    }
    if (Array.isArray(value)) return value.map((item) => themed(item, name));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, key)]));
    return value;
  }

  function draw(place, width) {
    const { data, layout } = themed(JSON.parse(document.getElementById(place.dataset.chart).textContent));
    if (width) layout.width = width;
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true, staticPlot: false });
    document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true"); // where it measures letters
    if (place.dataset.opens !== undefined && !place.dataset.listens) listen(place);
  }

  // A point that carries an address of this site opens it; the table beside the chart has the same links.
  function listen(place) {
    place.dataset.listens = "yes";
    place.on("plotly_click", (event) => {
      const address = event.points[0].customdata?.[0];
      if (typeof address === "string" && /^\/(?!\/)/.test(address)) window.location.assign(address);
    });
  }

  const drawAll = (root, width) => { for (const place of root.querySelectorAll("[data-chart]")) draw(place, width); };
  drawAll(document);

  // Paper is light, and narrower than most windows: an A4 page between its margins holds 640 px beside a card's edges.
  const screen = document.documentElement.style;
  window.addEventListener("beforeprint", () => { screen.colorScheme = "light"; drawAll(document, 640); });
  window.addEventListener("afterprint", () => { screen.removeProperty("color-scheme"); drawAll(document); });
  document.addEventListener("themechange", () => drawAll(document));
  document.addEventListener("htmx:afterSettle", (event) => {
    drawAll(event.target);
  });
})();
