// Copies the model's text to the clipboard, and says so for a moment.

const SAID_FOR = 1500; // ms

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // pages that are not secure have no clipboard
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.className = "jupyter-button widget-button wb-copy";
    button.textContent = "copy";
    button.title = "Copy the recipe";
    button.addEventListener("click", async () => {
      await copy(model.get("text"));
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), SAID_FOR);
    });
    el.append(button);
  },
};
