// Put code into a notebook, as a person would: below the cell in front, and run where asked.

import { type NotebookPanel, NotebookActions } from '@jupyterlab/notebook';
import type { Listing } from './records';

/** The line with the one that loads the magics before it, where they are not loaded yet. */
export function withMagics(line: string, listing: Listing | null): string {
  return listing?.are_magics_loaded ? line : `%load_ext workbench\n${line}`;
}

/** Insert a code cell; into the active one where that is empty. */
export function insert(notebook: NotebookPanel, code: string): void {
  const { content } = notebook;
  const active = content.activeCell;
  const isEmpty = active?.model.type === 'code' && active.model.sharedModel.getSource().trim() === '';
  if (!isEmpty) {
    NotebookActions.insertBelow(content);
    if (content.activeCell?.model.type !== 'code') NotebookActions.changeCellType(content, 'code');
  }
  content.activeCell?.model.sharedModel.setSource(code);
  content.mode = 'edit';
  notebook.activate();
}

/** Insert a code cell and run it. */
export async function insertAndRun(notebook: NotebookPanel, code: string): Promise<void> {
  insert(notebook, code);
  await NotebookActions.run(notebook.content, notebook.sessionContext);
}
