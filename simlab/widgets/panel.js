// ipywidgets shows the name of a control beside it and leaves screen readers without: it becomes an aria-label.
const CONTROLS = '[role="slider"], input:not([type="radio"], [type="checkbox"]), select, textarea, .widget-radio-box';

function adopt(root) {
  for (const label of root.querySelectorAll(".widget-label")) {
    for (const control of label.parentElement.querySelectorAll(CONTROLS)) {
      control.setAttribute("aria-label", label.textContent.trim());
    }
  }
  for (const group of root.querySelectorAll(".widget-radio-box")) group.setAttribute("role", "radiogroup");
  // or JupyterLab would take the arrow keys of a list or slider, and letters, for commands to the notebook
  for (const control of root.querySelectorAll("a, button, input, select, textarea, [tabindex]")) {
    control.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  for (const line of root.querySelectorAll(".simlab-status")) line.setAttribute("role", "status");
}

function render({ el }) {
  let frame;
  const observer = new MutationObserver(() => adopt(el.closest(".simlab") ?? el)); // el: no longer in the page
  // it is rendered before it is put into the page
  const wait = () => {
    const root = el.closest(".simlab");
    if (!root) return (frame = requestAnimationFrame(wait));
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    adopt(root);
  };
  wait();
  return () => (cancelAnimationFrame(frame), observer.disconnect());
}

export default { render };
