// The studio in a tab of its own beside the notebook, on the notebook's kernel.

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import { Panel, Widget } from '@lumino/widgets';
import { icon } from './icon';
import { ask } from './kernel';

/** A tab that shows what a line of `%compress` shows; its panel ends with it. */
export class StudioTab extends MainAreaWidget<Panel> {
  constructor(
    private readonly notebook: NotebookPanel,
    private readonly code: string,
    title: string,
    private readonly trans: TranslationBundle
  ) {
    super({ content: new Panel() });
    this.id = `compression-workbench-studio-${this.place}`;
    this.title.label = title;
    this.title.caption = trans.__('The studio, on the kernel of %1', notebook.title.label);
    this.title.icon = icon;
    this.title.closable = true;
    this.content.addClass('wbx-studio');
    this.toolbar.hide();
    notebook.sessionContext.kernelChanged.connect(this.gone, this);
    notebook.sessionContext.statusChanged.connect(this.statusChanged, this);
    notebook.disposed.connect(this.dispose, this);
  }

  /** Run the line; what it shows appears here. */
  async open(): Promise<void> {
    const area = new SimplifiedOutputArea({
      model: new OutputAreaModel({ trusted: true }),
      rendermime: this.notebook.content.rendermime // the notebook's own: it knows the kernel's widgets
    });
    this.content.addWidget(area);
    const { sessionContext } = this.notebook;
    await SimplifiedOutputArea.execute(this.code, area, sessionContext, { cellId: this.place });
  }

  override dispose(): void {
    if (this.isDisposed) return;
    const kernel = this.notebook.isDisposed ? null : this.notebook.sessionContext.session?.kernel;
    // the panel's widgets would live on in the kernel
    if (kernel && !this.isGone) ask(kernel, { do: 'close', place: this.place }).catch(() => undefined);
    super.dispose();
  }

  private statusChanged(_: unknown, status: string): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') this.gone();
  }

  /** The kernel that drew this is no more. */
  private gone(): void {
    if (this.isDisposed || this.isGone) return;
    this.isGone = true;
    for (const each of [...this.content.widgets]) each.dispose();
    const note = new Widget();
    note.addClass('wbx-note');
    note.node.textContent = this.trans.__(
      'The kernel was restarted. Run the cells that make the model, then open the studio again.'
    );
    this.content.addWidget(note);
  }

  private readonly place = UUID.uuid4();
  private isGone = false;
}
