// One notebook with its kernel, as far as the panel shows it: asks when something may have changed.

import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { Later, Missing, ask, language } from './kernel';
import type { Listing, Told } from './records';

export type State =
  | { readonly kind: 'starting' | 'no-kernel' | 'dead' | 'absent' | 'other' | 'ready' }
  | { readonly kind: 'not-python'; readonly language: string }
  | { readonly kind: 'failed'; readonly why: string };

const TARGET = 'compression-workbench'; // of the comm that says that versions changed, see telling.py
const REST = 50; // ms without another cell, so that a run of all cells is not asked in between
const BUSY = 400; // ms after which a kernel is called busy
const AGAIN = 500; // ms until a kernel that could not answer is asked again

/** Follows one notebook; asks its kernel only while `isWanted`. */
export class Watched implements IDisposable {
  state: State = { kind: 'starting' };
  listing: (Listing & Told) | null = null;
  isBusy = false;
  /** What came of the last action, in a line. */
  note = '';
  isDisposed = false;
  readonly changed = new Signal<this, void>(this);

  constructor(readonly notebook: NotebookPanel) {
    const { context } = this;
    context.kernelChanged.connect(this.kernelChanged, this);
    context.statusChanged.connect(this.statusChanged, this);
    context.iopubMessage.connect(this.published, this);
    notebook.disposed.connect(() => {
      this.dispose();
    });
    this.begin(this.kernel);
    void context.ready.then(() => {
      this.hasBegun = true;
      this.statusChanged(context, this.kernel?.status ?? 'unknown');
    });
  }

  get isWanted(): boolean {
    return this.wanted;
  }

  set isWanted(wanted: boolean) {
    this.wanted = wanted;
    if (wanted) this.refresh();
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.context.session?.kernel ?? null;
  }

  /** Ask as soon as the kernel rests. */
  refresh(): void {
    this.isStale = true;
    this.soon(0);
  }

  /** Show what came of an action. */
  say(note: string): void {
    this.note = note;
    this.changed.emit();
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    clearTimeout(this.timer);
    clearTimeout(this.busyTimer);
    Signal.clearData(this);
  }

  private get context(): ISessionContext {
    return this.notebook.sessionContext;
  }

  private kernelChanged(
    _: ISessionContext,
    { newValue }: { newValue: Kernel.IKernelConnection | null }
  ): void {
    this.begin(newValue);
  }

  /** Another kernel, or the same one anew: what was known is gone. */
  private begin(kernel: Kernel.IKernelConnection | null): void {
    this.listing = null;
    this.note = '';
    this.isListening = false;
    this.own.clear();
    this.hasBegun ||= kernel !== null;
    kernel?.registerCommTarget(TARGET, comm => {
      comm.onMsg = () => {
        this.isStale = true;
        this.soon(REST);
      };
    });
    this.show({ kind: kernel || !this.hasBegun ? 'starting' : 'no-kernel' });
    this.refresh();
  }

  private statusChanged(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') this.begin(this.kernel);
    if (status === 'dead') this.show({ kind: 'dead' });
    if (!this.kernel && this.hasBegun && status === 'unknown') this.show({ kind: 'no-kernel' });
    this.noteBusy(status === 'busy' && this.own.size === 0);
    if (status === 'idle' && this.isStale) this.soon(REST);
  }

  private noteBusy(isBusy: boolean): void {
    clearTimeout(this.busyTimer);
    const say = () => {
      if (this.isBusy === isBusy) return;
      this.isBusy = isBusy;
      this.changed.emit();
    };
    if (isBusy) this.busyTimer = window.setTimeout(say, BUSY);
    else say();
  }

  /** A cell has ended, here or in any other front end of this kernel. */
  private published(_: ISessionContext, message: KernelMessage.IMessage): void {
    if (message.header.msg_type !== 'status') return;
    const parent = message.parent_header as Partial<KernelMessage.IHeader>;
    const { execution_state: state } = message.content as KernelMessage.IStatusMsg['content'];
    if (state !== 'idle' || parent.msg_type !== 'execute_request' || this.own.delete(parent.msg_id ?? ''))
      return;
    this.isStale = true;
    this.soon(REST);
  }

  private soon(pause: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.update(), pause);
  }

  private async update(): Promise<void> {
    const kernel = this.kernel;
    if (!kernel || !this.isStale || !this.wanted || this.isAsking || this.isDisposed) return;
    if (kernel.status !== 'idle') return; // asked when it rests, see statusChanged
    this.isAsking = true;
    this.isStale = false;
    try {
      await this.list(kernel);
    } catch (error) {
      this.failed(error);
    } finally {
      this.isAsking = false;
    }
    this.soon(REST); // for what changed meanwhile
  }

  private async list(kernel: Kernel.IKernelConnection): Promise<void> {
    const spoken = await language(kernel);
    if (spoken !== 'python') {
      this.show({ kind: 'not-python', language: spoken });
      return;
    }
    const listing = await ask<Listing>(kernel, { do: 'list', listen: !this.isListening }, id =>
      this.own.add(id)
    );
    if (kernel !== this.kernel) return; // another one was chosen meanwhile
    this.isListening = true;
    this.listing = listing;
    this.show({ kind: 'ready' });
  }

  private failed(error: unknown): void {
    if (this.isDisposed) return;
    if (error instanceof Missing) this.show({ kind: error.isAbsent ? 'absent' : 'other' });
    else if (error instanceof Later) {
      this.isStale = true;
      this.soon(AGAIN);
    } else if (this.kernel && this.kernel.status === 'idle') {
      this.show({ kind: 'failed', why: error instanceof Error ? error.message : String(error) });
    } // else it was restarted or died meanwhile, which says itself
  }

  private show(state: State): void {
    this.state = state;
    this.changed.emit();
  }

  private readonly own = new Set<string>(); // messages that this asked
  private hasBegun = false; // before, a notebook without a kernel is one that waits for it
  private wanted = false;
  private isStale = true;
  private isAsking = false;
  private isListening = false;
  private timer = 0;
  private busyTimer = 0;
}
