// The review in JupyterLab: pictures come from the kernel when they are seen, and every decision goes to its files at once.
const PATIENCE = 6000; // ms without an answer of the kernel

function render({ model, el }) {
  const root = element("div", { class: "review lab", "data-lm-suppress-shortcuts": "true" });
  const note = element("p", { class: "note", role: "alert" });
  const waiting = new Map(); // what was asked → who waits for it
  const addresses = [];
  let pending = 0;
  el.append(note, root);

  const ask = (what, ...files) => {
    const key = [what, ...files].join(" ");
    return new Promise((done) => {
      const others = waiting.get(key) ?? [];
      waiting.set(key, [...others, done]);
      if (!others.length) send({ what, files });
    });
  };
  const send = (content) => {
    try {
      model.send(content);
    } catch {
      // the kernel is gone, which the note will say
    }
  };
  const picture = async (what, file) => {
    const { buffer, size } = await ask(what, file);
    [data.files.width[file], data.files.height[file]] = size;
    const address = URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" }));
    addresses.push(address);
    return address;
  };
  const small = new Map(); // file → address, asked for once
  const host = {
    small: (file) => small.get(file) ?? small.set(file, picture("small", file)).get(file),
    large: (file) => picture("large", file),
    matches: async (a, b) => (await ask("matches", a, b)).lines,
    places: async (a, b) => placesOf((await ask("places", a, b)).places),
    changed: (groups, plan) => {
      clearTimeout(pending);
      pending = setTimeout(() => (note.textContent = "The kernel does not answer; this may not be saved. Run the cell again: the review goes on where it was."), PATIENCE);
      send({ what: "decided", groups: groups.map((g) => [g, { values: plan.values[g], reasons: plan.reasons[g], against: plan.against[g] }]) });
    },
  };
  model.on("msg:custom", (content, buffers) => {
    if (content.what === "saved") {
      clearTimeout(pending);
      note.textContent = content.refused;
      if (content.groups.length) reviewed.take(content.groups);
      return;
    }
    const key = [content.what, ...content.files].join(" ");
    const answer = { ...content, buffer: buffers?.[0] };
    for (const done of waiting.get(key) ?? []) done(answer);
    waiting.delete(key);
  });
  const data = structuredClone(model.get("data"));
  data.files.width = data.files.name.map(() => 0);
  data.files.height = data.files.name.map(() => 0);
  const reviewed = review(root, data, host, root);
  return () => {
    clearTimeout(pending);
    addresses.forEach((address) => URL.revokeObjectURL(address));
  };
}

export default { render };
