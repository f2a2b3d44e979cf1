// The plug-in that JupyterLab and Notebook 7 load.

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Actions } from './actions';
import { addCommands, offer } from './commands';
import { Follower } from './follower';
import { Panel } from './panel';
import { Chooser } from './settings';

const ID = 'compression-workbench:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Launcher card, left-hand panel and toolbar button of the compression workbench.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [
    ILabShell,
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    IDefaultFileBrowser,
    ISettingRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    browser: IDefaultFileBrowser | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('compression_workbench');
    const follower = new Follower(tracker);
    const actions = new Actions(app, follower, labShell !== null, trans);
    const panel = new Panel(follower, actions, trans);
    app.shell.add(panel, 'left', { rank: 650, type: 'Compression workbench' });
    restorer?.add(panel, panel.id);
    addCommands({ app, actions, follower, browser, trans, panelId: panel.id });
    offer(palette, launcher, trans);
    registry?.load(ID).then(
      settings => new Chooser(tracker, settings),
      (error: unknown) => {
        console.error('The settings of the compression workbench could not be read.', error);
      }
    );
  }
};

export default plugin;
