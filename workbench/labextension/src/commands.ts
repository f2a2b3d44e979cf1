// The commands, which the launcher, the palette, the menus and the toolbar offer.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, type ICommandPalette, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { ILauncher } from '@jupyterlab/launcher';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Actions } from './actions';
import type { Follower } from './follower';
import { icon } from './icon';
import { copies, copy, lessons } from './lessons';
import { write } from './ready';

export const Command = {
  create: 'compression-workbench:create',
  lessons: 'compression-workbench:lessons',
  insert: 'compression-workbench:insert',
  openStudio: 'compression-workbench:open-studio',
  showPanel: 'compression-workbench:show-panel'
} as const;

export interface Needs {
  readonly app: JupyterFrontEnd;
  readonly actions: Actions;
  readonly follower: Follower;
  readonly browser: IDefaultFileBrowser | null;
  readonly trans: TranslationBundle;
  readonly panelId: string;
}

/** Add every command. */
export function addCommands({ app, actions, follower, browser, trans, panelId }: Needs): void {
  const { commands, serviceManager } = app;
  const folder = (cwd: unknown) => (typeof cwd === 'string' ? cwd : (browser?.model.path ?? ''));
  const open = async (path: string): Promise<void> => {
    await commands.execute('docmanager:open', { path, factory: 'Notebook' });
  };
  const hasNotebook = () => follower.current !== null;

  commands.addCommand(Command.create, {
    label: trans.__('Compress a model'),
    caption: trans.__('Open a notebook that is ready to compress a model'),
    icon: ({ isPalette }) => (isPalette ? undefined : icon),
    describedBy: { args: CWD },
    execute: async ({ cwd }) => {
      await serviceManager.kernelspecs.ready;
      const { contents, kernelspecs } = serviceManager;
      await open(await write(contents, folder(cwd), kernelspecs.specs, trans));
    }
  });
  commands.addCommand(Command.lessons, {
    label: trans.__('Workbench lessons'),
    caption: trans.__('Open a copy of a lesson of your own'),
    icon: ({ isPalette }) => (isPalette ? undefined : icon),
    describedBy: { args: CWD },
    execute: async ({ cwd }) => {
      const path = await chooseLesson(app, folder(cwd), trans);
      if (path !== null) await open(path);
    }
  });
  commands.addCommand(Command.insert, {
    label: trans.__('Insert %compress'),
    caption: trans.__('Insert %compress for a model of this notebook'),
    icon,
    isEnabled: hasNotebook,
    describedBy: { args: NOTHING },
    execute: () => actions.chooseAndInsert()
  });
  commands.addCommand(Command.openStudio, {
    label: trans.__('Open studio in its own tab'),
    caption: trans.__('Open the studio on a model of this notebook'),
    isEnabled: hasNotebook,
    describedBy: { args: NOTHING },
    execute: () => actions.chooseAndOpen()
  });
  commands.addCommand(Command.showPanel, {
    label: trans.__('Show models and versions'),
    describedBy: { args: NOTHING },
    execute: () => {
      app.shell.activateById(panelId);
    }
  });
}

/** Offer the commands where there are places for them. */
export function offer(
  palette: ICommandPalette | null,
  launcher: ILauncher | null,
  trans: TranslationBundle
): void {
  const category = trans.__('Compression workbench');
  for (const command of Object.values(Command))
    palette?.addItem({ command, category, args: { isPalette: true } });
  launcher?.add({ command: Command.create, category, rank: 1 });
  launcher?.add({ command: Command.lessons, category, rank: 2 });
}

/** The path of a person's own copy of a lesson that is chosen; null where none is. */
async function chooseLesson(
  app: JupyterFrontEnd,
  root: string,
  trans: TranslationBundle
): Promise<string | null> {
  const { contents } = app.serviceManager;
  const known = await lessons();
  const titles = known.map(({ file, title }) => `${/^\d*/.exec(file)?.[0] ?? ''} ${title}`.trim());
  const { button, value } = await InputDialog.getItem({
    title: trans.__('Workbench lessons'),
    label: trans.__('A copy of your own is opened.'),
    items: titles,
    okLabel: trans.__('Open')
  });
  const lesson = value === null ? undefined : known[titles.indexOf(value)];
  if (!button.accept || !lesson) return null;
  const latest = (await copies(contents, root, lesson)).at(-1);
  if (latest === undefined) return copy(contents, root, lesson);
  const answer = await showDialog({
    title: lesson.title,
    body: trans.__('You have a copy already: %1', latest),
    buttons: [
      Dialog.cancelButton(),
      Dialog.createButton({ label: trans.__('New copy'), actions: ['new'] }),
      Dialog.okButton({ label: trans.__('Open my copy') })
    ]
  });
  if (!answer.button.accept) return null;
  return answer.button.actions.includes('new') ? copy(contents, root, lesson) : latest;
}

const CWD = {
  type: 'object',
  properties: { cwd: { type: 'string', description: 'The folder to write into' } }
} as const;
const NOTHING = { type: 'object', properties: {} } as const;
