// Figures from which a point, a bin or a cell is chosen, by click or with the arrow keys; and pairs of pictures as cards.
// All texts are set as text, never as HTML.
const WIDTH = 400, HEIGHT = 250, LEFT = 50, RIGHT = 390, TOP = 8, BOTTOM = 212;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
const clip = (value, low, high) => Math.max(low, Math.min(high, value));
const breakable = (name) => name.replace(/[_(,]/g, "$&\u200b");
const number = (value, digits = 4) => (value === null ? "none" : Number(value.toPrecision(digits)).toString());

function add(parent, name, attributes = {}, text = "") {
  const svg = name === "svg" || parent.namespaceURI.endsWith("svg");
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

// JupyterLab would take an arrow key for its own (and scroll away), and two d for "delete the cell".
function keepKeys(el) {
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("keydown", (event) => event.stopPropagation());
}

function axes(svg, xticks, yticks, xlabel, ylabel) {
  for (const [x, text] of xticks) add(svg, "text", { x, y: BOTTOM + 16, class: "tick", "text-anchor": "middle" }, text);
  for (const [y, text] of yticks) {
    add(svg, "line", { x1: LEFT, x2: RIGHT, y1: y, y2: y, class: "grid" });
    add(svg, "text", { x: LEFT - 6, y: y + 4, class: "tick", "text-anchor": "end" }, text);
  }
  add(svg, "text", { x: (LEFT + RIGHT) / 2, y: HEIGHT - 4, class: "name", "text-anchor": "middle" }, xlabel);
  const turned = `rotate(-90) translate(${-(TOP + BOTTOM) / 2} 11)`;
  add(svg, "text", { transform: turned, class: "name", "text-anchor": "middle" }, ylabel);
}

const ink = (colour) => (colour === "#000000" ? "var(--jp-ui-font-color1, currentColor)" : colour);

// Curves over a logarithmic axis. at: [series, point]
const lines = {
  make({ series, floor }) {
    const x = (rate) => LEFT + (RIGHT - LEFT) * (1 - Math.log10(rate) / Math.log10(floor));
    const y = (rate) => BOTTOM - (BOTTOM - TOP) * rate;
    const near = (s, px, py = null) => {
      const away = series[s].x.map((rate, i) => Math.hypot(x(rate) - px, py === null ? 0 : y(series[s].y[i]) - py));
      return [away.indexOf(Math.min(...away)), Math.min(...away)];
    };
    return { x, y, near };
  },
  draw(svg, { series, floor, xlabel, ylabel }, [s, i], { x, y, near }) {
    const decades = [];
    for (let rate = 1; rate >= floor * 0.999; rate /= 10) decades.push([x(rate), number(rate)]);
    axes(svg, decades, [0, 0.25, 0.5, 0.75, 1].map((rate) => [y(rate), rate]), xlabel, ylabel);
    series.forEach(({ x: xs, y: ys, colour, dash }, n) => {
      const path = xs.map((rate, k) => (k ? `H${x(rate)}V${y(ys[k])}` : `M${x(rate)} ${y(ys[k])}`)).join("");
      const look = { d: `${path}H${RIGHT}`, stroke: ink(colour), class: n === s ? "curve chosen" : "curve" };
      add(svg, "path", { ...look, "stroke-dasharray": dash });
    });
    if (s < 0) return;
    const at = x(series[s].x[i]);
    add(svg, "line", { x1: at, x2: at, y1: TOP, y2: BOTTOM, class: "rule" });
    series.forEach((curve, n) => {
      const k = n === s ? i : curve.x.findLastIndex((rate) => rate <= series[s].x[i] * 1.000001);
      if (k >= 0) add(svg, "circle", { cx: at, cy: y(curve.y[k]), r: n === s ? 6 : 3, fill: ink(curve.colour), class: n === s ? "mark" : "" });
    });
  },
  pick({ series }, px, py, { near }) {
    const found = series.map((_, s) => [s, ...near(s, px, py)]).sort((a, b) => a[2] - b[2])[0];
    return found.slice(0, 2);
  },
  move({ series }, [s, i], key, { x, near }) {
    if (s < 0) return [0, 0];
    if (key in STEPS) return [s, clip(i + STEPS[key], 0, series[s].x.length - 1)];
    const next = (s + (key === "ArrowDown" ? 1 : -1) + series.length) % series.length;
    return [next, near(next, x(series[s].x[i]))[0]];
  },
  say({ series }, [s, i]) {
    if (s < 0) return "nothing chosen";
    const { name, x, y, threshold } = series[s];
    return `${name}: false positive rate ${number(x[i], 2)}, true positive rate ${y[i].toFixed(3)}, threshold ${number(threshold[i])}`;
  },
  legend: ({ series }) => series,
};

// Bars of two classes over the same bins, on a root scale, so that a single pair can be seen. at: [bin]
const bars = {
  make({ left, right, copies, others }) {
    const [low, high] = [left[0], right[right.length - 1]];
    const top = Math.max(...copies, ...others, 1e-9);
    const x = (value) => LEFT + (RIGHT - LEFT) * clip((value - low) / (high - low), 0, 1);
    const y = (share) => BOTTOM - (BOTTOM - TOP) * Math.sqrt(share / top);
    return { x, y, low, high, top };
  },
  draw(svg, { left, right, copies, others, colour, threshold, xlabel, ylabel }, [at], { x, y, low, high, top }) {
    const step = 10 ** Math.floor(Math.log10((high - low) / 2));
    const wide = (high - low) / step > 8 ? step * (high - low > step * 16 ? 5 : 2) : step;
    const ticks = [];
    for (let value = Math.ceil(low / wide) * wide; value <= high; value += wide) ticks.push([x(value), number(value)]);
    const shares = [0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1].filter((share) => share <= top && (share === 0 || y(share) < BOTTOM - 14));
    axes(svg, ticks, shares.map((share) => [y(share), share]), xlabel, ylabel);
    left.forEach((_, i) => {
      const [from, width] = [x(left[i]), x(right[i]) - x(left[i])];
      for (const [share, fill] of [[others[i], "var(--simlab-grey)"], [copies[i], ink(colour)]])
        add(svg, "rect", { x: from, y: y(share), width, height: BOTTOM - y(share), fill, class: "bar" });
      add(svg, "rect", { x: from, y: TOP, width, height: BOTTOM - TOP, class: i === at ? "bin chosen" : "bin" });
    });
    if (threshold === null) return;
    add(svg, "line", { x1: x(threshold), x2: x(threshold), y1: TOP, y2: BOTTOM, class: "rule" });
    const side = x(threshold) > 290 ? { x: x(threshold) - 5, "text-anchor": "end" } : { x: x(threshold) + 5 };
    add(svg, "text", { ...side, y: TOP + 10, class: "tick" }, `threshold ${number(threshold)}`);
  },
  pick: ({ left }, px, _, { x }) => [clip(left.findLastIndex((edge) => x(edge) <= px), 0, left.length - 1)],
  move: ({ left }, [at], key) => [clip((at < 0 ? -1 : at) + (STEPS[key] ?? 0), 0, left.length - 1)],
  say({ left, right, n_copies, n_others, name }, [at]) {
    if (at < 0) return `${name}: no bin chosen`;
    return `${name} ${number(left[at])} to ${number(right[at])}: ${n_copies[at]} copies, ${n_others[at]} non-copies`;
  },
  legend: ({ name, colour }) => [{ name: "copies", colour, dash: "" }, { name: "non-copies", colour: "var(--simlab-grey)", dash: "" }],
};

// Both return update(data, at); choose(at) is called when a person chose something.
function plot(parent, kind, label, choose) {
  const el = add(parent, "section", { class: "simlab-chart" });
  add(el, "h4", { class: "simlab-head" }, label);
  const box = add(el, "div", { class: "simlab-plot", role: "slider", tabindex: 0, "aria-label": label });
  const legend = add(el, "div", { class: "simlab-legend" });
  const caption = add(el, "p", { class: "simlab-caption" });
  let shown = null;
  box.addEventListener("click", (event) => {
    if (!shown) return;
    const svg = box.querySelector("svg");
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    choose(kind.pick(shown.data, x, y, shown.scale));
  });
  box.addEventListener("keydown", (event) => {
    if (!shown || !(event.key in STEPS || event.key === "ArrowUp" || event.key === "ArrowDown")) return;
    event.preventDefault();
    choose(kind.move(shown.data, shown.at, event.key, shown.scale));
  });
  return (data, at) => {
    shown = { data, at, scale: kind.make(data) };
    box.replaceChildren();
    const svg = add(box, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    kind.draw(svg, data, at, shown.scale);
    legend.replaceChildren();
    for (const { name, colour, dash } of kind.legend(data)) {
      const item = add(legend, "span");
      const line = add(item, "svg", { viewBox: "0 0 26 8", "aria-hidden": "true" });
      add(line, "line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: ink(colour), "stroke-dasharray": dash });
      item.append(name);
    }
    caption.textContent = kind.say(data, at);
    box.setAttribute("aria-valuetext", caption.textContent);
    box.setAttribute("aria-valuenow", at.at(-1));
  };
}

// A table of fractions. at: [row, column]
function cells(parent, label, choose) {
  const el = add(parent, "section", { class: "simlab-chart" });
  add(el, "h4", { class: "simlab-head" }, label);
  const table = add(el, "table", { class: "simlab-cells", "aria-label": label });
  const caption = add(el, "p", { class: "simlab-caption" });
  let shown = null;
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { data, at } = shown;
    choose([clip(at[0] + step[0], 0, data.rows.length - 1), clip(at[1] + step[1], 0, data.columns.length - 1)]);
  });
  return (data, at) => {
    shown = { data, at };
    const focused = table.contains(document.activeElement);
    table.replaceChildren();
    const head = add(table, "tr");
    for (const name of ["", ...data.columns]) add(head, "th", { scope: "col" }, breakable(name));
    data.rows.forEach((name, i) => {
      const line = add(table, "tr");
      add(line, "th", { scope: "row" }, name);
      data.columns.forEach((column, j) => {
        const value = data.values[i][j], chosen = i === at[0] && j === at[1];
        const label = `${column}, ${name}: ${value.toFixed(2)} of ${data.counts[i]} copies found`;
        const look = `--share: ${Math.round(78 * value)}%; --ink: ${value > 0.6 ? "#fff" : "inherit"}`;
        const cell = { style: look, tabindex: chosen ? 0 : -1, "aria-label": label, "aria-pressed": chosen };
        add(add(line, "td"), "button", cell, value.toFixed(2)).addEventListener("click", () => choose([i, j]));
        if (chosen) caption.textContent = label;
      });
    });
    if (focused) table.querySelector('[tabindex="0"]').focus();
  };
}

function drawPair(parent, pictures, lines, urls) {
  const places = [];
  let right = 0;
  for (const { size } of pictures) {
    places.push({ x: right, width: (100 * size[0]) / size[1] });
    right += places.at(-1).width + 4;
  }
  const label = pictures.map(({ name }) => name).join(" and ");
  const svg = add(parent, "svg", { viewBox: `0 0 ${right - 4} ${100}`, role: "img", "aria-label": label });
  pictures.forEach(({ image }, n) => {
    urls.push(URL.createObjectURL(new Blob([image], { type: "image/jpeg" })));
    add(svg, "image", { href: urls.at(-1), ...places[n], y: 0, height: 100, preserveAspectRatio: "none" });
  });
  const at = (n, share) => places[n].x + places[n].width * share;
  for (const [x1, y1, x2, y2, agrees] of lines) {
    const ends = { x1: at(0, x1), y1: 100 * y1, x2: at(1, x2), y2: 100 * y2 };
    add(svg, "line", { ...ends, class: agrees ? "agrees" : "" });
  }
}

// What a method says of a pair; the bar is half full at the threshold.
function tell(parent, name, distance, threshold, copy, chosen) {
  const says = threshold !== null && distance <= threshold, right = says === copy;
  const line = add(parent, "tr", { class: `${right ? "right" : "wrong"}${chosen ? " chosen" : ""}` });
  add(line, "th", { scope: "row" }, breakable(name));
  const limit = threshold === null ? "" : `${says ? "≤" : ">"} ${number(threshold)}`;
  add(add(line, "td", { class: "simlab-number" }, number(distance)), "span", {}, limit);
  const bar = add(add(line, "td"), "div", { class: "simlab-level" });
  add(bar, "div", { style: `width: ${threshold > 0 ? Math.min((50 * distance) / threshold, 100) : says ? 50 : 100}%` });
  add(line, "td", {}, `${right ? "✓" : "✗"} ${says ? "a copy" : "different"}`);
}

// Pairs as cards; act(action, row) is called when a button is pressed, and without it there is none.
function cards(parent, act = null) {
  const el = add(parent, "div", { class: "simlab-cards" });
  let urls = [];
  return (pairs, thresholds, chosen, matches = {}) => {
    const focused = el.contains(document.activeElement) && document.activeElement.dataset.button;
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = [];
    el.replaceChildren();
    for (const { row, title, about, pictures, copy, distances, note, rival, marked } of pairs) {
      const card = add(el, "article", { class: "simlab-card", "aria-label": title });
      add(card, "h5", { class: "simlab-head" }, title);
      add(card, "p", { class: "simlab-caption" }, about);
      drawPair(card, pictures, matches[row]?.lines ?? [], urls);
      if (row in matches) add(card, "p", { class: "simlab-caption" }, matches[row].text);
      const table = add(card, "table", { class: "simlab-table", "aria-label": "what each method says" });
      for (const [name, distance] of Object.entries(distances)) tell(table, name, distance, thresholds[name], copy, name === chosen);
      if (note) add(card, "p", {}, note);
      if (rival) {
        const box = add(card, "div", { class: "simlab-rival" });
        drawPair(box, rival.pictures, [], urls);
        add(box, "p", { class: "simlab-caption" }, rival.text);
      }
      if (!act) continue;
      const line = add(card, "div", { class: "simlab-buttons" });
      const mark = marked ? "Marked as mislabelled" : "Mark as mislabelled";
      for (const [action, text, pressed] of [["matches", "AKAZE matches", row in matches], ["mark", mark, marked]]) {
        const button = add(line, "button", { "aria-pressed": pressed, "aria-label": `${text}: ${title}, ${about}` }, text);
        button.dataset.button = `${action} ${row}`;
        button.addEventListener("click", () => act(action, row));
      }
    }
    // a card that is drawn anew keeps the keyboard where it was
    if (focused) el.querySelector(`[data-button="${CSS.escape(focused)}"]`)?.focus();
  };
}
