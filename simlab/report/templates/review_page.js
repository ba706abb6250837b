// The review as a page of its own: pictures are in the page or beside it, decisions in the browser until plan.csv is
// downloaded.

function csv(columns, rows) {
  // no spreadsheet takes a cell for a formula: as simlab's own tables
  const plain = (text) => (/^'*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [columns, ...rows].map((row) => row.map((cell) => quoted(plain(String(cell)))).join(",") + "\n").join("");
}

// A name of bytes that are no UTF-8 holds them as lone surrogates, as Python writes them.
function asBytes(text) {
  return text.split(/([\uDC80-\uDCFF])/u).map((part, n) => (n % 2 ? new Uint8Array([part.charCodeAt(0) - 0xdc00]) : part));
}

function download(name, text) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob(asBytes(text), { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function reviewPage(root, data) {
  const place = `simlab review ${data.key}`;
  const absolute = (name) => (data.root ? `${data.root.replace(/[/\\]$/, "")}/${name}` : name);
  const inFolder = (name) => /^\w[^:]*$/.test(name) ? name : `./${name}`; // as simlab's own labels
  const addressOf = (name) => data.base + name.split("/").map(encodeURIComponent).join("/");
  try {
    data.saved = JSON.parse(localStorage.getItem(place));
  } catch {
    // a browser that keeps nothing for files
  }
  const thumbnail = (file) => data.thumbs[data.files.thumb[file]];
  const host = {
    small: async (file) => thumbnail(file),
    large: (file) =>
      new Promise((done) => {
        const image = new Image();
        image.onload = () => done(image.src);
        image.onerror = () => done(thumbnail(file)); // moved, or of a kind that browsers do not show
        image.src = addressOf(data.files.name[file]);
      }),
    matches: async (a, b) => {
      const lines = data.matches[`${a},${b}`];
      const turned = data.matches[`${b},${a}`];
      const found = lines ?? turned?.map(([x1, y1, x2, y2]) => [x2, y2, x1, y1]);
      return found?.map((line) => line.map((share) => share / 1000)) ?? null;
    },
    places: async (a, b) => {
      const found = data.places?.[`${a},${b}`];
      const turned = data.places?.[`${b},${a}`];
      return placesOf(found) ?? placesOf(turned, true);
    },
    changed: (_, plan) => {
      try {
        localStorage.setItem(place, JSON.stringify(plan.saved()));
      } catch {
        // it is in the page as long as that is open
      }
    },
    actions: (plan, say) => [
      button("Download plan.csv", () => {
        download("plan.csv", csv(data.columns, plan.rows().map((row) => [data.root, ...row])));
        say("Next: the commands under What to do now, with the plan that you downloaded (nothing moves without --yes)");
      }, { class: "main" }),
      button("Download labels.csv", () => {
        const marks = plan.marks();
        if (!marks.length) return say("No picture is marked “Not a copy” or “A copy” yet.");
        download("labels.csv", csv(["reference", "query", "label"], marks.map(([a, b, label]) => [inFolder(a), inFolder(b), label])));
        say(`${counted(marks.length, "mark")}. Next:  simlab find … --labels labels.csv`);
      }),
      button("Copy paths to drop", async () => {
        const paths = plan.dropped().map(absolute);
        await copyText(paths.join("\n"));
        say(`${counted(paths.length, "path")} copied.`);
      }),
    ],
  };
  return review(root, data, host);
}

const reviewed = document.getElementById("review");
if (reviewed) reviewPage(reviewed, JSON.parse(document.getElementById("review-data").textContent));
