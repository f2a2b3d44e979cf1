// What a person chose in the settings: for charts it is said to the page, the rest to every Python kernel.

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { Kernel } from '@jupyterlab/services';
import { ask, language } from './kernel';

interface Chosen {
  readonly runtime: string;
  readonly threads: number;
  readonly chartTheme: string;
  readonly loadMagics: boolean;
}

const DEFAULTS: Chosen = { runtime: 'pytorch', threads: 0, chartTheme: 'follow', loadMagics: false };

/** Applies the settings, now and whenever they or the kernels change. */
export class Chooser {
  constructor(
    private readonly tracker: INotebookTracker,
    private readonly settings: ISettingRegistry.ISettings
  ) {
    tracker.forEach(notebook => {
      this.follow(notebook);
    });
    tracker.widgetAdded.connect((_, notebook) => {
      this.follow(notebook);
    });
    settings.changed.connect(() => {
      this.apply();
    });
    this.applyTheme();
  }

  private get chosen(): Chosen {
    return { ...DEFAULTS, ...(this.settings.composite as Partial<Chosen>) };
  }

  private follow({ sessionContext }: NotebookPanel): void {
    const prepare = () => {
      void this.prepare(sessionContext.session?.kernel ?? null);
    };
    sessionContext.kernelChanged.connect(prepare);
    sessionContext.statusChanged.connect((_, status) => {
      if (status === 'restarting' || status === 'autorestarting') prepare(); // waits for the new one
    });
    prepare();
  }

  private apply(): void {
    this.applyTheme();
    this.isChanged = true;
    this.tracker.forEach(({ sessionContext }) => {
      void this.prepare(sessionContext.session?.kernel ?? null);
    });
  }

  private applyTheme(): void {
    const { chartTheme } = this.chosen;
    if (chartTheme === 'follow') delete document.body.dataset.wbCharts;
    else document.body.dataset.wbCharts = chartTheme;
  }

  /** Tell a kernel; one that is left with the defaults is not asked anything. */
  private async prepare(kernel: Kernel.IKernelConnection | null): Promise<void> {
    const { runtime, threads, loadMagics } = this.chosen;
    const isDefault = runtime === DEFAULTS.runtime && threads === DEFAULTS.threads && !loadMagics;
    if (!kernel || (isDefault && !this.isChanged)) return;
    try {
      if ((await language(kernel)) !== 'python') return;
      await ask(kernel, { do: 'prepare', settings: { runtime, threads }, load_magics: loadMagics });
    } catch {
      // a kernel without the package, or one that went away: the panel says so where it is looked at
    }
  }

  private isChanged = false;
}
