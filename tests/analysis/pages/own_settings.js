// For the tests: what a page is to people who read with colours, spacing or a size of their own.
window.own = (() => {
  "use strict";
  const short = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 130);
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;
  const rgba = (text) => { const n = (text.match(/[\d.]+/g) ?? []).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const paints = (text) => text !== "none" && text !== "transparent" && rgba(text)[3] > .02;
  const light = (text) => {
    const [r, g, b] = rgba(text).map((part) => { const one = part / 255; return one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const apart = (one, other) => { const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b); return (bright + .05) / (dark + .05); };
  function ground(element) {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgba(colour)[3] > .98) return colour;
    }
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.cssText = "forced-color-adjust: none; background: Canvas";
    const canvas = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return canvas;
  }
  const bordered = (style) => ["Top", "Right", "Bottom", "Left"].some((side) => style[`border${side}Style`] !== "none" && parseFloat(style[`border${side}Width`]) >= 1 && paints(style[`border${side}Color`]));
  const filled = (style, under) => style.backgroundImage !== "none" || paints(style.backgroundColor) && apart(style.backgroundColor, under) > 1.05;
  const sized = (style) => parseFloat(style.inlineSize) > 0 && parseFloat(style.blockSize) > 0;

  // Boxes without a word whose ground is all that there is to see: of elements, and of what CSS puts before and after them.
  function* boxes() {
    for (const element of document.querySelectorAll("body *:not(svg *, option, script, style)")) {
      if (!seen(element)) continue;
      const empty = !element.innerText?.trim() && !element.matches("input, select, textarea, progress, img, iframe, svg, canvas") && !element.querySelector("svg, img, input, select, textarea, canvas, iframe, progress");
      if (empty) yield [element, "", element.parentElement];
      for (const part of ["::before", "::after"]) {
        if (/^(none|normal)$/.test(getComputedStyle(element, part).content)) continue;
        if (getComputedStyle(element, part).content === '""') yield [element, part, element];
      }
    }
  }
  const isPainted = ([element, part, under]) => {
    const style = getComputedStyle(element, part || undefined);
    return sized(style) && (filled(style, ground(under)) || bordered(style));
  };
  let painted = [];
  function remember() { painted = [...boxes()].filter(isPainted); return painted.length; }

  const CHOSEN = "[aria-current]:not([aria-current=false]), [aria-selected=true], [aria-pressed=true]";
  const told = (element) => {
    const style = getComputedStyle(element);
    return ground(element) + ["fontWeight", "color", "borderTopWidth", "borderBottomWidth", "borderTopStyle", "borderTopColor", "borderBottomColor", "outlineStyle", "textDecorationLine"].map((name) => style[name]).join("|");
  };
  function* forced() {
    for (const box of painted) if (seen(box[0]) && !isPainted(box)) yield `${box[1] || "its ground"} is gone: ${short(box[0])}`;
    for (const button of document.querySelectorAll(".btn, input, select, textarea")) {
      if (!seen(button) || button.matches("[type=checkbox], [type=radio], [type=hidden]") || button.closest("iframe")) continue;
      const style = getComputedStyle(button);
      if (!bordered(style) && !filled(style, ground(button.parentElement))) yield `has no edge: ${short(button)}`;
    }
    for (const element of document.querySelectorAll("svg :is(line, rect, path, circle, polygon, polyline)")) {
      if (!seen(element) || element.closest(".js-plotly-plot, #js-plotly-tester, defs, clipPath, pattern, .grid") || element.matches(".grid")) continue;
      const style = getComputedStyle(element), under = ground(element.closest("svg").parentElement);
      const colours = [style.fill, parseFloat(style.strokeWidth) > 0 ? style.stroke : "none"].filter(paints);
      if (element.matches("line")) colours.splice(0, colours.length, ...[style.stroke].filter(paints));
      if (colours.length && !colours.some((one) => apart(one, under) >= 3)) yield `is drawn in ${colours} on ${under}: ${short(element)} of ${short(element.closest("svg").parentElement)}`;
    }
    for (const chosen of document.querySelectorAll(CHOSEN)) {
      const group = chosen.closest("nav, ul, ol, table, fieldset, .tabs, .segments, .chips, .steps");
      const others = group ? [...group.querySelectorAll(chosen.tagName)].filter((one) => one !== chosen && !one.matches(CHOSEN) && one.className === chosen.className && seen(one)) : [];
      if (seen(chosen) && others.some((one) => told(one) === told(chosen))) yield `is chosen and looks like the others: ${short(chosen)}`;
    }
    for (const chart of document.querySelectorAll(".js-plotly-plot")) {
      const drawn = (chart._fullData ?? []).filter((one) => one.visible === true && one.showlegend).map((one) => one.marker?.color ?? one.line?.color);
      if (new Set(drawn).size < drawn.length) yield `draws ${drawn.length} series in ${new Set(drawn).size} colours: ${short(chart.parentElement)}`;
    }
  }

  const SPACING = "*:not(svg *) { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; } p { margin-block-end: 2em !important; }";
  let sheet = null;
  function space(on) {
    if (!sheet) { sheet = new CSSStyleSheet(); sheet.replaceSync(SPACING); } // a constructed sheet: the policy forbids style elements
    document.adoptedStyleSheets = on ? [sheet] : [];
  }
  // Plotly draws a chart anew a moment after its place has another width.
  const isSettled = () => [...document.querySelectorAll(".js-plotly-plot")].every((one) => !one.checkVisibility() || one.querySelector(".main-svg").getBoundingClientRect().width <= one.clientWidth + 1);
  async function settled() {
    for (let turn = 0; turn < 60 && !isSettled(); turn += 1) await new Promise((then) => { setTimeout(then, 50); });
  }
  const hides = (element) => { const style = getComputedStyle(element); return /hidden|clip/.test(style.overflowX + style.overflowY) && !/auto|scroll/.test(style.overflowX + style.overflowY); };
  const away = (element) => { for (let at = element; at; at = at.parentElement) if (/inset\(50%\)/.test(getComputedStyle(at).clipPath) || getComputedStyle(at).position === "fixed" || at.matches(".skip, .js-plotly-plot, svg")) return true; return false; };
  function* cut() {
    if (document.documentElement.scrollWidth > innerWidth) yield `is wider than ${innerWidth} px`;
    for (const element of document.querySelectorAll("body *:not(svg, svg *)")) {
      if (element.matches("input, select, textarea, iframe") || !element.textContent.trim() || !seen(element) || away(element)) continue;
      if (hides(element) && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) yield `cuts its words off: ${short(element)}`;
    }
    for (const chosen of document.querySelectorAll("select, input[type=submit], button")) {
      if (seen(chosen) && !away(chosen) && chosen.matches("button") && (chosen.scrollWidth > chosen.clientWidth + 2 || chosen.scrollHeight > chosen.clientHeight + 2)) yield `is too small for its words: ${short(chosen)}`;
    }
    yield* overlaps();
  }
  // Words of two elements in one place. Letters fill about six tenths of their line's height.
  function* overlaps() {
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const parent = node.parentElement;
      if (!node.data.trim() || !seen(parent) || away(parent) || parent.closest("script, style, option, textarea")) continue;
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) if (box.width > 1) found.push({ top: box.top + box.height * .2, bottom: box.bottom - box.height * .2, left: box.left + 1, right: box.right - 1, node });
    }
    found.sort((one, other) => one.top - other.top);
    let said = 0;
    for (let i = 0; i < found.length && said < 3; i += 1) {
      for (let j = i + 1; j < found.length && found[j].top < found[i].bottom; j += 1) {
        const [one, other] = [found[i], found[j]];
        if (one.node === other.node || Math.min(one.right, other.right) <= Math.max(one.left, other.left)) continue;
        if (clippedAway(one) || clippedAway(other)) continue;
        said += 1;
        yield `“${one.node.data.trim().slice(0, 40)}” lies on “${other.node.data.trim().slice(0, 40)}”: ${short(one.node.parentElement)}`;
        break;
      }
    }
  }
  // What a box with bars of its own has scrolled out of sight.
  function clippedAway({ node, top, bottom, left, right }) {
    for (let at = node.parentElement; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = at.getBoundingClientRect();
      if (left >= box.right || right <= box.left || top >= box.bottom || bottom <= box.top) return true;
    }
    return false;
  }
  return { settled, remember, forced: () => [...forced()].slice(0, 6), space, cut: () => [...cut()].slice(0, 6) };
})();
