// One chart of a board, shown wherever this widget stands.

const page = (globalThis[Symbol.for("workbench.live.1")] ??= { waiting: new Map() });

function boardNamed(id) {
  const board = page.boards?.get(id);
  if (board) return Promise.resolve(board);
  return new Promise((resolve) => {
    page.waiting.set(id, [...(page.waiting.get(id) ?? []), resolve]);
  });
}

export default {
  async render({ model, el }) {
    const board = await boardNamed(model.get("board"));
    return board.mount(model.get("chart"), el);
  },
};
