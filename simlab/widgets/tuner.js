// The tuner: sliders, the ROC, what the threshold does, and the pairs at the border. `choice` goes both ways.
const grouped = (value) => Math.round(value).toLocaleString("en");
const scales = {
  weight: { low: 0, high: 2, step: 0.01, to: (value) => value, from: (value) => value, say: (value) => value.toFixed(2) },
  threshold: {
    low: -9, high: 9, step: 0.05, say: (value) => number(value, 3),
    to: (value) => Math.log(value / (1 - value)), from: (value) => 1 / (1 + Math.exp(-value)),
  },
  prevalence: {
    low: -6, high: -0.30103, step: 0.05, say: (value) => `1 in ${grouped(1 / value)}`,
    to: Math.log10, from: (value) => 10 ** value,
  },
  n_pictures: { low: 1, high: 6, step: 0.05, say: grouped, to: Math.log10, from: (value) => Math.round(10 ** value) },
};

function slider(parent, name, scale, change) {
  const line = add(parent, "label", { class: "simlab-knob" });
  add(line, "span", {}, name);
  const input = add(line, "input", { type: "range", min: scale.low, max: scale.high, step: scale.step, "aria-label": name });
  const shown = add(line, "output");
  const show = (value) => {
    shown.textContent = scale.say(value);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    const value = scale.from(Number(input.value));
    show(value);
    change(value);
  });
  return (value) => {
    // what a person is moving stays where the hand is
    if (scale.say(scale.from(Number(input.value))) !== scale.say(value)) input.value = scale.to(value);
    show(value);
  };
}

function render({ model, el }) {
  keepKeys(el);
  const data = model.get("data"), methods = Object.keys(data.weights);
  const choose = (changes) => {
    model.set("choice", { ...model.get("choice"), ...changes });
    model.save_changes();
  };
  const top = add(el, "div", { class: "simlab-row" });
  const left = add(top, "section", { class: "simlab-chart" });
  add(left, "h4", { class: "simlab-head" }, "Weights");
  const widest = { ...scales.weight, high: Math.max(2, Math.ceil(2 * Math.max(...Object.values(data.weights)))) };
  const weights = methods.map((method) =>
    slider(left, method, widest, (value) => choose({ weights: { ...model.get("choice").weights, [method]: value } })));
  const buttons = add(left, "div", { class: "simlab-buttons" });
  add(buttons, "button", { title: "back to the fitted weights" }, "Fit").addEventListener("click", () => choose({ weights: data.weights }));
  const path = add(buttons, "input", { type: "text", value: data.path, "aria-label": "file of the recipe" });
  add(buttons, "button", {}, "Save").addEventListener("click", () => model.send({ action: "save", row: path.value }));
  add(left, "h4", { class: "simlab-head" }, "Use");
  const names = { threshold: "Threshold", prevalence: "Copies among pairs", n_pictures: "Pictures compared" };
  const others = Object.entries(names).map(([key, name]) => [key, slider(left, name, scales[key], (value) => choose({ [key]: value }))]);

  const roc = plot(top, lines, "ROC: choose a threshold", ([s, i]) => {
    const { curve } = model.get("view"), { series } = all(curve);
    const at = s ? curve.x.findLastIndex((rate) => rate <= series[s].x[i] * (1 + 1e-9)) : i;
    if (at >= 0) choose({ threshold: clip(curve.threshold[at], 1e-9, 1 - 1e-9) });
  });
  const all = (curve) => ({ ...data.curves, series: [curve, ...data.curves.series] });

  const right = add(top, "section", { class: "simlab-chart", role: "status" });
  add(right, "h4", { class: "simlab-head" }, "What the threshold does");
  const table = add(right, "table", { class: "simlab-confusion" });
  const words = add(right, "div", { class: "simlab-words" });
  add(right, "p", { class: "simlab-caption" }, data.note);
  add(el, "h4", { class: "simlab-head" }, "At the border: the last pairs called copies, and the first that are not");
  const pairs = cards(el);

  const update = () => {
    const choice = model.get("choice"), view = model.get("view");
    methods.forEach((method, n) => weights[n](choice.weights[method]));
    for (const [key, show] of others) show(choice[key]);
    if (!view.curve) return;
    roc(all(view.curve), [0, Math.max(view.curve.threshold.findLastIndex((limit) => limit <= choice.threshold), 0)]);
    table.replaceChildren();
    const { found, missed, false_alarms, rejected } = view.counts;
    for (const [name, ...cells] of [["", "called copies", "called different"], ["copies", found, missed], ["non-copies", false_alarms, rejected]]) {
      const line = add(table, "tr");
      add(line, "th", { scope: "row" }, name);
      cells.forEach((cell) => add(line, name ? "td" : "th", name ? {} : { scope: "col" }, name ? grouped(cell) : cell));
    }
    words.replaceChildren();
    for (const text of view.words) add(words, "p", {}, text);
  };
  const redraw = () => pairs(model.get("cards"), model.get("view").thresholds, "ensemble");
  update();
  redraw();
  model.on("change:choice change:view", update);
  model.on("change:cards", redraw);
}

export default { render };
