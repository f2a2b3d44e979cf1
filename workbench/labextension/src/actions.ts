// What the buttons of the panel and of the toolbar do, with the dialogs that ask before.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { insert, insertAndRun, withMagics } from './cells';
import type { Follower } from './follower';
import { Later, Missing, ask } from './kernel';
import type { Family, Listing, Model, Saved, Version } from './records';
import { StudioTab } from './studio';

/** The actions; what goes wrong is told in one line. */
export class Actions {
  /**
   * @param hasTabs Whether a tab can stand beside the notebook; the studio opens in the notebook where not.
   */
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly follower: Follower,
    private readonly hasTabs: boolean,
    private readonly trans: TranslationBundle
  ) {}

  /** Open the studio on what a line opens it on, in its own tab. */
  openStudio(line: string, name: string): void {
    const notebook = this.notebook;
    if (!notebook) return;
    const code = withMagics(line, this.listing);
    if (!this.hasTabs) {
      void this.told(insertAndRun(notebook, code));
      return;
    }
    const tab = new StudioTab(notebook, code, this.trans.__('Studio: %1', name), this.trans);
    this.app.shell.add(tab, 'main', { ref: notebook.id, mode: 'split-right' });
    void this.told(tab.open());
  }

  /** Insert code below the cell in front. */
  insertCode(code: string): void {
    if (this.notebook) insert(this.notebook, code);
  }

  /** Insert the line that opens a model. */
  insertLine(line: string): void {
    this.insertCode(withMagics(line, this.listing));
  }

  /** Ask which model, and open the studio on it. */
  async chooseAndOpen(): Promise<void> {
    const model = await this.choose(this.trans.__('Open the studio on'), this.trans.__('Open'));
    if (model?.line) this.openStudio(model.line, model.name);
  }

  /** Ask which model, and insert its line. */
  async chooseAndInsert(): Promise<void> {
    const model = await this.choose(this.trans.__('Insert %compress for'), this.trans.__('Insert'));
    if (model?.line) this.insertLine(model.line);
  }

  /** Ask with what, and run the comparison in the notebook. */
  async compare(family: Family, version: Version): Promise<void> {
    const { notebook, trans } = this;
    const original = family.word === null ? [] : [{ label: trans.__('the original'), word: family.word }];
    const others = family.versions.filter(each => each.id !== version.id);
    const choices = [...original, ...others.map(({ name, word }) => ({ label: name, word }))];
    const labels = choices.map(({ label }, index) => `${index + 1}. ${label}`); // names may be alike
    const { button, value } = await InputDialog.getItem({
      title: trans.__('Compare %1 with', version.name),
      items: labels,
      okLabel: trans.__('Compare')
    });
    const other = value === null ? undefined : choices[labels.indexOf(value)];
    if (!button.accept || !other || !notebook) return;
    const line = `%compress compare ${other.word} ${version.word}`;
    await this.told(insertAndRun(notebook, withMagics(line, this.listing)));
  }

  /** Ask for a file name, and save a version there. */
  async save(version: Version): Promise<void> {
    const { trans } = this;
    const { button, value } = await InputDialog.getText({
      title: trans.__('Save %1', version.name),
      label: trans.__('File beside the notebook: .safetensors is the packed file, .onnx exports'),
      text: `${fileName(version.name)}.safetensors`,
      okLabel: trans.__('Save')
    });
    if (button.accept && value?.trim()) await this.told(this.saveAs(version, value, false));
  }

  private async saveAs(version: Version, path: string, replace: boolean): Promise<void> {
    const { trans } = this;
    const kernel = this.notebook?.sessionContext.session?.kernel;
    if (!kernel) throw new Error(trans.__('this notebook has no kernel'));
    const told = await ask<Saved>(kernel, { do: 'save', id: version.id, path, replace });
    if (told.error) throw new Error(told.error);
    if (told.exists === undefined) {
      this.follower.current?.say(told.said ?? '');
      return;
    }
    const { button } = await showDialog({
      title: trans.__('Replace the file?'),
      body: trans.__('%1 is there already.', told.exists),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Replace') })]
    });
    if (button.accept) await this.saveAs(version, path, true);
  }

  /** A model of the notebook in front, asked for as it is now. */
  private async choose(title: string, okLabel: string): Promise<Model | undefined> {
    const { trans } = this;
    const models = await this.models();
    if (!models) return undefined;
    if (models.length === 0) {
      const body = trans.__(
        'This notebook has no PyTorch model yet. Run the cell that makes one, or write %compress alone for an example.'
      );
      await showDialog({ title: trans.__('No model'), body, buttons: [Dialog.okButton()] });
      return undefined;
    }
    const labels = models.map(each => `${each.name} · ${each.class} · ${each.texts.bytes}`);
    const { button, value } = await InputDialog.getItem({ title, items: labels, okLabel });
    return button.accept && value !== null ? models[labels.indexOf(value)] : undefined;
  }

  /** The models there are now; null where the kernel cannot be asked, which is told. */
  private async models(): Promise<Model[] | null> {
    const { trans } = this;
    const kernel = this.notebook?.sessionContext.session?.kernel;
    if (!kernel || kernel.status === 'dead') {
      await this.refuse(trans.__('This notebook has no running kernel. Start one first.'));
      return null;
    }
    const known = this.listing;
    if (kernel.status === 'busy' && known) return usable(known);
    if (kernel.status === 'busy') {
      await this.refuse(trans.__('The kernel is busy. Ask again when it rests.'));
      return null;
    }
    try {
      const listing = await ask<Listing>(kernel, { do: 'list' });
      return usable(listing);
    } catch (error) {
      await this.refuse(
        error instanceof Missing
          ? trans.__('The workbench is not installed in the environment of this kernel.')
          : error instanceof Later
            ? trans.__('The kernel is busy. Ask again when it rests.')
            : trans.__('This kernel does not answer: %1', reason(error))
      );
      return null;
    }
  }

  private async refuse(body: string): Promise<void> {
    const title = this.trans.__('Compress a model');
    await showDialog({ title, body, buttons: [Dialog.okButton()] });
  }

  /** Do it; what goes wrong is told, in the panel and, where that is not in sight, beside it. */
  private async told(action: Promise<unknown>): Promise<void> {
    this.follower.current?.say('');
    try {
      await action;
    } catch (error) {
      this.follower.current?.say(reason(error));
      if (!this.follower.isShown) Notification.error(reason(error), { autoClose: 10000 });
    }
  }

  private get notebook(): NotebookPanel | null {
    return this.follower.current?.notebook ?? null;
  }

  private get listing(): Listing | null {
    return this.follower.current?.listing ?? null;
  }
}

/** Models that a line can name. */
function usable(listing: Listing): Model[] {
  return listing.models.filter(each => each.line !== null);
}

/** A version's name as part of a file name that every system takes. */
function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|[-.]+$/g, '') || 'version';
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
