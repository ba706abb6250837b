// A place to drop a picture on, and a plain file input in it for the keyboard. A larger file would not pass the server.
const LIMIT = 9_000_000;

function render({ model, el }) {
  const place = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*,.heic,.heif" });
  input.setAttribute("aria-label", model.get("label"));
  place.className = "simlab-drop";
  place.append("Drop a picture of your own here, or", input);
  const send = async (files) => {
    for (const file of files) {
      const fits = file.size <= LIMIT;
      model.send({ name: file.name, bytes: file.size }, undefined, fits ? [await file.arrayBuffer()] : []);
    }
    input.value = ""; // so that the same file can come again
  };
  input.addEventListener("change", () => send(input.files));
  place.addEventListener("dragover", (event) => event.preventDefault()); // the browser would open the file
  place.addEventListener("drop", (event) => (event.preventDefault(), send(event.dataTransfer.files)));
  el.append(place);
}

export default { render };
