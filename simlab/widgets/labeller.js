// The labeller's pictures, buttons and keys. Python decides what is asked and what is saved; here an answer is only
// sent, and the next pair appears when it is on disk.
const ANSWERS = [["same", "Same picture", "S"], ["different", "Different", "D"], ["skip", "Skip", "K"], ["undo", "Undo", "U"]];
const VIEWS = [
  ["side by side", "Side by side", "1", ""],
  ["flicker", "Flicker", "2", "the one that is shown is named in full colour"],
  ["difference", "Difference", "3", "black where both are equal"],
  ["wipe", "Wipe", "4", "the query lies right of the line, which follows the pointer"],
];
const GAP = 12, LARGEST = 4, CLOSEST = 16; // between two pictures, in pixels; small pictures are enlarged up to this
const TURN = 700; // ms: slower than what may harm those who are sensitive to flashes
const PATIENCE = 6000; // ms without an answer of the kernel
const SVG = "http://www.w3.org/2000/svg";

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text; // never as HTML: names come from files
  parent.append(made);
  return made;
}

function button(parent, [name, text, key], className, press) {
  const made = element("button", className, parent, text);
  made.type = "button";
  made.dataset.name = name;
  made.setAttribute("aria-keyshortcuts", key);
  element("kbd", "", made, key).setAttribute("aria-hidden", "true");
  made.addEventListener("click", press);
  return made;
}

function render({ model, el }) {
  const root = element("div", "simlab-stage", el);
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Labeller. Keys: S same, D different, K skip, U undo, 1 to 4 views, M matches, plus and minus zoom");
  root.dataset.lmSuppressShortcuts = "true"; // D twice would delete the cell

  const head = element("div", "simlab-stage-head", root);
  const question = element("p", "simlab-question", head);
  const count = element("p", "simlab-count simlab-number", head);
  count.setAttribute("role", "status");
  const bar = element("progress", "simlab-progress", root);
  bar.setAttribute("aria-label", "Pairs labelled");
  const frame = element("div", "simlab-frame", root);
  const pictures = ["reference", "query"].map(() => element("img", "", frame));
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("aria-hidden", "true");
  frame.append(lines);
  const wiper = element("input", "simlab-wiper", root);
  Object.assign(wiper, { type: "range", min: 0, max: 1, step: 0.01, value: 0.5 });
  wiper.setAttribute("aria-label", "Where the query begins");
  const captions = element("div", "simlab-captions", root);
  const [first, hint, second] = [1, 2, 3].map(() => element("p", "simlab-caption", captions));
  const names = [first, second];
  const controls = element("div", "simlab-controls", root);
  const answers = element("div", "simlab-answers", controls);
  const looks = element("div", "simlab-looks", controls);
  const note = element("p", "simlab-note", root);
  note.setAttribute("role", "alert");

  let pending = 0, urls = [], front = 0, turning = 0;
  let zoom = 1, centre = [0.5, 0.5], wiped = 0.5; // the centre and the line as shares of the reference
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  const send = (what) => {
    const scene = model.get("scene");
    if (pending || !("number" in scene)) return;
    root.classList.add("simlab-pending");
    pending = setTimeout(() => (note.textContent =
      "The kernel does not answer; this may not be saved. Run the cell again: labelling goes on where it was."), PATIENCE);
    try {
      model.send({ what, number: scene.number });
    } catch {
      // the kernel is gone, which the note will say
    }
  };
  const arrived = () => {
    clearTimeout(pending);
    pending = 0;
    note.textContent = "";
    root.classList.remove("simlab-pending");
  };
  const look = (view) => {
    if (view === model.get("view") && view === "flicker") turn();
    model.set("view", view);
    model.save_changes();
  };
  const match = () => {
    model.set("matched", !model.get("matched"));
    model.save_changes();
  };

  const presses = {};
  for (const answer of ANSWERS)
    presses[answer[2]] = [button(answers, answer, `simlab-${answer[0]}`, () => send(answer[0])), () => send(answer[0])];
  const views = VIEWS.map((view) => {
    const made = button(looks, view, "simlab-look", () => look(view[0]));
    presses[view[2]] = [made, () => look(view[0])];
    return made;
  });
  const matches = button(looks, ["matches", "Matches", "M"], "simlab-look", match);
  presses.M = [matches, match];
  const closer = (factor) => {
    zoom = Math.max(1, Math.min(CLOSEST, zoom * factor));
    layout();
  };
  for (const [key, name, factor] of [["+", "Zoom in", 1.5], ["-", "Zoom out", 1 / 1.5]]) {
    presses[key] = [button(looks, [name, "Zoom", key], "simlab-look", () => closer(factor)), () => closer(factor)];
    presses[key][0].setAttribute("aria-label", name);
  }

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // by place where the keyboard writes no Latin letters
    const key = /^[a-z0-9+-]$/i.test(event.key) ? event.key : event.code.replace(/^(Key|Digit|Numpad)/, "");
    const press = presses[key.toUpperCase()];
    if (!press) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && press[0].getAttribute("aria-disabled") !== "true") press[1]();
  });
  frame.addEventListener("pointerdown", () => root.focus({ preventScroll: true }));
  frame.addEventListener("wheel", (event) => {
    if (!root.contains(document.activeElement)) return; // a page that is scrolled past stays as it is
    event.preventDefault();
    closer(event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
  frame.addEventListener("pointermove", (event) => {
    const [left, , width, height] = places()[0];
    if (event.buttons & 1 && zoom > 1) {
      centre = [centre[0] - event.movementX / width, centre[1] - event.movementY / height];
      layout();
    } else if (model.get("view") === "wipe") {
      wipe((event.clientX - frame.getBoundingClientRect().left - left) / width);
    }
  });
  const wipe = (share) => {
    wiped = Math.min(Math.max(share, 0), 1);
    wiper.value = wiped;
    layout();
  };
  wiper.addEventListener("input", () => wipe(Number(wiper.value)));

  // Where each picture lies in the frame: [left, top, width, height].
  const places = () => {
    const width = frame.clientWidth, height = frame.clientHeight, half = (width - GAP) / 2;
    const fit = (picture, left, room) => {
      const scale = Math.min(room / picture.naturalWidth, height / picture.naturalHeight, LARGEST) || 0;
      const [w, h] = [picture.naturalWidth * scale * zoom, picture.naturalHeight * scale * zoom];
      const half = 0.5 / zoom;
      centre = centre.map((share) => Math.min(Math.max(share, half), 1 - half));
      return [left + room / 2 - centre[0] * w, height / 2 - centre[1] * h, w, h, left, room];
    };
    if (model.get("view") === "side by side") return [fit(pictures[0], 0, half), fit(pictures[1], half + GAP, half)];
    const whole = fit(pictures[0].naturalWidth ? pictures[0] : pictures[1], 0, width);
    return [whole, whole]; // the query takes the shape of the reference
  };
  const layout = () => {
    const placed = places();
    placed.forEach(([left, top, width, height, start, room], i) => {
      // each stays in its half, and what is wiped away shows the reference below
      const begin = i && model.get("view") === "wipe" ? left + wiped * width : start;
      const cut = [0, left + width - start - room, 0, begin - left].map((by) => `${Math.max(0, by)}px`);
      Object.assign(pictures[i].style, {
        left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px`, clipPath: `inset(${cut.join(" ")})`,
      });
    });
    const beside = model.get("view") === "side by side" && model.get("matched");
    lines.replaceChildren();
    for (const [x1, y1, x2, y2, agrees] of beside ? model.get("lines") : []) {
      const line = document.createElementNS(SVG, "line");
      const [[l1, t1, w1, h1], [l2, t2, w2, h2]] = placed;
      const ends = { x1: l1 + x1 * w1, y1: t1 + y1 * h1, x2: l2 + x2 * w2, y2: t2 + y2 * h2 };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value.toFixed(1));
      line.setAttribute("class", agrees ? "simlab-agrees" : "simlab-astray");
      lines.append(line);
    }
  };
  const turn = () => {
    front = 1 - front;
    showFront();
  };
  const showFront = () => {
    const flicker = model.get("view") === "flicker";
    pictures[1].style.visibility = flicker && !front ? "hidden" : "visible";
    names.forEach((name, i) => name.classList.toggle("simlab-behind", flicker && i !== front));
    wiper.hidden = model.get("view") !== "wipe";
  };
  const showView = () => {
    const view = model.get("view");
    root.dataset.view = view;
    hint.textContent = VIEWS.find(([name]) => name === view)[3];
    for (const made of views) made.setAttribute("aria-pressed", made.dataset.name === view);
    matches.setAttribute("aria-pressed", model.get("matched"));
    matches.setAttribute("aria-disabled", view !== "side by side" || model.get("scene").done === true);
    clearInterval(turning);
    front = 0;
    if (view === "flicker" && !still.matches) turning = setInterval(turn, TURN);
    showFront();
    layout();
  };
  const showScene = () => {
    const scene = model.get("scene");
    if (!("number" in scene)) return;
    arrived();
    question.textContent = scene.question;
    count.textContent = scene.count;
    Object.assign(bar, { max: Math.max(scene.total, 1), value: scene.labelled });
    root.classList.toggle("simlab-done", scene.done);
    for (const [name, , key] of ANSWERS)
      presses[key][0].setAttribute("aria-disabled", name === "undo" ? !scene.undo : scene.done || (scene.unseen && name !== "skip"));
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = [];
    pictures.forEach((picture, i) => {
      const { data, alt, caption } = scene.pictures[i] ?? { alt: "", caption: "" };
      picture.hidden = !data || !data.byteLength;
      picture.removeAttribute("src");
      if (!picture.hidden) {
        picture.onload = layout;
        urls.push((picture.src = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }))));
      }
      picture.alt = alt;
      names[i].textContent = caption;
    });
    zoom = 1;
    showView();
  };

  const sized = new ResizeObserver(layout);
  sized.observe(frame);
  model.on("change:scene", showScene);
  model.on("change:view change:matched", showView);
  model.on("change:lines", layout);
  model.on("msg:custom", arrived); // refused: the status line says why
  showScene();
  showView();
  return () => {
    sized.disconnect();
    clearInterval(turning);
    clearTimeout(pending);
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
