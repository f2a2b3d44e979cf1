// The end of the bundle of the Vega libraries: what draws a chart, for all boards of a page.

const page = (globalThis[Symbol.for("workbench.live.1")] ??= { waiting: new Map() });
page.compiled ??= new Map();

const ERRORS_ONLY = 1; // Vega also warns of what is meant here: layers without rows, a height that follows them
const MOST_COMPILED = 60; // charts; a trade-off of other axes is another one
const ANY_WIDTH = 400; // pixels; a chart gets its own when it is drawn

/** The names of the data sources a spec draws. */
function sourcesOf(spec) {
  if (!spec || typeof spec !== "object") return ["rows"];
  const own = !Array.isArray(spec) && spec.data?.name ? [spec.data.name] : [];
  return [...own, ...Object.values(spec).flatMap(sourcesOf)];
}

/** The font of the page around an element. */
function fontOf(element) {
  return getComputedStyle(element).getPropertyValue("--jp-ui-font-family") || "sans-serif";
}

/** How a chart as wide as its place keeps its axes and legends inside, where it does not say so itself. */
function fitted(autosize) {
  return { type: "fit-x", contains: "padding", ...(typeof autosize === "string" ? { type: autosize } : autosize) };
}

/** Draw a chart with these rows by source; what Vega-Lite makes of a chart is kept, and made once a page. */
async function drawn(host, spec, { font = fontOf(host), width = ANY_WIDTH, rows = {} }) {
  const options = { actions: false, hover: false, renderer: "canvas", tooltip: { theme: "wb" }, logLevel: ERRORS_ONLY };
  const key = `${font} ${JSON.stringify(spec)}`;
  // the width is the board's: Vega would follow the window, and make a chart that is hidden meanwhile 0 pixels wide
  const sized = spec.width === "container" ? { width } : {};
  const known = page.compiled.get(key);
  if (known) {
    const filled = { ...structuredClone(known), ...sized };
    for (const data of filled.data) if (rows[data.name]) data.values = rows[data.name];
    for (const signal of filled.signals ?? []) if (signal.name === "place") signal.value = width;
    return vegaEmbed(host, filled, { ...options, mode: "vega" });
  }
  const datasets = Object.fromEntries(sourcesOf(spec).map((source) => [source, rows[source] ?? []]));
  if (sized.width) sized.autosize = fitted(spec.autosize);
  const filled = { ...structuredClone(spec), ...sized, datasets };
  for (const param of filled.params ?? []) if (param.name === "place") param.value = width;
  const made = await vegaEmbed(host, filled, { ...options, config: { font } });
  const { data, ...rest } = made.vgSpec;
  const empty = data.map((each) => (datasets[each.name] ? { ...each, values: [] } : each));
  page.compiled.set(key, { ...rest, data: empty });
  if (page.compiled.size > MOST_COMPILED) page.compiled.delete(page.compiled.keys().next().value);
  return made;
}

/** Draw a chart for nobody while the page waits for the rest of its panel: the first time is slow. */
async function warm(spec) {
  const made = await drawn(document.createElement("div"), spec, { font: fontOf(document.body) });
  made.finalize();
}

page.draw = drawn;
for (const arrived of page.waiting.get("vega") ?? []) arrived(drawn);
page.waiting.delete("vega");

export default {
  initialize({ model }) {
    const spec = model.get("first");
    if (spec?.$schema && !page.compiled.size) warm(spec); // not waited for: others are
  },
};
