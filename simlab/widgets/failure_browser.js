// The failure browser: three figures to choose from, filters, and a page of pairs. `choice` goes both ways.
function render({ model, el }) {
  keepKeys(el);
  const data = model.get("data");
  const { methods, kinds, verdicts } = data;
  const choose = (changes) => {
    model.set("choice", { ...model.get("choice"), page: 0, ...changes });
    model.save_changes();
  };
  const figures = add(el, "div", { class: "simlab-row" });
  const roc = plot(figures, lines, "ROC: choose a point", ([s, i]) => {
    const leave = model.get("choice").distance === null ? {} : { verdict: verdicts[0] };
    choose({ method: methods[s], fpr: data.curves.series[s].x[i], distance: null, ...leave });
  });
  const bins = plot(figures, bars, "Distances: choose a bin", ([i]) => {
    choose({ distance: model.get("view").histogram.left[i], verdict: "all" });
  });
  const heat = cells(figures, "Share of copies found: choose a cell", ([i, j]) => {
    choose({ method: methods[j], kind: kinds[i], verdict: verdicts[0], distance: null });
  });

  const controls = add(el, "div", { class: "simlab-row simlab-filters" });
  const select = (label, values, names, change) => {
    const control = add(add(controls, "label", {}, `${label} `), "select", { "aria-label": label });
    values.forEach((_, n) => add(control, "option", { value: n }, names[n]));
    control.addEventListener("change", () => change(values[control.value]));
    return (value) => (control.value = values.indexOf(value));
  };
  const method = select("Method", methods, methods, (value) => choose({ method: value, distance: null }));
  const kind = select("Perturbation", kinds, data.names, (value) => choose({ kind: value, distance: null }));
  const group = add(controls, "div", { class: "simlab-buttons", role: "group", "aria-label": "which pairs" });
  const toggles = verdicts.map((verdict) => {
    const button = add(group, "button", {}, verdict);
    button.addEventListener("click", () => choose({ verdict }));
    return button;
  });
  const turns = add(controls, "div", { class: "simlab-buttons" });
  const [back, on] = [["← previous", -1], ["next →", 1]].map(([text, step]) => {
    const button = add(turns, "button", {}, text);
    button.addEventListener("click", () => choose({ page: model.get("choice").page + step }));
    return button;
  });
  const words = add(el, "p", { class: "simlab-words", role: "status" });
  const pairs = cards(el, (action, row) => model.send({ action, row }));

  const update = () => {
    const choice = model.get("choice"), view = model.get("view"), column = methods.indexOf(choice.method);
    method(choice.method);
    kind(choice.kind);
    toggles.forEach((button, n) => button.setAttribute("aria-pressed", verdicts[n] === choice.verdict));
    const point = data.curves.series[column].x.findLastIndex((rate) => rate <= choice.fpr * (1 + 1e-9));
    roc(data.curves, [column, Math.max(point, 0)]);
    if (!view.histogram) return;
    const { left, right, share, count } = view.histogram, half = left.length / 2; // copies, then non-copies
    const [copies, others, n_copies, n_others] = [share, share, count, count].map((c, n) => c.slice((n % 2) * half, (n % 2) * half + half));
    const bin = choice.distance === null ? -1 : Math.max(left.findLastIndex((edge, n) => n < half && edge <= choice.distance), 0);
    const shown = { left: left.slice(0, half), right: right.slice(0, half), copies, others, n_copies, n_others };
    const { name, colour } = data.curves.series[methods.indexOf(view.method)];
    const names = { name, colour, xlabel: `distance by ${name}`, ylabel: "share of pairs, root scale" };
    bins({ ...shown, ...names, threshold: view.thresholds[name] }, [bin]);
    heat(view.cells, [kinds.indexOf(choice.kind), column]);
    words.textContent = view.words.join(" ");
    back.disabled = choice.page <= 0;
    on.disabled = choice.page >= view.pages - 1;
  };
  const redraw = () => pairs(model.get("cards"), model.get("view").thresholds, model.get("view").method, model.get("matches"));
  update();
  redraw();
  model.on("change:choice change:view", update);
  model.on("change:cards change:matches", redraw);
}

export default { render };
