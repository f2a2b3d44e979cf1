// A table of layers: sorted by any column, one row chosen, by mouse or keyboard; cells change in place.
//
// Messages hold the cells that have changed; `latest` is for a page that loads (again). A column that
// is sorted by is sorted anew when the values have rested: rows do not run about while a slider moves.

const REST = 500; // ms
const ARROWS = { none: "", descending: " ▼", ascending: " ▲" };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function put(node, name, value) {
  if (node[name] !== value) node[name] = value;
}

/** One cell: its text, and two bars below it, what is now over what was. */
class Cell {
  constructor() {
    this.node = element("td");
    this.text = element("span", "wb-cell-text");
    this.bar = element("span", "wb-cell-bar");
    this.before = element("i", "wb-before");
    this.now = element("i", "wb-now");
    this.bar.setAttribute("aria-hidden", "true");
    this.bar.append(this.before, this.now);
    this.node.append(this.text, this.bar);
  }

  show([text, value, now, before, change]) {
    this.value = value;
    put(this.text, "textContent", text);
    put(this.node, "title", change);
    put(this.before.style, "width", `${100 * before}%`);
    put(this.now.style, "width", `${100 * now}%`);
  }
}

class Row {
  constructor(name, columns) {
    this.node = element("tr");
    this.node.dataset.layer = name;
    this.node.tabIndex = -1;
    const head = element("th");
    head.scope = "row";
    this.what = element("small", "wb-what-layer");
    this.note = element("small", "wb-own");
    head.append(element("span", "wb-layer-name", name), this.what, this.note);
    this.head = head;
    this.cells = columns.map(() => new Cell());
    this.node.append(head, ...this.cells.map((cell) => cell.node));
  }

  show(row) {
    put(this.what, "textContent", row.what);
    put(this.note, "textContent", row.note);
    put(this.head, "title", row.note ? `${row.name}: ${row.note}` : row.name);
    // all of them, or by their number those that have changed
    for (const [index, cell] of Object.entries(row.cells)) this.cells[index].show(cell);
  }
}

class Table {
  constructor(model, host) {
    this.model = model;
    this.columns = model.get("columns");
    this.rows = new Map();
    this.revision = -1;
    this.scroll = element("div", "wb-layer-scroll");
    this.table = element("table", "wb-layer-table");
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", "Layers. Arrow keys choose one; Escape chooses none.");
    this.body = element("tbody");
    this.empty = element("p", "wb-hint", model.get("hint"));
    this.table.append(this.makeHead(), this.body);
    this.scroll.append(this.table);
    host.append(this.scroll, this.empty);
    this.body.addEventListener("click", (event) => this.choose(event.target.closest("tr")?.dataset.layer));
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    this.listeners = {
      "msg:custom": (message) => message.kind === "rows" && this.take(message),
      "change:latest": () => this.take(model.get("latest")),
      "change:hint": () => put(this.empty, "textContent", model.get("hint")),
      "change:selected": () => this.showSelected(true),
      "change:order": () => this.sort(),
    };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(name, listener);
    this.take(model.get("latest"));
    this.sort();
    model.send({ kind: "ready" });
  }

  makeHead() {
    const line = element("tr");
    this.heads = new Map();
    const all = [{ key: "name", title: "layer", kind: "", help: "the layers in the model's order" }, ...this.columns];
    for (const { key, title, kind, help } of all) {
      const cell = element("th");
      cell.scope = "col";
      const button = element("button", "wb-sort");
      button.type = "button";
      button.title = `${help}. Press to sort: largest first, smallest first, the model's order`;
      const arrow = element("span", "wb-arrow");
      arrow.setAttribute("aria-hidden", "true");
      button.append(element("span", "", title), arrow, element("small", "wb-kind", kind));
      button.addEventListener("click", () => this.sortBy(key));
      cell.append(button);
      line.append(cell);
      this.heads.set(key, { cell, arrow });
    }
    const head = element("thead");
    head.append(line);
    return head;
  }

  /** Latest wins: state and messages may arrive out of order. */
  take({ revision, names, rows }) {
    if (revision === undefined || revision < this.revision) return;
    this.revision = revision;
    const isOther = names.length !== this.names?.length || names.some((name, index) => name !== this.names[index]);
    this.names = names;
    for (const [name, row] of Object.entries(rows)) {
      if (!this.rows.has(name)) this.rows.set(name, new Row(name, this.columns));
      this.rows.get(name).show(row);
    }
    put(this.empty, "hidden", names.length > 0);
    put(this.scroll, "hidden", names.length === 0);
    this.table.dataset.revision = revision;
    if (isOther) this.sort();
    else if (this.model.get("order").key) this.sortAtRest();
  }

  sortAtRest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.sort(), REST);
  }

  /** Numbers are sorted from the largest, names from A; the third press brings the model's order back. */
  sortBy(key) {
    const turns = key === "name" ? ["ascending", "descending"] : ["descending", "ascending"];
    const order = this.model.get("order");
    const direction = turns[order.key === key ? turns.indexOf(order.direction) + 1 : 0];
    this.model.set("order", direction ? { key, direction } : { key: "", direction: "none" });
    this.model.save_changes();
  }

  sort() {
    const { key, direction } = this.model.get("order");
    for (const [name, { cell, arrow }] of this.heads) {
      const sorted = name === key ? direction : "none";
      cell.setAttribute("aria-sort", sorted);
      put(arrow, "textContent", ARROWS[sorted]);
    }
    const sign = direction === "ascending" ? 1 : -1;
    const column = this.columns.findIndex((each) => each.key === key);
    const value = (name) => this.rows.get(name).cells[column].value;
    const places = new Map(this.names.map((name, index) => [name, index]));
    const compare = (a, b) => {
      if (key === "name") return sign * a.localeCompare(b, undefined, { numeric: true });
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null); // what is not known comes last
      return sign * (x - y);
    };
    const order = [...this.names];
    if (key === "name" || column >= 0) order.sort((a, b) => compare(a, b) || places.get(a) - places.get(b));
    this.place(order);
  }

  /** Put the rows in this order; those that stand right already are not touched. */
  place(order) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    order.forEach((name, index) => {
      const { node } = this.rows.get(name);
      if (this.body.children[index] !== node) this.body.insertBefore(node, this.body.children[index] ?? null);
    });
    while (this.body.children.length > order.length) this.body.lastElementChild.remove();
    this.order = order;
    focused?.focus({ preventScroll: true });
    this.showSelected(false);
  }

  showSelected(isBrought) {
    const selected = this.model.get("selected");
    const first = this.rows.has(selected) && this.names.includes(selected) ? selected : this.order?.[0];
    for (const [name, { node }] of this.rows) {
      node.setAttribute("aria-selected", String(name === selected));
      put(node, "tabIndex", name === first ? 0 : -1);
    }
    const node = this.rows.get(selected)?.node;
    if (isBrought && node?.isConnected) this.bring(node);
  }

  /** Scroll the table, never the page. */
  bring(node) {
    const head = this.table.tHead.offsetHeight;
    const { scrollTop, clientHeight } = this.scroll;
    const [top, bottom] = [node.offsetTop, node.offsetTop + node.offsetHeight];
    if (top < scrollTop + head) this.scroll.scrollTop = top - head;
    else if (bottom > scrollTop + clientHeight) this.scroll.scrollTop = bottom - clientHeight;
  }

  choose(name) {
    if (name === undefined) return;
    this.model.set("selected", name);
    this.model.save_changes();
  }

  pressed(event) {
    const at = this.order.indexOf(event.target.closest("tr")?.dataset.layer);
    const last = this.order.length - 1;
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / 28) - 2);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
      Enter: at,
      " ": at,
    }[event.key];
    if (event.key === "Escape") this.choose("");
    else if (to === undefined || at < 0) return;
    else {
      const name = this.order[Math.max(0, Math.min(to, last))];
      this.choose(name);
      this.rows.get(name).node.focus({ preventScroll: true });
    }
    event.preventDefault();
    event.stopPropagation(); // arrows and Enter are the notebook's, too
  }

  dispose() {
    clearTimeout(this.resting);
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(name, listener);
  }
}

export default {
  render({ model, el }) {
    const table = new Table(model, el);
    return () => table.dispose();
  },
};
