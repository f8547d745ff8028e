import type { SupervisorOptions } from './supervisor.ts';

/** What the supervisor's thread is started with. */
export interface SupervisorData {
  readonly options: SupervisorOptions;
  readonly words: SharedArrayBuffer;
}

/** Indices of the words. */
const LISTENER = 0;
const STOPPED = 1;
const COUNT = 2;
/** The listener's word: not known yet, and there will be none. Descriptors are stored plus one. */
const UNKNOWN = 0;
const NONE = -1;

/** What the main thread and the supervisor's thread tell each other. */
export class Shared {
  readonly words: SharedArrayBuffer;
  private readonly view: Int32Array;

  constructor(words = new SharedArrayBuffer(4 * COUNT)) {
    this.words = words;
    this.view = new Int32Array(words);
  }

  /** @param fd -1: there is no filter */
  announceListener(fd: number): void {
    Atomics.store(this.view, LISTENER, fd < 0 ? NONE : fd + 1);
    Atomics.notify(this.view, LISTENER);
  }

  /** @returns -1 if there is no filter */
  waitForListener(): number {
    Atomics.wait(this.view, LISTENER, UNKNOWN);
    const stored = Atomics.load(this.view, LISTENER);
    return stored === NONE ? -1 : stored - 1;
  }

  stop(): void {
    Atomics.store(this.view, STOPPED, 1);
  }

  get isStopped(): boolean {
    return Atomics.load(this.view, STOPPED) === 1;
  }
}
