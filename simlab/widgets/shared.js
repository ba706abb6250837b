// ipywidgets shows the name of a control beside it and leaves screen readers without: it becomes an aria-label.
const CONTROLS = '[role="slider"], input:not([type="radio"], [type="checkbox"]), select, textarea, .widget-radio-box';

function nameControls(root) {
  for (const label of root.querySelectorAll(".widget-label")) {
    for (const control of label.parentElement.querySelectorAll(CONTROLS)) {
      control.setAttribute("aria-label", label.textContent.trim());
    }
  }
  for (const group of root.querySelectorAll(".widget-radio-box")) group.setAttribute("role", "radiogroup");
  for (const line of root.querySelectorAll(".simlab-status")) line.setAttribute("role", "status");
}

function render({ el }) {
  let frame;
  const observer = new MutationObserver(() => nameControls(el.closest(".simlab")));
  // it is rendered before it is put into the page
  const wait = () => {
    const root = el.closest(".simlab");
    if (!root) return (frame = requestAnimationFrame(wait));
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    nameControls(root);
  };
  wait();
  return () => (cancelAnimationFrame(frame), observer.disconnect());
}

export default { render };
