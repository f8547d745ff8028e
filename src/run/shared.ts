import type { DescriptorWindow } from './filter.ts';
import type { SupervisorOptions } from './supervisor.ts';

/** What the supervisor's thread is started with, before anything else is known. */
export interface SupervisorData {
  readonly options: SupervisorOptions;
  readonly words: SharedArrayBuffer;
}

/** What the filter that was put in place reports. */
export interface Watch {
  /** Descriptor of the listener. */
  readonly listener: number;
  readonly window: DescriptorWindow;
}

/** Indices of the words. */
const LISTENER = 0;
const LOW = 1;
const HIGH = 2;
const WANTED_AT = 3;
const FILES = 4;
const COUNT = 5;
/** The listener's word: not known yet, and there will be none. Descriptors are stored plus one. */
const UNKNOWN = 0;
const NONE = -1;

/**
 * What the thread is to do: answer calls; let all calls pass, once it has finished what was begun; end, after which nobody
 * answers calls. This process's own calls are watched too.
 */
export const WANTED = { SERVE: 0, FINISH: 1, END: 2 } as const;
export type Wanted = (typeof WANTED)[keyof typeof WANTED];

/** What the main thread and the supervisor's thread tell each other. */
export class Shared {
  readonly words: SharedArrayBuffer;
  private readonly view: Int32Array;

  constructor(words = new SharedArrayBuffer(4 * COUNT)) {
    this.words = words;
    this.view = new Int32Array(words);
  }

  /** @param watch `undefined`: there is no filter of ours */
  announce(watch: Watch | undefined): void {
    if (watch) {
      Atomics.store(this.view, LOW, watch.window.low);
      Atomics.store(this.view, HIGH, watch.window.high);
    }
    Atomics.store(this.view, LISTENER, watch ? watch.listener + 1 : NONE);
    Atomics.notify(this.view, LISTENER);
  }

  /** Waits for what the main thread announces. */
  waitForWatch(): Watch | undefined {
    Atomics.wait(this.view, LISTENER, UNKNOWN);
    const stored = Atomics.load(this.view, LISTENER);
    if (stored === NONE) return undefined;
    return {
      listener: stored - 1,
      window: { low: Atomics.load(this.view, LOW), high: Atomics.load(this.view, HIGH) },
    };
  }

  /** Tells the thread what it is to do when it is woken. */
  want(what: Wanted): void {
    Atomics.store(this.view, WANTED_AT, what);
  }

  get wanted(): Wanted {
    return Atomics.load(this.view, WANTED_AT) as Wanted;
  }

  /** Says that the thread has made files that it has to remove at the end. */
  noteFiles(): void {
    Atomics.store(this.view, FILES, 1);
  }

  get hasFiles(): boolean {
    return Atomics.load(this.view, FILES) === 1;
  }
}
