// All Vega views of one panel: specs once, rows as one message a tick, the latest drawn on the next frame.
//
// The model's `initialize` makes the board, so that rows are received before anything is shown; `render` shows
// all its charts one below the other, and place.js shows one of them anywhere on the page.

// what scripts of this package share on a page, whichever of them comes first
const page = (globalThis[Symbol.for("workbench.live.1")] ??= { waiting: new Map() });
page.boards ??= new Map();

const FALLBACK = { ink: "#212121", faint: "#616161", line: "#bdbdbd", paper: "#ffffff" };
const VARIABLES = {
  ink: "--jp-ui-font-color1",
  faint: "--jp-ui-font-color2",
  line: "--jp-border-color1",
  paper: "--jp-layout-color0",
};
const ACCENT = { true: "#0072B2", false: "#56B4E9" }; // by whether the theme is light
const NEAR = 8; // pixels; small marks are hard to hit
const FRAME = 16; // ms; who was not drawn for so long is drawn at once
const CALM_PAUSE = 300; // ms between drawings for people who asked for less motion

/** What draws a chart, once the libraries are on the page; see vega.js. */
function drawing() {
  if (page.draw) return Promise.resolve(page.draw);
  return new Promise((resolve) => {
    page.waiting.set("vega", [...(page.waiting.get("vega") ?? []), resolve]);
  });
}

/** The rows of one chart of a message, made anew for each view: Vega writes into what it is given. */
function rowsOf(part, buffers) {
  if (part.rows) return part.rows.map((row) => ({ ...row }));
  const numbers = Object.entries(part.numbers).map(([name, index]) => {
    const { buffer, byteOffset, byteLength } = buffers[index];
    return [name, new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength))];
  });
  const others = Object.entries(part.others);
  return Array.from({ length: part.length }, (_, at) => {
    const row = {};
    for (const [name, values] of numbers) row[name] = Number.isNaN(values[at]) ? null : values[at];
    for (const [name, values] of others) row[name] = values[at];
    return row;
  });
}

/** The symbols of a scene, all of them in the plot's coordinates where they are marks of the one plot. */
function* symbolsOf(mark) {
  for (const item of mark.items ?? []) {
    if (mark.marktype === "symbol") yield item;
    if (mark.marktype === "group") for (const inner of item.items ?? []) yield* symbolsOf(inner);
  }
}

/** One chart in one place of the page. */
class Figure {
  constructor(board, name, host) {
    this.board = board;
    this.name = name;
    this.drawn = new Map(); // the revision of each source that is on the page
    this.figure = document.createElement("figure");
    this.figure.className = "wb-figure";
    this.figure.dataset.chart = name;
    this.canvas = document.createElement("div");
    this.canvas.className = "wb-vega";
    this.caption = document.createElement("figcaption");
    this.caption.className = "wb-spoken";
    this.figure.append(this.canvas, this.caption);
    host.append(this.figure);
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.figure);
  }

  /** The names of the parameters of its spec. */
  get params() {
    return (this.board.model.get("specs")[this.name]?.params ?? []).map(({ name }) => name);
  }

  get isSeen() {
    return this.figure.clientWidth > 0;
  }

  /** Follow the container; the first time it has a width, build the view. */
  async fit() {
    const width = this.figure.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    if (!this.view) return this.build();
    if (this.params.includes("place")) this.view.signal("place", width);
    await this.view.signal("width", width).resize().runAsync();
    await this.view.resize().runAsync(); // once more: the legend has wrapped by now
    this.board.schedule();
  }

  async build() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.isBuilding = true; // meanwhile the old view keeps its rows: those of the new one mean something else
    try {
      await this.board.inTurn(() => this.embed(turn));
    } finally {
      if (turn === this.turn) this.isBuilding = false;
    }
    await this.draw();
  }

  async embed(turn) {
    if (turn !== this.turn) return; // while it waited for its turn another build was asked for
    const spec = this.board.model.get("specs")[this.name];
    const draw = await drawing(); // rows that come meanwhile are drawn with it
    const first = this.parts();
    const rows = Object.fromEntries(first.map(([source, part]) => [source, rowsOf(part, part.buffers)]));
    const made = await draw(this.canvas, spec, { width: this.figure.clientWidth || this.width || undefined, rows });
    if (turn !== this.turn) return made.finalize(); // another build overtook this one, or it was disposed of
    this.made?.finalize();
    this.made = made;
    this.view = this.figure.view = made.view; // on the element too, for tests and the console
    this.width = this.figure.clientWidth;
    this.drawn = new Map();
    this.told(first);
    this.recolor();
    this.listen(spec);
  }

  /** Draw the latest rows; a call while one is drawing leaves the newest for when it is done. */
  async draw() {
    if (!this.view || !this.isSeen || this.isDrawing) return;
    this.isDrawing = true;
    try {
      let fresh;
      while (this.view && !this.isBuilding && (fresh = this.fresh()).length) {
        const { view } = this;
        for (const [source, part] of fresh) {
          view.change(source, view.changeset().remove(() => true).insert(rowsOf(part, part.buffers)));
        }
        await view.runAsync();
        if (view === this.view) this.told(fresh);
      }
    } finally {
      this.isDrawing = false;
    }
  }

  /** What was last sent to this chart, by source: `rows`, and those sent as `chart:source`. */
  parts() {
    const main = this.board.latest.get(this.name) ?? { revision: 0, rows: [], text: "" };
    const others = [...this.board.latest].filter(([key]) => key.startsWith(`${this.name}:`));
    return [["rows", main], ...others.map(([key, part]) => [key.slice(this.name.length + 1), part])];
  }

  fresh() {
    return this.parts().filter(([source, { revision }]) => revision !== this.drawn.get(source));
  }

  told(parts) {
    for (const [source, { revision, text }] of parts) {
      this.drawn.set(source, revision);
      if (source === "rows") this.caption.textContent = text ?? "";
    }
    this.figure.dataset.revision = Math.max(...this.drawn.values());
  }

  recolor() {
    if (!this.view) return;
    const style = getComputedStyle(this.figure);
    const { jpThemeLight, wbCharts } = document.body.dataset; // the second is chosen in the front end's settings
    const isLight = wbCharts ? String(wbCharts === "light") : jpThemeLight;
    const colours = { accent: ACCENT[isLight] ?? ACCENT[true] };
    for (const [name, variable] of Object.entries(VARIABLES)) {
      colours[name] = style.getPropertyValue(variable).trim() || FALLBACK[name];
    }
    // a chart that was not made for a board has none of these, and keeps its colours
    for (const name of this.params) if (name in colours) this.view.signal(name, colours[name]);
    this.view.runAsync();
  }

  /** Tell Python what is selected, once a frame while it changes. Axes that are zoomed tell nothing. */
  listen(spec) {
    const selecting = (spec.params ?? []).filter((each) => each.select && each.bind !== "scales");
    for (const { name, select } of selecting) {
      const isInterval = (select.type ?? select) === "interval";
      const later = (task) => this.board.onFrame(`${this.name}/${name}`, () => this.view && task());
      if (isInterval) {
        this.view.addSignalListener(name, () => later(() => this.reportRanges(name)));
        continue;
      }
      // not by the signal: a click on what is selected already changes none, yet says something
      this.view.addEventListener("click", (event, item) => {
        const datum = this.meant(event, item, select.fields);
        const point = datum && Object.fromEntries(select.fields.map((field) => [field, datum[field]]));
        if (point) this.board.tell(this.name, name, { points: [point], shift: event.shiftKey });
      });
    }
  }

  reportRanges(name) {
    if (this.isClearing !== name) this.board.tell(this.name, name, { ranges: this.view.signal(name) ?? {} });
    this.isClearing = null;
  }

  /** The row a click means: of the mark below the pointer, else of the nearest symbol within a few pixels. */
  meant({ clientX, clientY }, item, fields) {
    const isOne = (datum) => datum && fields.every((field) => field in datum);
    if (isOne(item?.datum)) return item.datum;
    const { x, y } = this.canvas.querySelector("canvas").getBoundingClientRect();
    const { left, top } = this.view.padding();
    const [right, down] = this.view.origin();
    const distance = (mark) => Math.hypot(mark.x - (clientX - x - left - right), mark.y - (clientY - y - top - down));
    const near = [...symbolsOf(this.view.scenegraph().root)].filter((mark) => isOne(mark.datum) && distance(mark) < NEAR);
    return near.sort((one, other) => distance(one) - distance(other))[0]?.datum;
  }

  /** Take a rectangle away without telling anybody: it is no longer what is selected. */
  clear(name) {
    const fields = Object.keys(this.view?.signal(name) ?? {});
    if (!fields.length) return;
    this.isClearing = name;
    for (const field of fields) this.view.signal(`${name}_${field}`, null);
    this.view.runAsync();
  }

  dispose() {
    this.turn = (this.turn ?? 0) + 1;
    this.resizing.disconnect();
    this.made?.finalize();
    this.made = this.view = null;
    this.figure.remove();
  }
}

class Board {
  constructor(model) {
    this.model = model;
    this.figures = new Set();
    this.latest = new Map();
    this.frames = new Map();
    this.building = Promise.resolve();
    this.told = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.themes = new MutationObserver(() => this.recolor());
    this.themes.observe(document.body, {
      attributes: true,
      attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "data-wb-charts"],
    });
    model.on("msg:custom", (message, buffers) => this.receive(message, buffers));
    model.on("change:latest", () => this.takeState());
    model.on("change:specs", () => this.rebuild());
    this.takeState();
    this.specs = model.get("specs");
    model.send({ kind: "ready" });
  }

  takeState() {
    for (const [name, part] of Object.entries(this.model.get("latest"))) this.keep(name, part, []);
    this.schedule();
  }

  receive(message, buffers) {
    if (message.kind === "clear") {
      for (const figure of this.figures) if (figure.name === message.chart) figure.clear(message.name);
    }
    if (message.kind !== "rows") return;
    for (const [name, part] of Object.entries(message.charts)) this.keep(name, part, buffers);
    this.schedule();
  }

  /** Latest wins: state and messages may arrive out of order. */
  keep(name, part, buffers) {
    const known = this.latest.get(name);
    if (!known || part.revision >= known.revision) this.latest.set(name, { ...part, buffers });
  }

  /** Draw what is new: at once, before the page turns to other messages, but no more often than it paints. */
  schedule() {
    const now = performance.now();
    if (this.calm.matches || this.frames.has("draw") || now - (this.drawnAt ?? 0) < FRAME) {
      this.onFrame("draw", () => this.draw());
    } else this.draw();
  }

  draw() {
    this.drawnAt = performance.now();
    this.figures.forEach((figure) => figure.draw());
  }

  /** Build one chart after the other, and let the page paint in between: the first is seen before the last is there. */
  inTurn(build) {
    const built = this.building.then(build);
    this.building = built.catch(() => {}).then(() => new Promise((resolve) => setTimeout(resolve)));
    return built;
  }

  /** Do a thing once, on the next frame, however often it is asked for until then. */
  onFrame(key, task) {
    const isWaiting = this.frames.has(key);
    this.frames.set(key, task);
    if (isWaiting) return;
    const go = () => {
      const latest = this.frames.get(key);
      this.frames.delete(key);
      latest?.();
    };
    if (this.calm.matches && key === "draw") setTimeout(go, CALM_PAUSE);
    else requestAnimationFrame(go);
  }

  /** Build again only the charts whose spec is another one. */
  rebuild() {
    const before = this.specs;
    this.specs = this.model.get("specs");
    for (const figure of this.figures) {
      const [old, now] = [before[figure.name], this.specs[figure.name]];
      if (JSON.stringify(old) !== JSON.stringify(now)) figure.build();
    }
  }

  recolor() {
    // JupyterLab names the theme before its stylesheet is in force
    for (const pause of [0, 100, 500]) {
      setTimeout(() => this.figures.forEach((figure) => figure.recolor()), pause);
    }
  }

  tell(chart, name, told) {
    const selections = this.model.get("selections");
    const turn = (this.told += 1); // the same mark clicked twice is two selections
    this.model.set("selections", {
      ...selections,
      [chart]: { ...selections[chart], [name]: { ...told, turn } },
    });
    this.model.save_changes();
  }

  mount(name, host) {
    const figure = new Figure(this, name, host);
    this.figures.add(figure);
    return () => {
      this.figures.delete(figure);
      figure.dispose();
    };
  }

  dispose() {
    this.themes.disconnect();
    this.figures.forEach((figure) => figure.dispose());
    this.figures.clear();
    this.frames.clear();
  }
}

export default {
  initialize({ model }) {
    const id = model.get("board");
    const board = new Board(model);
    page.boards.set(id, board);
    for (const arrived of page.waiting.get(id) ?? []) arrived(board);
    page.waiting.delete(id);
    return () => {
      page.boards.delete(id);
      board.dispose();
    };
  },
  render({ model, el }) {
    const board = page.boards.get(model.get("board"));
    const mounted = Object.keys(model.get("specs")).map((name) => board.mount(name, el));
    return () => mounted.forEach((unmount) => unmount());
  },
};
