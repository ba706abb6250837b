// A plain range input: each arrow key is one place (that of ipywidgets' SelectionSlider is a tenth of the range).
function render({ model, el }) {
  const name = Object.assign(document.createElement("span"), { className: "widget-label" });
  const input = Object.assign(document.createElement("input"), { type: "range", min: 0, step: 1 });
  const shown = Object.assign(document.createElement("span"), { className: "simlab-number" });
  const update = () => {
    const places = model.get("places");
    input.max = places.length - 1;
    input.value = model.get("index");
    input.disabled = places.length < 2;
    name.textContent = model.get("label");
    shown.textContent = places[model.get("index")] ?? "";
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    model.set("index", Number(input.value));
    model.save_changes();
    update();
  });
  for (const trait of ["places", "index", "label"]) model.on(`change:${trait}`, update);
  el.classList.add("simlab-slider");
  el.append(name, input, shown);
  update();
}

export default { render };
