import { mixHash } from './hash.ts';
import { type FragmentView, ID_WORD, KEY_WORDS } from './reassembly-fragment.ts';
import type { FragmentStore } from './reassembly-store.ts';

const NONE = -1;
/** A power of two. */
const BUCKETS = 1024;

/** What has come of one packet. Objects are used again for other packets. */
export class FragmentQueue {
  readonly key = new Int32Array(KEY_WORDS);
  isV6 = false;
  hash = 0;
  startedAt = 0;
  /** Runs of payload, in the order of the packet, or -1. */
  firstRun = NONE;
  lastRun = NONE;
  runCount = 0;
  /** Bytes of payload that are there. */
  received = 0;
  /** Where the payload ends, as far as is known; for certain once the last fragment is there. */
  end = 0;
  hasEnd = false;
  /** The first fragment's header in the store, or -1. */
  header = NONE;
  headerLength = 0;
  nextHeader = 0;
  namedAt = 0;
  /** Bytes of payload of the first fragment. */
  firstLength = 0;
  /** The largest fragment, and the largest with DF, bytes with the IP header. */
  maxBytes = 0;
  maxDfBytes = 0;
  /** A bit for each code point of congestion notification that was seen. */
  ecnSeen = 0;
  nextInBucket: FragmentQueue | undefined;
  older: FragmentQueue | undefined;
  newer: FragmentQueue | undefined;

  begin(view: FragmentView, hash: number, now: number): void {
    this.key.set(view.key);
    this.isV6 = view.isV6;
    this.hash = hash;
    this.startedAt = now;
    this.firstRun = NONE;
    this.lastRun = NONE;
    this.runCount = 0;
    this.received = 0;
    this.end = 0;
    this.hasEnd = false;
    this.header = NONE;
    this.maxBytes = 0;
    this.maxDfBytes = 0;
    this.ecnSeen = 0;
  }

  /** Identification, as an int32. */
  get id(): number {
    return this.key[ID_WORD]!;
  }

  get isComplete(): boolean {
    return this.hasEnd && this.header !== NONE && this.received === this.end;
  }

  has(key: Int32Array): boolean {
    for (let i = 0; i < KEY_WORDS; i++) if (this.key[i] !== key[i]) return false;
    return true;
  }
}

/** Queues of one IP version in the order in which they began. */
class Line {
  oldest: FragmentQueue | undefined;
  private newest: FragmentQueue | undefined;

  push(queue: FragmentQueue): void {
    queue.older = this.newest;
    queue.newer = undefined;
    if (this.newest) this.newest.newer = queue;
    else this.oldest = queue;
    this.newest = queue;
  }

  remove(queue: FragmentQueue): void {
    if (queue.older) queue.older.newer = queue.newer;
    else this.oldest = queue.newer;
    if (queue.newer) queue.newer.older = queue.older;
    else this.newest = queue.older;
    queue.older = undefined;
    queue.newer = undefined;
  }
}

/** The packets of which something has come: by key, and by age. */
export class FragmentQueues {
  readonly line4 = new Line();
  readonly line6 = new Line();
  count = 0;
  private readonly store: FragmentStore;
  private readonly seed: number;
  private readonly buckets = new Array<FragmentQueue | undefined>(BUCKETS).fill(undefined);
  /** Objects to be used again. */
  private readonly spare: FragmentQueue[] = [];

  /** @param seed of the hash; any int32 */
  constructor(store: FragmentStore, seed: number) {
    this.store = store;
    this.seed = seed;
  }

  find(view: FragmentView): FragmentQueue | undefined {
    let queue = this.buckets[this.hashOf(view.key) & (BUCKETS - 1)];
    while (queue && !queue.has(view.key)) queue = queue.nextInBucket;
    return queue;
  }

  add(view: FragmentView, now: number): FragmentQueue {
    const queue = this.spare.pop() ?? new FragmentQueue();
    const hash = this.hashOf(view.key);
    queue.begin(view, hash, now);
    queue.nextInBucket = this.buckets[hash & (BUCKETS - 1)];
    this.buckets[hash & (BUCKETS - 1)] = queue;
    this.lineOf(queue).push(queue);
    this.count++;
    return queue;
  }

  remove(queue: FragmentQueue): void {
    const at = queue.hash & (BUCKETS - 1);
    let each = this.buckets[at];
    if (each === queue) this.buckets[at] = queue.nextInBucket;
    while (each && each.nextInBucket !== queue) each = each.nextInBucket;
    if (each) each.nextInBucket = queue.nextInBucket;
    queue.nextInBucket = undefined;
    this.lineOf(queue).remove(queue);
    this.store.free(queue.firstRun);
    this.store.free(queue.header);
    this.spare.push(queue);
    this.count--;
  }

  /** The one that has been waiting longest. */
  oldest(): FragmentQueue | undefined {
    const a = this.line4.oldest;
    const b = this.line6.oldest;
    return a && (!b || a.startedAt <= b.startedAt) ? a : b;
  }

  private lineOf(queue: FragmentQueue): Line {
    return queue.isV6 ? this.line6 : this.line4;
  }

  private hashOf(key: Int32Array): number {
    let hash = this.seed;
    for (let i = 0; i < KEY_WORDS; i++) hash = mixHash(hash, key[i]!);
    return hash;
  }
}
