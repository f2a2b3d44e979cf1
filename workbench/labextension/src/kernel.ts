// Ask a kernel through the one function there is for it: `workbench.labextension.asking.ask`.

import type { Kernel } from '@jupyterlab/services';
import { version } from '../package.json';
import type { Told } from './records';

/** The version of this front end; the package's is in every answer. */
export const VERSION = version;

/** The kernel's environment has no such package: none at all, or another or an older one of this name. */
export class Missing extends Error {
  constructor(readonly isAbsent: boolean) {
    super('the workbench is missing in this kernel');
  }
}

/** The kernel could not answer now; asking again later may help. */
export class Later extends Error {}

/** A question to the kernel, answered; `sent` hears the id of the message, before anything comes back. */
export async function ask<T>(
  kernel: Kernel.IKernelConnection,
  question: { do: string; [field: string]: unknown },
  sent: (id: string) => void = () => undefined
): Promise<T & Told> {
  const text = JSON.stringify({ ...question, front_end: VERSION });
  // a JSON string is a Python string of the same characters, so that nothing in it is ever code
  const call = `__import__("workbench.labextension.asking", fromlist=["ask"]).ask(${JSON.stringify(text)})`;
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    stop_on_error: false,
    user_expressions: { told: call }
  });
  sent(future.msg.header.msg_id);
  const { content } = await future.done;
  if (content.status !== 'ok') throw new Later(content.status);
  return answer(content.user_expressions.told) as T & Told;
}

/** Whether the kernel speaks Python; its language. */
export async function language(kernel: Kernel.IKernelConnection): Promise<string> {
  return (await kernel.info).language_info.name;
}

interface Expression {
  status: string;
  ename?: string;
  evalue?: string;
  data?: Record<string, unknown>;
}

function answer(told: unknown): unknown {
  const { status, ename, evalue, data } = told as Expression;
  if (status === 'ok') return data?.['application/json'];
  if (ename === 'ModuleNotFoundError') throw new Missing(evalue === "No module named 'workbench'");
  if (ename === 'AttributeError' || ename === 'ImportError') throw new Missing(false);
  throw new Error(`${ename ?? status}: ${evalue ?? ''}`);
}
