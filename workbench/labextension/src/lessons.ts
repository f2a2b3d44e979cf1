// The lessons that came with the front end, opened as copies of a person's own.

import { URLExt, PageConfig } from '@jupyterlab/coreutils';
import { type Contents, ServerConnection } from '@jupyterlab/services';

export interface Lesson {
  readonly file: string;
  readonly title: string;
}

export const FOLDER = 'workbench-lessons';

/** Every lesson that was installed, in order. */
export async function lessons(): Promise<Lesson[]> {
  return (await fetched('index.json')) as Lesson[];
}

/** The paths of the copies of a lesson there are, the latest last. */
export async function copies(contents: Contents.IManager, root: string, lesson: Lesson): Promise<string[]> {
  const stem = lesson.file.replace(/\.ipynb$/, '');
  const isCopy = (name: string) =>
    name === lesson.file || (name.startsWith(`${stem}-`) && /^\d+\.ipynb$/.test(name.slice(stem.length + 1)));
  const number = (name: string) =>
    Number(/-(\d+)\.ipynb$/.exec(name)?.[1] ?? 1) * (name === lesson.file ? 0 : 1);
  if (!(await names(contents, root)).includes(FOLDER)) return [];
  const folder = URLExt.join(root, FOLDER);
  const found = (await names(contents, folder)).filter(isCopy);
  return found.sort((a, b) => number(a) - number(b)).map(name => URLExt.join(folder, name));
}

/** Make a copy under a name that is free; its path. */
export async function copy(contents: Contents.IManager, root: string, lesson: Lesson): Promise<string> {
  const content = await fetched(lesson.file);
  const folder = URLExt.join(root, FOLDER);
  if (!(await names(contents, root)).includes(FOLDER)) await contents.save(folder, { type: 'directory' });
  const name = free(lesson.file, await names(contents, folder));
  const path = URLExt.join(folder, name);
  await contents.save(path, { type: 'notebook', format: 'json', content });
  return path;
}

/** A file name that no other has: `name.ipynb`, `name-2.ipynb`, and so on. */
export function free(file: string, taken: readonly string[]): string {
  const stem = file.replace(/\.ipynb$/, '');
  let name = file;
  for (let number = 2; taken.includes(name); number += 1) name = `${stem}-${number}.ipynb`;
  return name;
}

/** The names in a folder. */
export async function names(contents: Contents.IManager, folder: string): Promise<string[]> {
  const model = await contents.get(folder, { content: true });
  return (model.content as Contents.IModel[]).map(each => each.name);
}

async function fetched(file: string): Promise<unknown> {
  const settings = ServerConnection.makeSettings();
  const folder = URLExt.join(
    PageConfig.getOption('fullLabextensionsUrl'),
    'compression-workbench',
    'lessons'
  );
  const url = new URL(URLExt.join(folder, encodeURIComponent(file)), settings.baseUrl).href;
  const response = await ServerConnection.makeRequest(url, {}, settings);
  if (!response.ok) throw new ServerConnection.ResponseError(response);
  return (await response.json()) as unknown;
}
