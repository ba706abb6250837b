"use strict";
// Sorts tables, enlarges pictures and copies commands. Without it the page says the same.

const natural = new Intl.Collator(undefined, { numeric: true });

function key(row, at) {
  const cell = row.cells[at];
  return (cell.dataset.value ?? cell.textContent).trim();
}

function number(text) {
  return parseFloat(text.replaceAll(",", ""));
}

// Numbers by size, where every cell begins with one; else texts. What is not there comes last, both ways.
function order(rows, at, sign) {
  const absent = (text) => text === "" || text === "n/a" || text === "nan";
  const [missing, present] = [true, false].map((wanted) => rows.filter((row) => absent(key(row, at)) === wanted));
  const numeric = present.every((row) => /^[-+]?[.\d]/.test(key(row, at)));
  const compare = numeric ? (a, b) => number(a) - number(b) : natural.compare;
  present.sort((a, b) => sign * compare(key(a, at), key(b, at)));
  return [...present, ...missing];
}

function sortable(table) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  if (given.length < 2) return;
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      body.append(...(next === "none" ? given : order(given, at, next === "ascending" ? 1 : -1)));
    });
  });
}

function zoomable(picture, dialog) {
  const open = () => {
    const large = picture.querySelector("img").cloneNode();
    large.removeAttribute("width");
    const caption = picture.parentElement.querySelector("figcaption").cloneNode(true);
    large.addEventListener("click", () => dialog.classList.toggle("full"));
    dialog.classList.remove("full");
    dialog.setAttribute("aria-label", large.alt);
    dialog.querySelector("div").replaceChildren(large, caption);
    dialog.showModal();
  };
  picture.setAttribute("role", "button");
  picture.setAttribute("aria-haspopup", "dialog");
  picture.addEventListener("click", open);
  picture.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    open();
  });
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function copyable(block) {
  const text = block.textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await copyText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

document.documentElement.classList.add("scripted");
document.querySelectorAll("pre").forEach(copyable);
document.querySelectorAll("table").forEach(sortable);
const dialog = document.querySelector(".enlarged");
dialog.querySelector("button").addEventListener("click", () => dialog.close());
document.querySelectorAll(".picture").forEach((picture) => zoomable(picture, dialog));
