// The notebook in front: which one it is, and what is known of it.

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { Watched } from './watched';

/** Follows the notebook in front; `isShown` says whether anybody looks, so that kernels are left alone. */
export class Follower {
  readonly changed = new Signal<this, void>(this);

  constructor(private readonly tracker: INotebookTracker) {
    tracker.forEach(notebook => this.watch(notebook));
    tracker.widgetAdded.connect((_, notebook) => this.watch(notebook));
    tracker.currentChanged.connect(() => {
      this.follow();
    });
    this.follow();
  }

  /** What is known of the notebook in front; null where there is none. */
  get current(): Watched | null {
    const { currentWidget } = this.tracker;
    return currentWidget && !currentWidget.isDisposed ? this.watch(currentWidget) : null;
  }

  get isShown(): boolean {
    return this.shown;
  }

  set isShown(shown: boolean) {
    this.shown = shown;
    this.follow();
  }

  /** What is known of a notebook. */
  watch(notebook: NotebookPanel): Watched {
    const known = this.watched.get(notebook);
    if (known) return known;
    const watched = new Watched(notebook);
    this.watched.set(notebook, watched);
    watched.changed.connect(() => {
      if (watched === this.current) this.changed.emit();
    });
    return watched;
  }

  private follow(): void {
    const current = this.current;
    this.tracker.forEach(notebook => {
      const watched = this.watch(notebook);
      const isWanted = this.shown && watched === current;
      if (isWanted !== watched.isWanted) watched.isWanted = isWanted;
    });
    this.changed.emit();
  }

  private shown = false;
  private readonly watched = new WeakMap<NotebookPanel, Watched>();
}
