// Two pictures of a group, looked at closely: side by side, one wiped over the other, their difference, matches,
// and the places where they contradict each other.

const LOOKS = [
  ["beside", "Side by side", "1"],
  ["wipe", "Wipe", "2"],
  ["difference", "Difference", "3"],
];
const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["both", "first", "second", "colours"]; // what a place is: each has something of its own there, or one; or the colours differ

function comparison(plan, host, decide) {
  const state = { g: 0, k: 0, look: "beside", zoom: 1, x: 0.5, y: 0.5, wiped: 0.5, lines: null, places: null, outlined: true, turn: 0 };
  const names = [0, 1].map(() => element("figcaption", { class: "caption" }));
  const images = [0, 1].map(() => element("img", { alt: "", draggable: "false" }));
  const veil = element("div", { class: "veil" }); // the second picture, where it lies on the first
  const panes = images.map((image, side) => element("figure", {}, element("div", { class: "pane" }, image), names[side]));
  const lines = document.createElementNS(SVG, "svg");
  const stage = element("div", { class: "stage" }, ...panes, lines);
  const wiper = element("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Wipe", oninput: () => set({ wiped: Number(wiper.value) }) });
  const zoomed = element("output", {});
  const title = element("h2", {});
  const words = element("p", { class: "words", role: "status" });
  const looks = LOOKS.map(([look, text, key]) => button(text, () => set({ look }), { "data-look": look, "aria-keyshortcuts": key }));
  const matches = button("Matches", () => toggleMatches(), { class: "matches", "aria-keyshortcuts": "M", "aria-pressed": "false" });
  const outlines = button("Places", () => toggleOutlines(), { class: "places", "aria-keyshortcuts": "P" });
  const choices = element("div", { class: "choice", role: "group", "aria-label": "Decision on the second picture" });
  const dialog = element(
    "dialog",
    { class: "compare", "aria-label": "Two pictures compared" },
    element("header", {}, title, button("Close", () => dialog.close(), { class: "close" })),
    element("div", { class: "looks" }, ...looks, matches, outlines, element("span", { class: "zoom" }, button("−", () => zoom(0.5), { "aria-label": "Zoom out" }), zoomed, button("+", () => zoom(2), { "aria-label": "Zoom in" })), wiper),
    stage,
    element("footer", {}, words, choices, element("div", { class: "turns" }, button("← Previous", () => step(-1)), button("Next →", () => step(1)))),
  );

  const file = (side) => (side ? plan.groups[state.g].files[state.k] : plan.reference(state.g, state.k));
  const set = (changes) => {
    Object.assign(state, changes);
    lay();
  };
  const zoom = (factor, x = state.x, y = state.y) => {
    const level = Math.max(1, Math.min(LARGEST_ZOOM, state.zoom * factor));
    // the point under the hand stays there
    const moved = (place, at) => place + (at - place) * (1 - state.zoom / level);
    set({ zoom: level, x: level === 1 ? 0.5 : moved(state.x, x), y: level === 1 ? 0.5 : moved(state.y, y) });
  };

  // Where a picture lies in its pane, whole: the largest that fits.
  const lay = () => {
    const isBeside = state.look === "beside";
    dialog.dataset.look = state.look;
    wiper.hidden = state.look !== "wipe";
    wiper.value = state.wiped;
    zoomed.textContent = `${Math.round(100 * state.zoom)} %`;
    for (const made of looks) made.setAttribute("aria-pressed", made.dataset.look === state.look);
    const half = 0.5 / state.zoom;
    state.x = Math.min(Math.max(state.x, half), 1 - half);
    state.y = Math.min(Math.max(state.y, half), 1 - half);
    if (isBeside) panes[1].firstChild.append(images[1]);
    else {
      veil.append(images[1]);
      panes[0].firstChild.append(veil);
    }
    images.forEach((image, side) => {
      const pane = panes[isBeside ? side : 0].firstChild;
      const shape = isBeside ? image : images[0]; // the second takes the shape of the first, to lie on it
      const [width, height] = [shape.naturalWidth || 4, shape.naturalHeight || 3];
      const scale = Math.min(pane.clientWidth / width, pane.clientHeight / height) * state.zoom;
      const drawn = isBeside ? scale : 1;
      image.style.setProperty("--scale", scale / drawn);
      Object.assign(image.style, {
        width: `${width * drawn}px`,
        height: `${height * drawn}px`,
        left: `${pane.clientWidth / 2 - state.x * width * scale}px`,
        top: `${pane.clientHeight / 2 - state.y * height * scale}px`,
        transform: isBeside ? "" : matrix([scale, 0, 0, 0, scale, 0, 0, 0, 1]),
      });
    });
    const shown = images[0].getBoundingClientRect().width;
    if (!isBeside) layOnFirst(shown);
    const edge = `${parseFloat(images[0].style.left) + state.wiped * shown}px`;
    panes[0].firstChild.style.setProperty("--wiped", edge);
    veil.style.clipPath = state.look === "wipe" ? `inset(0 0 0 ${edge})` : "";
    drawLines();
  };
  // A crop lies where it was cut out, as far as the search says so.
  const layOnFirst = (shown) => {
    const [first, second] = [file(0), file(1)];
    const pair = plan.pairs.get(plan.key(first, second));
    const { width, height } = plan.files;
    if (!pair?.[5] || !width[first] || !width[second]) return;
    const onFirst = pair[1] === second ? pair[5] : inverse(pair[5]);
    const scale = shown / width[first];
    Object.assign(images[1].style, {
      width: `${width[second]}px`,
      height: `${height[second]}px`,
      transform: matrix(onFirst.map((number, at) => (at < 6 ? scale * number : number))),
    });
  };
  const drawLines = () => {
    lines.replaceChildren();
    outlines.hidden = !state.places?.boxes.length;
    outlines.setAttribute("aria-pressed", String(state.outlined));
    if (state.look !== "beside") return;
    if (state.outlined && !state.lines) drawOutlines();
    if (!state.lines) return;
    const around = stage.getBoundingClientRect();
    const boxes = images.map((image) => image.getBoundingClientRect());
    for (const [x1, y1, x2, y2] of state.lines) {
      const line = document.createElementNS(SVG, "line");
      const ends = { x1: boxes[0].x + x1 * boxes[0].width, y1: boxes[0].y + y1 * boxes[0].height, x2: boxes[1].x + x2 * boxes[1].width, y2: boxes[1].y + y2 * boxes[1].height };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, (value - (name[0] === "x" ? around.x : around.y)).toFixed(1));
      lines.append(line);
    }
  };

  const drawOutlines = () => {
    const around = stage.getBoundingClientRect();
    for (const [kind, ...edges] of state.places?.boxes ?? []) {
      images.forEach((image, side) => {
        const box = image.getBoundingClientRect();
        const [left, top, right, bottom] = edges.slice(4 * side, 4 * side + 4);
        const rect = document.createElementNS(SVG, "rect");
        const place = { x: box.x - around.x + left * box.width, y: box.y - around.y + top * box.height, width: (right - left) * box.width, height: (bottom - top) * box.height };
        for (const [name, value] of Object.entries(place)) rect.setAttribute(name, value.toFixed(1));
        rect.setAttribute("class", KINDS[kind]);
        lines.append(rect);
      });
    }
  };
  const toggleOutlines = () => set({ outlined: !state.outlined, look: "beside" });

  const show = () => {
    const { g, k } = state;
    const turn = ++state.turn; // what arrives late, of an earlier pair, is not shown
    const group = plan.groups[g];
    title.textContent = `${k + 1} of ${counted(group.files.length, "picture")}`;
    Object.assign(state, { lines: null, places: null });
    matches.setAttribute("aria-pressed", "false");
    names.forEach((caption, side) => {
      const name = plan.files.name[file(side)];
      const role = side ? "" : group.alike ? "Compared with: " : "Kept: ";
      caption.replaceChildren(element("b", {}, `${role}${baseOf(name)}`), ` ${folderOf(name)} `, element("span", { class: "about" }, ...factsOf(plan.files, file(side))));
    });
    images.forEach((image, side) => {
      image.alt = plan.files.name[file(side)];
      image.onload = lay;
      host.small(file(side)).then((address) => turn === state.turn && address && (image.src = address));
      host.large(file(side)).then((address) => turn === state.turn && address && (image.src = address));
    });
    refresh();
    set({ zoom: 1, x: 0.5, y: 0.5, wiped: 0.5 });
    host.places?.(file(0), file(1)).then((found) => {
      if (turn !== state.turn || !found) return;
      set({ places: found });
      refresh();
    });
  };
  const refresh = (said = "") => {
    const { g, k } = state;
    const group = plan.groups[g];
    const sentences = [wordsOf(plan, g, k), state.places?.words].filter(Boolean);
    words.textContent = said || sentences.map((one) => one.replace(/\.?$/, ".")).join(" ");
    const value = plan.values[g][k];
    choices.replaceChildren(...CHOICES[group.alike ? "alike" : "copies"].map(([name, text, key]) => button(text, () => choose(name), { "data-value": name, "aria-keyshortcuts": key, "aria-pressed": String(value === name), "aria-disabled": String(value !== name && plan.refusal(g, k, name) !== "") })));
    choices.hidden = group.alike && k === 0;
  };
  const choose = (value) => {
    decide(state.g, state.k, value);
    refresh(plan.values[state.g][state.k] === value ? "" : plan.refusal(state.g, state.k, value));
  };
  const step = (by) => {
    const { length } = plan.groups[state.g].files;
    state.k = (state.k + by + length) % length;
    show();
  };
  const toggleMatches = async () => {
    const turn = state.turn;
    if (state.lines) return matches.setAttribute("aria-pressed", "false"), set({ lines: null });
    words.textContent = "Looking for matches …";
    const [a, b] = [file(0), file(1)];
    const found = await host.matches(a, b);
    if (turn !== state.turn) return;
    words.textContent = found?.length ? `${counted(found.length, "match", "matches")} on one geometry.` : "No matches of this pair are known.";
    matches.setAttribute("aria-pressed", String(Boolean(found?.length)));
    set({ lines: found?.length ? found : null, look: "beside", zoom: 1, x: 0.5, y: 0.5 });
  };

  const press = (key) => {
    const look = LOOKS.find((one) => one[2] === key);
    const value = CHOICES[plan.groups[state.g].alike ? "alike" : "copies"].find((one) => one[2] === key);
    if (look) set({ look: look[0] });
    else if (value) choose(value[0]);
    else if (key === "M") toggleMatches();
    else if (key === "P") toggleOutlines();
    else if (key === "ArrowRight" || key === "ArrowLeft") step(key === "ArrowRight" ? 1 : -1);
    else if (key === "Equal" || key === "NumpadAdd") zoom(2);
    else if (key === "Minus" || key === "NumpadSubtract") zoom(0.5);
    else return false;
    return true;
  };

  // A wheel zooms where it points, a hand drags, a hand on the wipe moves its edge.
  const shareOf = (event) => {
    const box = images[0].parentNode.contains(event.target) || state.look !== "beside" ? images[0] : images[1];
    const place = box.getBoundingClientRect();
    return [(event.clientX - place.x) / place.width, (event.clientY - place.y) / place.height, place];
  };
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = shareOf(event);
    zoom(event.deltaY < 0 ? 1.25 : 0.8, x, y);
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => stage.setPointerCapture(event.pointerId));
  stage.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const [x, , place] = shareOf(event);
    if (state.look === "wipe" && state.zoom === 1) {
      set({ wiped: Math.min(1, Math.max(0, x)) });
    } else set({ x: state.x - event.movementX / place.width, y: state.y - event.movementY / place.height });
  });
  stage.addEventListener("dblclick", () => zoom(state.zoom > 1 ? 0 : 3));
  new ResizeObserver(() => dialog.open && lay()).observe(stage);
  dialog.addEventListener("close", () => {
    const place = dialog.closest(".review").querySelector(`[data-group="${state.g}"] [data-place="${state.k}"] .shot`);
    place?.focus();
  });

  const open = (g, k) => {
    const { files, alike } = plan.groups[g];
    // the kept one is compared with the next
    const isFirst = alike ? k === 0 : files[k] === plan.kept(g)[0];
    Object.assign(state, { g, k: isFirst ? (k + 1) % files.length : k, look: state.look });
    dialog.showModal();
    show();
  };
  return { element: dialog, open, press };
}

// Both pictures are drawn by one, so that equal pixels meet to the pixel: a browser rounds widths, and no matrix.
function matrix([a, b, c, d, e, f, g, h, i]) {
  const columns = [a, d, 0, g, b, e, 0, h, 0, 0, 1, 0, c, f, 0, i];
  return `matrix3d(${columns.map((number) => number / i).join(",")})`;
}

// Of a 3 × 3 matrix, by rows; a factor of all does not count.
function inverse([a, b, c, d, e, f, g, h, i]) {
  return [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g, b * g - a * h, a * e - b * d];
}

// What Python says of a pair, in shares of the sides; of the pair the other way round, if it is turned.
function placesOf(found, turned = false) {
  if (!found) return null;
  const boxes = found.boxes.map(([kind, ...edges]) => {
    const shares = edges.map((edge) => edge / 1000);
    return turned ? [[0, 2, 1, 3][kind], ...shares.slice(4), ...shares.slice(0, 4)] : [kind, ...shares];
  });
  return { words: found.words[Number(turned)], boxes };
}
