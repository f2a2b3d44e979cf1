// A treegrid of versions. Only the rows in sight are in the page, so that a thousand are as quick as ten.

const ROW = 28; // pixels
const SPARE = 12; // rows above and below those in sight
const KEYS = "Enter: work from it · F2: name · N: note · P: pin · G: go on from it · Space: compare";

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

class Table {
  constructor(model, el) {
    this.model = model;
    this.byId = new Map();
    this.order = [];
    this.sorted = [];
    this.sort = null; // {key, down}
    this.active = "";
    this.editing = null; // {id, field}
    this.scroll = element("div", { class: "wb-vt-scroll", onscroll: () => this.draw() });
    this.grid = element("table", { role: "treegrid", "aria-label": "Versions", class: "wb-vt" });
    this.head = element("thead");
    this.body = element("tbody");
    this.grid.append(this.columns(), this.head, this.body);
    this.scroll.append(this.grid);
    this.hint = element("div", { class: "wb-vt-keys", "aria-hidden": "true" }, KEYS);
    el.append(this.scroll, this.hint);
    this.grid.addEventListener("keydown", (event) => this.pressed(event));
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("dblclick", (event) => this.doubled(event));
    this.take(model.get("rows"), model.get("rows").map((row) => row.id));
    this.active = model.get("selected");
    this.drawHead();
    this.draw();
    this.reveal(this.active);
  }

  take(rows, order) {
    for (const row of rows) this.byId.set(row.id, row);
    if (order) {
      this.order = order;
      const there = new Set(order);
      for (const id of this.byId.keys()) if (!there.has(id)) this.byId.delete(id);
    }
    this.arrange();
  }

  arrange() {
    const original = this.order.filter((id) => id === "");
    const others = this.order.filter((id) => id !== "");
    if (this.sort) {
      const { key, down } = this.sort;
      const value = (id) => {
        const row = this.byId.get(id);
        if (key === "name") return row.name;
        if (key === "note") return row.note || null;
        return row.cells[key]?.[0] ?? null;
      };
      others.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === null || y === null) return (x === null) - (y === null); // what is not known comes last
        const sign = typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
        return down ? -sign : sign;
      });
    }
    this.sorted = [...original, ...others];
    if (!this.byId.has(this.active)) this.active = this.sorted[0] ?? "";
  }

  columns() {
    const widths = ["mark", "pin", "name", ...this.model.get("columns").map((column) => column.kind)];
    return element("colgroup", {}, ...widths.map((kind) => element("col", { class: `wb-vt-${kind}` })));
  }

  drawHead() {
    const cell = (key, kind, title, more) => {
      const isBy = this.sort?.key === key;
      const arrow = !isBy ? "" : this.sort.down ? " ▾" : " ▴";
      const button = element("button", { type: "button", "data-sort": key, title: `${more}. Press to sort` }, title + arrow);
      return element("th", {
        role: "columnheader", scope: "col", class: `wb-vt-${kind}`,
        "aria-sort": !isBy ? "none" : this.sort.down ? "descending" : "ascending",
      }, button);
    };
    const blank = (words, sign) =>
      element("th", { role: "columnheader", scope: "col", title: words, "aria-label": words }, sign);
    this.head.replaceChildren(element("tr", { role: "row" },
      blank("compare", "⇄"), blank("pinned", "★"),
      cell("name", "name", "version", "name, below the version it was made from"),
      ...this.model.get("columns").map(({ key, kind, title, more }) => cell(key, kind, title, more)),
    ));
  }

  draw() {
    const count = this.sorted.length;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - SPARE);
    const inSight = Math.ceil((this.scroll.clientHeight || 300) / ROW);
    const last = Math.min(count, first + inSight + 2 * SPARE);
    const hadFocus = this.body.contains(document.activeElement) && !this.editing;
    const gap = (rows) => element("tr", { "aria-hidden": "true", style: `height:${rows * ROW}px` });
    const rows = [];
    if (this.editing && this.field?.isConnected) {
      const at = this.sorted.indexOf(this.editing.id);
      if (at >= first && at < last) return; // what is being written is not torn away
    }
    if (first > 0) rows.push(gap(first));
    for (let place = first; place < last; place++) rows.push(this.row(this.sorted[place], place));
    if (last < count) rows.push(gap(count - last));
    this.grid.setAttribute("aria-rowcount", count);
    this.body.replaceChildren(...rows);
    if (hadFocus) this.body.querySelector("tr[tabindex='0']")?.focus({ preventScroll: true });
  }

  row(id, place) {
    const row = this.byId.get(id);
    const isOriginal = id === "";
    const depth = this.sort || isOriginal ? 0 : row.depth;
    const isSelected = this.model.get("selected") === id;
    const isBegin = this.model.get("begins") === id && !isOriginal;
    const marked = this.model.get("marked").includes(id);
    const name = this.editing?.id === id && this.editing.field === "name"
      ? this.input(row.name, "name")
      : element("span", { class: "wb-vt-text" }, row.name);
    const told = [name];
    if (isBegin) told.push(element("span", { class: "wb-vt-begin", title: "Run begins here" }, "▸ run begins here"));
    const nameCell = element("th", { role: "rowheader", scope: "row", "data-field": "name", class: "wb-vt-name",
      style: `padding-left:${6 + 14 * Math.min(depth, 12)}px`, title: row.created ? `${row.name}, ${row.created}` : row.name },
      element("span", { class: "wb-vt-branch", "aria-hidden": "true" }, depth ? "└ " : ""), ...told);
    const cells = this.model.get("columns").map(({ key, kind }) => {
      if (key === "note") {
        const note = this.editing?.id === id && this.editing.field === "note"
          ? this.input(row.note, "note") : row.note;
        return element("td", { role: "gridcell", class: "wb-vt-note", "data-field": "note", title: row.note }, note);
      }
      const text = row.cells[key]?.[1] ?? "";
      return element("td", { role: "gridcell", class: `wb-vt-${kind}`, title: text }, text);
    });
    const mark = element("input", { type: "checkbox", tabindex: "-1", "data-do": "mark",
      "aria-label": `compare ${row.name}`, title: `Compare ${row.name}`, checked: marked });
    const pin = isOriginal ? "" : element("button", { type: "button", tabindex: "-1", "data-do": "pin",
      "aria-pressed": String(row.pinned), "aria-label": `pin ${row.name}`,
      title: row.pinned ? "Pinned: a size limit leaves it alone" : "Pin it" }, row.pinned ? "★" : "☆");
    return element("tr", {
      role: "row", "data-id": id, tabindex: id === this.active ? "0" : "-1",
      "aria-level": depth + 1, "aria-rowindex": place + 1, "aria-selected": String(isSelected),
      class: [isSelected && "wb-vt-selected", row.pinned && "wb-vt-pinned"].filter(Boolean).join(" "),
    }, element("td", { role: "gridcell" }, mark), element("td", { role: "gridcell" }, pin), nameCell, ...cells);
  }

  input(value, field) {
    const input = element("input", { type: "text", class: "wb-vt-input", "aria-label": field,
      maxlength: field === "name" ? 80 : 2000 });
    input.value = value;
    const end = (isKept) => {
      if (!this.editing) return;
      const { id } = this.editing;
      this.editing = null;
      if (isKept && input.value !== value) this.say(field === "name" ? "rename" : "note", id, input.value);
      this.draw();
      this.focus(id);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    this.field = input;
    queueMicrotask(() => { input.focus(); input.select(); });
    return input;
  }

  edit(id, field) {
    if (id === "") return;
    this.editing = { id, field };
    this.field = null;
    this.draw();
  }

  say(kind, id, value = null) {
    this.model.send({ kind, id, value });
  }

  mark(id) {
    const before = this.model.get("marked");
    const marked = before.includes(id) ? before.filter((each) => each !== id) : [...before, id].slice(-2);
    this.model.set("marked", marked);
    this.model.save_changes();
    this.draw();
  }

  pin(id) {
    if (id !== "") this.say("pin", id, !this.byId.get(id).pinned);
  }

  select(id) {
    this.active = id;
    this.say("select", id);
  }

  focus(id) {
    this.active = id;
    this.reveal(id);
    this.draw();
    this.body.querySelector(`tr[data-id="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
  }

  reveal(id) {
    const place = this.sorted.indexOf(id);
    if (place < 0) return;
    const head = this.head.offsetHeight || ROW;
    const top = place * ROW, bottom = top + ROW, seen = this.scroll.clientHeight - head;
    if (seen <= 0) return;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (bottom > this.scroll.scrollTop + seen) this.scroll.scrollTop = bottom - seen;
  }

  rowOf(event) {
    const row = event.target.closest("tr[data-id]");
    return row ? row.dataset.id : null;
  }

  clicked(event) {
    const key = event.target.closest("[data-sort]")?.dataset.sort;
    if (key) return this.sortBy(key);
    const id = this.rowOf(event);
    if (id === null || event.target.closest(".wb-vt-input")) return;
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (what === "mark") return this.mark(id);
    if (what === "pin") return this.pin(id);
    if (event.detail > 1) return; // the second of a double click
    this.select(id);
    this.focus(id);
  }

  doubled(event) {
    const id = this.rowOf(event);
    const field = event.target.closest("[data-field]")?.dataset.field;
    if (id !== null && field) this.edit(id, field);
  }

  sortBy(key) {
    const isNumber = this.sorted.some((id) => typeof this.byId.get(id).cells?.[key]?.[0] === "number");
    const first = key === "accuracy"; // the best first
    if (this.sort?.key !== key) this.sort = { key, down: isNumber && first };
    else if (this.sort.down === (isNumber && first)) this.sort = { key, down: !this.sort.down };
    else this.sort = null; // the tree again
    this.arrange();
    this.drawHead();
    this.draw();
    this.head.querySelector(`[data-sort="${key}"]`)?.focus();
  }

  pressed(event) {
    const id = this.rowOf(event);
    if (id === null || event.target.closest(".wb-vt-input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = this.sorted.indexOf(id);
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const does = { Enter: () => this.select(id), F2: () => this.edit(id, "name"), n: () => this.edit(id, "note"),
      p: () => this.pin(id), g: () => this.say("begin", id), " ": () => this.mark(id) };
    if (event.key in moves) {
      const next = Math.min(this.sorted.length - 1, Math.max(0, place + moves[event.key]));
      this.focus(this.sorted[next]);
    } else if (does[event.key] ?? does[event.key.toLowerCase()]) {
      (does[event.key] ?? does[event.key.toLowerCase()])();
    } else return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has keys of its own
  }
}

export default {
  render({ model, el }) {
    el.classList.add("wb-version-table");
    el.dataset.lmSuppressShortcuts = "true"; // letters typed here are not the notebook's
    const table = new Table(model, el);
    const heard = (told) => {
      if (told.kind !== "rows") return;
      table.take(told.changed, told.order);
      table.draw();
    };
    model.on("msg:custom", heard);
    const moved = () => {
      table.active = model.get("selected");
      table.reveal(table.active);
      table.draw();
    };
    const drawn = () => table.draw();
    const turned = () => { table.drawHead(); table.draw(); };
    model.on("change:selected", moved);
    model.on("change:begins", drawn);
    model.on("change:marked", drawn);
    model.on("change:columns", turned);
    const sized = new ResizeObserver(() => table.draw()); // a tab that is opened
    sized.observe(table.scroll);
    model.send({ kind: "ready", id: "" });
    return () => {
      sized.disconnect();
      model.off("msg:custom", heard);
      model.off("change:selected", moved);
      model.off("change:begins", drawn);
      model.off("change:marked", drawn);
      model.off("change:columns", turned);
    };
  },
};
