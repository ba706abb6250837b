// A list of small pictures above their names. The kernel is asked for a picture when it comes into sight, one at a time.
const PAUSE = 30; // ms that a list which is scrolled must rest
let lists = 0;

function render({ model, el }) {
  const list = document.createElement("div");
  const id = `simlab-shelf-${(lists += 1)}`;
  list.className = "simlab-shelf";
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", model.get("label"));
  el.append(list);
  const made = new Map(); // name → the address of its picture
  const inSight = new Set();
  let items = [], asking, awaited = "";

  const ask = () => {
    clearTimeout(asking);
    asking = setTimeout(() => {
      const next = items.find((item) => inSight.has(item) && !made.has(item.title));
      if (!next || awaited) return;
      awaited = next.title;
      model.send({ name: awaited });
    }, PAUSE);
  };
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](target);
    ask();
  }, { root: list, rootMargin: "60px" });

  const item = (name, number) => {
    const option = document.createElement("div");
    option.id = `${id}-${number}`;
    option.title = name;
    option.setAttribute("role", "option");
    const picture = document.createElement("img");
    picture.alt = "";
    if (made.has(name)) picture.src = made.get(name);
    const text = document.createElement("span");
    text.textContent = name; // never as HTML: names come from files
    option.append(picture, text);
    option.addEventListener("click", () => choose(name));
    return option;
  };
  const choose = (name) => {
    model.set("value", name);
    model.save_changes();
  };
  const mark = () => {
    list.removeAttribute("aria-activedescendant");
    for (const option of items) {
      const isChosen = option.title === model.get("value");
      option.setAttribute("aria-selected", isChosen);
      if (!isChosen) continue;
      list.setAttribute("aria-activedescendant", option.id);
      // within the list: the page stays where it is
      const [top, bottom] = [option.offsetTop, option.offsetTop + option.offsetHeight];
      if (top < list.scrollTop) list.scrollTop = top;
      if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
    }
  };
  const fill = () => {
    sight.disconnect();
    inSight.clear();
    awaited = ""; // of the list before
    items = model.get("options").map(item);
    list.replaceChildren(...items);
    items.forEach((option) => sight.observe(option));
    mark();
  };
  list.addEventListener("keydown", (event) => {
    const columns = items.filter((option) => option.offsetTop === items[0].offsetTop).length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -items.length, End: items.length };
    if (!(event.key in steps) || !items.length) return;
    event.preventDefault();
    const at = items.findIndex((option) => option.title === model.get("value"));
    choose(items[Math.min(Math.max(at + steps[event.key], 0), items.length - 1)].title);
  });
  const receive = ({ name }, buffers) => {
    if (!made.has(name)) made.set(name, URL.createObjectURL(new Blob(buffers, { type: "image/jpeg" })));
    for (const option of items) if (option.title === name) option.firstChild.src = made.get(name);
    awaited = "";
    ask();
  };

  model.on("change:options", fill);
  model.on("change:value", mark);
  model.on("msg:custom", receive);
  fill();
  return () => {
    clearTimeout(asking);
    sight.disconnect();
    model.off("change:options", fill);
    model.off("change:value", mark);
    model.off("msg:custom", receive);
    made.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
