// Names for screen readers, where ipywidgets leaves a control without one: the handle of a slider, its readout,
// and fields whose only name is a tooltip. A handle on a logarithmic scale says the value, not its exponent.
// What arrow keys move keeps its keys: JupyterLab would take them to go to another cell.

const MOVED = "select, [role=slider]";
const NAMELESS = "[role=slider], [contenteditable], select, textarea, input, [role=progressbar], progress";

function nameOf(each) {
  const label = each.closest(".widget-inline-hbox")?.querySelector(".widget-label")?.textContent.trim();
  return label || each.title || each.placeholder || each.closest("[title]:not([title=''])")?.title || "";
}

function say(each, attribute, text) {
  if (text && each.getAttribute(attribute) !== text) each.setAttribute(attribute, text);
}

function name(root) {
  for (const each of root.querySelectorAll(MOVED)) say(each, "data-lm-suppress-shortcuts", "true");
  for (const each of root.querySelectorAll(NAMELESS)) {
    if (each.isContentEditable) say(each, "role", "textbox");
    const hasLabel = each.labels && [...each.labels].some((label) => label.textContent.trim());
    if (!hasLabel && !each.hasAttribute("aria-labelledby")) say(each, "aria-label", nameOf(each));
    if (each.getAttribute("role") === "slider") {
      const readout = each.closest(".widget-inline-hbox")?.querySelector(".widget-readout");
      say(each, "aria-valuetext", readout?.textContent.trim());
    }
  }
}

export default {
  render({ el }) {
    let isDue = false;
    let root;
    const soon = () => {
      if (isDue) return;
      isDue = true;
      requestAnimationFrame(() => {
        isDue = false;
        if (root) name(root);
      });
    };
    const watch = new MutationObserver(soon);
    const changes = { childList: true, subtree: true, attributes: true };
    const begin = () => {
      root = el.closest(".wb-workbench");
      if (root) {
        watch.observe(root, { ...changes, attributeFilter: ["aria-valuenow", "title", "aria-valuetext"] });
        soon();
      } else if (!isGone) requestAnimationFrame(begin); // not on the page yet
    };
    let isGone = false;
    begin();
    return () => {
      isGone = true;
      watch.disconnect();
    };
  },
};
