"use strict";
// What a search found, group by group: which file stays, which may go, which is no copy. The page of `simlab find`
// and the widget `review` both show it. What differs between the two is the `host`:
//   small(file), large(file)   a promise of the address of a picture, as a thumbnail and as large as there is
//   matches(a, b)              a promise of lines [x1, y1, x2, y2], shares of the sides; null where there are none
//   changed(changes, plan)     told of what was decided
//   actions(plan, say)         buttons of its own
// Names of files are untrusted: they are only ever put in as text.

const GROUPS_AT_ONCE = 12; // are put into the page together, and taken out when they are far away
const LARGEST_ZOOM = 16;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

function counted(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

function inBytes(n) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(n, 1)) / 3)));
  const value = n / 1000 ** power;
  return `${value.toLocaleString("en", { maximumFractionDigits: value < 10 && power > 0 ? 1 : 0 })} ${units[power]}`;
}

const baseOf = (name) => name.slice(name.lastIndexOf("/") + 1);
const folderOf = (name) => name.slice(0, Math.max(0, name.lastIndexOf("/")));

// What is decided of each picture of each group: "keep", "drop", "undecided" or "not" (a copy); of look-alikes
// "" (nothing said), "copy" or "not". A drop stands only beside a kept picture that it was found to be a copy of.
class Plan {
  constructor(data) {
    this.files = data.files;
    this.groups = data.groups;
    this.pairs = new Map();
    this.same = data.same; // of each file: what all that are identical to it have
    for (const pair of data.pairs) this.pairs.set(this.key(pair[0], pair[1]), pair);
    this.copies = new Set();
    for (const [a, b, verdict] of data.pairs) {
      if (verdict !== "look-alike") this.copies.add(this.key(this.same[a], this.same[b]));
    }
    this.values = this.groups.map((group) => [...group.values]);
    this.reasons = this.groups.map((group) => [...group.reasons]);
    this.against = this.groups.map((group) => [...group.against]); // what a mark is about
    this.past = [];
  }

  key(a, b) {
    return a < b ? `${a},${b}` : `${b},${a}`;
  }

  isCopy(a, b) {
    return this.same[a] === this.same[b] || this.copies.has(this.key(this.same[a], this.same[b]));
  }

  kept(g) {
    return this.groups[g].files.filter((_, k) => this.values[g][k] === "keep");
  }

  // The picture that another is compared with: the first that is kept, or of look-alikes the first.
  reference(g, k) {
    const { files, alike } = this.groups[g];
    const candidates = alike ? files : [...this.kept(g), ...files];
    return candidates.find((file) => file !== files[k]);
  }

  mayDrop(g, k) {
    const file = this.groups[g].files[k];
    return this.kept(g).some((kept) => kept !== file && this.isCopy(file, kept));
  }

  // Returns why a decision cannot be, or "".
  refusal(g, k, value) {
    const { files, alike } = this.groups[g];
    if (alike) return "";
    const others = this.kept(g).filter((file) => file !== files[k]);
    if (value === "drop" && !others.length) return "One picture of a group stays: choose another one to keep first.";
    if (value === "drop" && !this.mayDrop(g, k)) return "It was not found to be a copy of one that is kept.";
    if (value === "not" && !others.length) return "Choose the picture to keep first: this one is then no copy of it.";
    return "";
  }

  decide(g, k, value, by = "by hand") {
    const refused = this.refusal(g, k, value);
    if (refused) return refused;
    this.change(() => this.put(g, k, value, by), "one");
    return "";
  }

  // Runs what changes values, and remembers what was there, for undo.
  change(work) {
    const before = new Map();
    this.touched = (g) => before.has(g) || before.set(g, [[...this.values[g]], [...this.reasons[g]], [...this.against[g]]]);
    work();
    this.past.push(before);
    return [...before.keys()];
  }

  undo() {
    const before = this.past.pop() ?? new Map();
    for (const [g, [values, reasons, against]] of before) {
      this.values[g] = values;
      this.reasons[g] = reasons;
      this.against[g] = against;
    }
    return [...before.keys()];
  }

  put(g, k, value, by) {
    this.touched(g);
    const { files } = this.groups[g];
    this.against[g][k] = this.reference(g, k);
    if (value !== "only") {
      this.values[g][k] = value;
      this.reasons[g][k] = by;
    } else {
      files.forEach((_, at) => this.values[g][at] !== "not" && (this.values[g][at] = at === k ? "keep" : "undecided"));
      files.forEach((_, at) => this.values[g][at] === "undecided" && this.mayDrop(g, at) && (this.values[g][at] = "drop"));
      files.forEach((_, at) => this.values[g][at] !== "not" && (this.reasons[g][at] = by));
    }
    files.forEach((_, at) => {
      if (this.values[g][at] !== "drop" || this.mayDrop(g, at)) return;
      this.values[g][at] = "undecided";
      this.reasons[g][at] = "what it is a copy of is not kept";
    });
  }

  // Keeps in each of these groups what a rule names; a group in which it names nothing stays as it is.
  rule(groups, name, folder) {
    const { bytes, date, pixels } = this.files;
    const orders = {
      largest: (a, b) => pixels[b] - pixels[a] || bytes[b] - bytes[a],
      oldest: (a, b) => date[a] - date[b],
    };
    return this.change(() => {
      for (const g of groups) {
        const group = this.groups[g];
        if (group.alike) continue;
        const free = group.files.filter((_, k) => this.values[g][k] !== "not");
        if (name === "best") this.reset(g);
        else if (name in orders) this.put(g, group.files.indexOf([...free].sort(orders[name])[0]), "only", `by rule: the ${name}`);
        else this.keepUnder(g, free, folder);
      }
    });
  }

  reset(g) {
    this.touched(g);
    this.groups[g].values.forEach((value, k) => {
      if (this.values[g][k] === "not") return;
      this.values[g][k] = value;
      this.reasons[g][k] = this.groups[g].reasons[k];
    });
  }

  keepUnder(g, free, folder) {
    const { files } = this.groups[g];
    const inside = free.filter((file) => `${folderOf(this.files.name[file])}/`.startsWith(`${folder}/`));
    if (!inside.length) return;
    this.put(g, files.indexOf(inside[0]), "only", `by rule: under ${folder}`);
    for (const file of inside) this.put(g, files.indexOf(file), "keep", `by rule: under ${folder}`);
  }

  totals() {
    const totals = { keep: 0, drop: 0, undecided: 0, not: 0, copy: 0, "": 0, bytes: 0 };
    this.values.forEach((values, g) =>
      values.forEach((value, k) => {
        totals[value] += 1;
        if (value === "drop") totals.bytes += this.files.bytes[this.groups[g].files[k]];
      }),
    );
    return totals;
  }

  // Rows [file, group, decision, reason, sha256] as plan.csv has them: look-alikes are in no plan.
  rows() {
    const rows = [];
    this.groups.forEach(({ alike, number, files }, g) => {
      if (alike) return;
      files.forEach((file, k) => {
        const isNot = this.values[g][k] === "not";
        const reason = isNot ? `no copy of ${this.files.name[this.against[g][k]]}, by hand` : this.reasons[g][k];
        rows.push([this.files.name[file], number, isNot ? "keep" : this.values[g][k], reason, this.files.sha256[file]]);
      });
    });
    return rows;
  }

  // Rows [reference, query, label] of what was said to be a copy (1) or none (0).
  marks() {
    const marks = [];
    this.values.forEach((values, g) =>
      values.forEach((value, k) => {
        if (value !== "not" && value !== "copy") return;
        const query = this.groups[g].files[k];
        marks.push([this.files.name[this.against[g][k]], this.files.name[query], value === "copy" ? 1 : 0]);
      }),
    );
    return marks;
  }

  dropped() {
    return this.rows().filter((row) => row[2] === "drop").map((row) => row[0]);
  }

  // What differs from the proposal, [group, place, value, reason, against], to go on with later.
  saved() {
    const changes = [];
    this.values.forEach((values, g) =>
      values.forEach((value, k) => {
        if (value !== this.groups[g].values[k] || this.reasons[g][k] !== this.groups[g].reasons[k])
          changes.push([g, k, value, this.reasons[g][k], this.against[g][k]]);
      }),
    );
    return changes;
  }

  restore(changes) {
    for (const [g, k, value, reason, against] of changes ?? []) {
      if (this.values[g]?.[k] === undefined) continue;
      this.values[g][k] = value;
      this.reasons[g][k] = reason;
      this.against[g][k] = against;
    }
  }
}

const CHOICES = {
  copies: [
    ["keep", "Keep", "K"],
    ["drop", "Drop", "D"],
    ["not", "Not a copy", "N"],
  ],
  alike: [
    ["copy", "A copy", "S"],
    ["not", "Not a copy", "N"],
  ],
};
const RULES = { best: "the best, as proposed", largest: "the largest", oldest: "the oldest", folder: "those under a folder:" };
const KEYS = [
  ["← →", "picture"],
  ["↑ ↓", "group"],
  ["Enter", "compare"],
  ["K", "keep"],
  ["D", "drop"],
  ["N", "not a copy"],
  ["S", "a copy (look-alikes)"],
  ["O", "keep only this"],
  ["U", "undo"],
];

// The whole of it in `root`; `scroller` is what scrolls, null for the window.
function review(root, data, host, scroller = null) {
  const plan = new Plan(data);
  plan.restore(data.saved);
  const refreshers = new Map(); // group → what brings its card up to date
  const status = element("p", { class: "said", role: "status" });
  const say = (text) => (status.textContent = text);

  const changed = (groups) => {
    for (const g of groups) refreshers.get(g)?.();
    bar.refresh();
    host.changed?.(groups, plan);
  };
  const decide = (g, k, value) => {
    const isUndone = !["only", "keep"].includes(value) && plan.values[g][k] === value;
    const refused = plan.decide(g, k, isUndone ? (plan.groups[g].alike ? "" : "undecided") : value);
    say(refused);
    if (!refused) changed([g]);
  };
  const undo = () => {
    const groups = plan.undo();
    say(groups.length ? "" : "Nothing to undo.");
    changed(groups);
  };

  const bar = toolbar(plan, { host, say, undo, changed, show: (wanted) => lists.forEach((list) => list.show(wanted)) });
  const compare = comparison(plan, host, decide);
  const card = (g) => groupCard(g, { plan, host, decide, refreshers, compare });
  const numbers = plan.groups.map((_, g) => g);
  const lists = [false, true].map((alike) => groupList(numbers.filter((g) => plan.groups[g].alike === alike), alike, card, plan, scroller));
  root.append(bar.element, status, ...lists.map((list) => list.element), compare.element);
  root.addEventListener("keydown", (event) => onKey(event, { root, decide, undo, lists, compare }));
  bar.refresh();
  return {
    plan,
    // What was decided elsewhere.
    take(groups) {
      for (const [g, { values, reasons, against }] of groups) {
        plan.values[g] = values;
        plan.reasons[g] = reasons;
        plan.against[g] = against;
      }
      for (const refresh of refreshers.values()) refresh();
      bar.refresh();
    },
  };
}

function onKey(event, { root, decide, undo, lists, compare }) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("input:not([type=range]), select, textarea")) return;
  // by place where the keyboard writes no Latin letters
  const key = /^[a-z0-9]$/i.test(event.key) ? event.key.toUpperCase() : event.code.replace(/^(Key|Digit|Numpad)(?=.$)/, "");
  if (compare.element.open) {
    if (compare.press(key)) event.preventDefault();
    return;
  }
  const picture = event.target.closest(".card");
  const done = key === "U" ? (undo(), true) : picture && onPictureKey(key, picture, decide, lists);
  if (done) {
    event.preventDefault();
    event.stopPropagation();
  }
}

function onPictureKey(key, picture, decide, lists) {
  const g = Number(picture.closest(".group").dataset.group);
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  const turns = { ArrowUp: -1, ArrowDown: 1 };
  const values = { K: "keep", D: "drop", N: "not", S: "copy", O: "only" };
  if (key in steps) {
    const pictures = [...picture.parentElement.children];
    pictures[pictures.indexOf(picture) + steps[key]]?.querySelector(".shot").focus();
  } else if (key in turns) {
    lists.find((list) => list.has(g)).focus(g, turns[key]);
  } else if (key in values) {
    picture.querySelector(`[data-value="${values[key]}"]`) && decide(g, Number(picture.dataset.place), values[key]);
  } else {
    return false;
  }
  return true;
}

// Totals, rules, a filter, and the buttons of the host.
function toolbar(plan, { host, say, undo, changed, show }) {
  const totals = element("p", { class: "totals" });
  const wanted = { text: "", only: "" };
  const update = (changes) => show(Object.assign(wanted, changes));
  const filter = element("input", { type: "search", placeholder: "Name or folder", "aria-label": "Show only names with", oninput: (event) => update({ text: event.target.value }) });
  const only = element(
    "select",
    { "aria-label": "Show only groups", onchange: (event) => update({ only: event.target.value }) },
    element("option", { value: "" }, "all groups"),
    element("option", { value: "undecided" }, "with something undecided"),
    element("option", { value: "changed" }, "that you changed"),
  );
  const folders = element("select", { "aria-label": "Folder", hidden: true }, ...foldersOf(plan).map((name) => element("option", { value: name }, name || "(top)")));
  const rules = element("select", { "aria-label": "Rule", onchange: () => (folders.hidden = rules.value !== "folder") });
  for (const [value, text] of Object.entries(RULES)) rules.append(element("option", { value }, text));
  const apply = () => {
    const groups = plan.groups.map((_, g) => g).filter((g) => !plan.groups[g].alike && isWanted(plan, g, wanted));
    changed(plan.rule(groups, rules.value, folders.value));
    say(`Done in ${counted(groups.length, "group")}. U takes it back.`);
  };
  const keys = element("details", { class: "keys" }, element("summary", {}, "Keys"), element("dl", {}, ...KEYS.map(([key, does]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, does)))));
  const made = element(
    "div",
    { class: "bar" },
    element("div", { class: "summary" }, totals, element("div", { class: "buttons" }, ...(host.actions?.(plan, say) ?? []), button("Undo", undo))),
    element(
      "div",
      { class: "tools" },
      element("label", {}, "Show ", only),
      element("label", {}, "with ", filter),
      element("label", { class: "rule" }, "Keep ", rules, folders, button("in all groups shown", apply)),
      keys,
    ),
  );
  const refresh = () => {
    const n = plan.totals();
    const parts = [`${counted(n.drop, "file")} to drop, ${inBytes(n.bytes)}`, `${n.keep.toLocaleString("en")} to keep`];
    if (n.undecided) parts.push(`${n.undecided.toLocaleString("en")} undecided`);
    const said = n.not + n.copy;
    if (said) parts.push(counted(said, "mark"));
    totals.replaceChildren(element("strong", {}, parts[0]), ` · ${parts.slice(1).join(" · ")}`);
  };
  return { element: made, refresh };
}

function button(text, press, attributes) {
  return element("button", { type: "button", onclick: press, ...attributes }, text);
}

// Folders and those that they lie in, the fullest first.
function foldersOf(plan) {
  const counts = new Map();
  plan.groups.forEach(({ alike, files }) => {
    for (const file of alike ? [] : files) {
      const parts = folderOf(plan.files.name[file]).split("/");
      parts.forEach((_, n) => {
        const folder = parts.slice(0, n + 1).join("/");
        counts.set(folder, (counts.get(folder) ?? 0) + 1);
      });
    }
  });
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 300).map(([name]) => name);
}

function isWanted(plan, g, { text, only }) {
  const { files, values } = plan.groups[g];
  if (only === "undecided" && !plan.values[g].some((value) => value === "undecided" || value === "")) return false;
  if (only === "changed" && plan.values[g].every((value, k) => value === values[k])) return false;
  const part = text.toLowerCase();
  return !part || files.some((file) => plan.files.name[file].toLowerCase().includes(part));
}

// Cards of groups in blocks: only those near the window are in the page, so that any number scrolls alike.
function groupList(groups, alike, card, plan, scroller) {
  const body = element("div", { class: "groups" });
  const count = element("span", { class: "count" });
  const words = alike
    ? "Much speaks for a copy, and something contradicts it: two fills of a form, two shots of a scene. Nothing of them is in the plan; what you say here teaches a recipe."
    : "Largest saving first. Drop is offered only for a file that was found to be a copy of one that is kept.";
  const made = element("section", { class: alike ? "alike" : "copies", hidden: !groups.length }, element("h2", {}, alike ? "Look-alikes " : "Copies ", count), element("p", { class: "aside" }, words), body);
  let shown = groups;
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) isIntersecting ? fill(target) : empty(target);
    },
    { root: scroller, rootMargin: "1200px 0px" },
  );
  const fill = (block) => {
    if (block.childElementCount) return;
    const start = Number(block.dataset.start);
    block.style.height = "";
    block.append(...shown.slice(start, start + GROUPS_AT_ONCE).map(card));
  };
  const empty = (block) => {
    if (!block.childElementCount || block.contains(document.activeElement)) return;
    block.style.height = `${block.offsetHeight}px`;
    block.replaceChildren();
  };
  const show = (wanted) => {
    observer.disconnect();
    shown = groups.filter((g) => isWanted(plan, g, wanted));
    count.textContent = shown.length < groups.length ? `${shown.length.toLocaleString("en")} of ${counted(groups.length, "group")}` : counted(groups.length, "group");
    const blocks = [];
    for (let start = 0; start < shown.length; start += GROUPS_AT_ONCE) {
      const height = 330 * Math.min(GROUPS_AT_ONCE, shown.length - start);
      blocks.push(element("div", { class: "block", "data-start": start }));
      blocks.at(-1).style.height = `${height}px`;
    }
    body.replaceChildren(...blocks);
    blocks.forEach((block) => observer.observe(block));
  };
  const focus = (g, step) => {
    const at = shown.indexOf(g) + step;
    if (at < 0 || at >= shown.length) return;
    const block = body.children[Math.floor(at / GROUPS_AT_ONCE)];
    fill(block);
    const next = block.querySelector(`[data-group="${shown[at]}"]`);
    next.querySelector(".shot").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  show({ text: "", only: "" });
  return { element: made, show, focus, has: (g) => plan.groups[g].alike === alike };
}

function groupCard(g, { plan, host, decide, refreshers, compare }) {
  const group = plan.groups[g];
  const { files } = group;
  const saving = element("span", { class: "saving" });
  const pictures = group.files.map((file, k) => pictureCard(g, k, { plan, host, decide, compare }));
  const heading = element("h3", {}, counted(group.files.length, "picture"), saving);
  const made = element("article", { class: files.length > 2 ? "group many" : "group", "data-group": g }, element("header", {}, heading, group.note && element("p", { class: "aside" }, group.note)), element("ul", { class: "pictures" }, ...pictures.map((one) => one.element)));
  const refresh = () => {
    const bytes = group.files.reduce((sum, file, k) => sum + (plan.values[g][k] === "drop" ? plan.files.bytes[file] : 0), 0);
    saving.textContent = bytes ? `${inBytes(bytes)} could go` : "";
    pictures.forEach((one) => one.refresh());
  };
  refreshers.set(g, refresh);
  refresh();
  return made;
}

function pictureCard(g, k, { plan, host, decide, compare }) {
  const { files, alike } = plan.groups[g];
  const file = files[k];
  const name = plan.files.name[file];
  const image = element("img", { alt: "", loading: "lazy", decoding: "async" });
  const about = element("p", { class: "about" });
  host.small(file).then((address) => {
    if (address) image.src = address;
    about.replaceChildren(...factsOf(plan.files, file)); // a size may have come with it
  });
  const badge = element("p", { class: "badge" });
  const why = element("p", { class: "why" });
  const isHead = alike && k === 0;
  const choices = isHead ? [] : CHOICES[alike ? "alike" : "copies"].map(([value, text, key]) => button(text, () => decide(g, k, value), { "data-value": value, "aria-keyshortcuts": key }));
  const only = alike ? "" : button("Only this", () => decide(g, k, "only"), { "data-value": "only", class: "only", title: "Keep this one and drop its copies (O)" });
  const made = element(
    "li",
    { class: "card", "data-place": k },
    element("button", { type: "button", class: "shot", "aria-label": `Compare ${name}`, onclick: () => compare.open(g, k) }, image),
    element("div", { class: "state" }, badge, only),
    element("p", { class: "name" }, baseOf(name)),
    element("p", { class: "folder" }, folderOf(name) || "(top folder)"),
    about,
    why,
    element("div", { class: "choice", role: "group", "aria-label": `Decision on ${baseOf(name)}` }, ...choices),
  );
  about.append(...factsOf(plan.files, file));
  const refresh = () => {
    const value = plan.values[g][k];
    made.dataset.value = isHead ? "head" : value;
    badge.textContent = isHead ? "Compared with" : { keep: "Keep", drop: "Drop", not: "Not a copy", copy: "A copy", undecided: "Undecided", "": "" }[value];
    why.textContent = isHead ? "" : aboutOf(plan, g, k);
    for (const choice of choices) {
      const refused = plan.values[g][k] === choice.dataset.value ? "" : plan.refusal(g, k, choice.dataset.value);
      choice.setAttribute("aria-pressed", value === choice.dataset.value);
      choice.setAttribute("aria-disabled", refused !== "");
      choice.title = refused;
    }
  };
  return { element: made, refresh };
}

// Why it is kept, or left to a person; else what it is to the one that is kept.
function aboutOf(plan, g, k) {
  const reason = plan.reasons[g][k];
  const isSaid = ["keep", "undecided"].includes(plan.values[g][k]) && reason && reason !== "by hand";
  const text = isSaid ? reason : wordsOf(plan, g, k);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function factsOf({ width, height, bytes, date }, file) {
  const day = date[file] ? new Date(date[file] * 1000).toISOString().slice(0, 10) : "";
  const size = width[file] ? `${width[file]} × ${height[file]}` : "";
  return [size, inBytes(bytes[file]), day].filter(Boolean).map((fact) => element("span", {}, fact));
}

// What was done to a picture, seen from the other of its pair.
function editOf([, query, verdict, , edit], file) {
  if (verdict !== "copy" || !edit || edit === "cannot be told") return "";
  const turned = { "a part of it": "it and more around it", "it and more around it": "a part of it" };
  const text = file === query ? edit : (turned[edit] ?? edit);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// What a picture is to the one it is compared with: the kind of edit, if it is known.
function wordsOf(plan, g, k) {
  const reference = plan.reference(g, k);
  const pair = plan.pairs.get(plan.key(reference, plan.groups[g].files[k]));
  if (pair) return [editOf(pair, plan.groups[g].files[k]), pair[3]].filter(Boolean).join(". ");
  if (plan.isCopy(reference, plan.groups[g].files[k])) return "Identical to a copy of it";
  const link = plan.groups[g].alike ? "to look like the first" : "to be a copy of the kept one";
  return `Joined through others: not found ${link} itself`;
}
