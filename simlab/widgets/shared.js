// ipywidgets shows the name of a control beside it and leaves screen readers without: it becomes an aria-label.
function nameControls(root) {
  for (const label of root.querySelectorAll(".widget-label")) {
    const controls = label.parentElement.querySelectorAll('[role="slider"], input, select, textarea, .widget-readout');
    for (const control of controls) control.setAttribute("aria-label", label.textContent.trim());
  }
  for (const line of root.querySelectorAll(".simlab-status")) line.setAttribute("role", "status");
}

function render({ el }) {
  const observer = new MutationObserver(() => begin());
  const begin = () => {
    const root = el.closest(".simlab");
    if (!root) return false;
    observer.disconnect();
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    nameControls(root);
    return true;
  };
  // it is rendered before it is put into the page
  const wait = () => begin() || (frame = requestAnimationFrame(wait));
  let frame = requestAnimationFrame(wait);
  return () => (cancelAnimationFrame(frame), observer.disconnect());
}

export default { render };
