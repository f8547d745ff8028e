import { FragmentView } from './reassembly-fragment.ts';
import { type FragmentQueue, FragmentQueues } from './reassembly-queue.ts';
import { FragmentStore } from './reassembly-store.ts';
import { IPV4_FRAGMENT, sealIpv4, setIpv4Extent } from './wire/ipv4.ts';
import { IPV6_HEADER_LEN, setIpv6PayloadLength } from './wire/ipv6.ts';
import { emitFragmentHeader, FRAGMENT_HEADER_LEN, FRAGMENT_PROTOCOL } from './wire/ipv6-fragment.ts';

const NONE = -1;
const MAX_LENGTH = 65_535;
/** How long fragments wait for the rest of their packet (net.ipv4.ipfrag_time, net.ipv6.ip6frag_time). */
const WAIT4_MS = 30_000;
const WAIT6_MS = 60_000;
/** Payload that may wait in all (net.ipv4.ipfrag_high_thresh). */
const MEMORY_BYTES = 4 * 1024 * 1024;
const MAX_QUEUES = 4096;
/** Runs of one packet that may wait: each fragment that comes out of order is one, and 45 of 1500 bytes fill a packet. */
const MAX_RUNS = 256;

/** Bits of `ecnSeen`, and the code point that marks congestion. */
const NOT_ECT_SEEN = 1;
const CE_SEEN = 8;
const CE = 3;
const MIXED = -1;

/** What `accept` answers. */
export const REASSEMBLY = {
  /** It is whole: `bytes`, `length` and what goes with them are set. */
  WHOLE: 0,
  /** More is to come. */
  KEPT: 1,
  DROPPED: 2,
} as const;
export type Reassembly = (typeof REASSEMBLY)[keyof typeof REASSEMBLY];

/** Why fragments were dropped, as counters name it; with most, all that had come of their packet went too. */
export const REASSEMBLY_DROPS = [
  'malformed',
  /** Without payload, or not a multiple of 8 bytes in the middle of a packet. */
  'bad_length',
  /** The packet would have more than 65535 bytes. */
  'too_long',
  /** The packet has two ends. */
  'two_ends',
  /** It came before; the rest stays. */
  'duplicate',
  'overlap',
  /** Congestion notification that a router cannot have made (RFC 3168 section 5.3). */
  'mixed_ecn',
  'too_many_pieces',
  /** Packets of which something had waited longest, when room was wanted. */
  'evicted',
  /** Packets of which nothing more came in time. */
  'timed_out',
] as const;
export type ReassemblyDrop = (typeof REASSEMBLY_DROPS)[number];

export interface ReassemblerOptions {
  /** Of the hash; any int32. */
  readonly seed: number;
  /** Payload and headers that may wait in all, bytes. */
  readonly memoryBytes?: number;
  /** Packets of which something may wait. */
  readonly maxQueues?: number;
  /**
   * Called when time is up for a packet whose first fragment is there: the host tells the sender (ICMP time exceeded,
   * code 1). The bytes are the first fragment, valid during the call.
   */
  readonly onTimedOut?: (bytes: Uint8Array, at: number, length: number) => void;
}

/**
 * Puts IP fragments together, by the rules of Linux 6.1 (ip_fragment.c, nf_conntrack_reasm.c): a fragment whose bytes
 * are all in one run that is there already is ignored; one that overlaps otherwise takes its packet with it
 * (RFC 5722). A packet waits 30 s (IPv4) or 60 s (IPv6) from its first fragment on. When there is no room, the packet
 * that has waited longest goes; Linux refuses the newest instead.
 */
export class Reassembler {
  /** Where the whole packet is, from `at` on; valid until the next call. */
  readonly bytes: Uint8Array;
  readonly at: number;
  /** Bytes of the whole packet. */
  length = 0;
  /** The largest of its fragments, bytes with the IP header: it is to leave the host in pieces that are not larger. */
  maxFragmentBytes = 0;
  private readonly view = new FragmentView();
  private readonly store: FragmentStore;
  private readonly queues: FragmentQueues;
  private readonly maxQueues: number;
  private readonly onTimedOut: (bytes: Uint8Array, at: number, length: number) => void;
  private readonly counts: Record<ReassemblyDrop, number>;

  constructor({ seed, memoryBytes = MEMORY_BYTES, maxQueues = MAX_QUEUES, onTimedOut }: ReassemblerOptions) {
    this.store = new FragmentStore(memoryBytes);
    this.bytes = this.store.bytes;
    this.at = this.store.outAt;
    this.queues = new FragmentQueues(this.store, seed);
    this.maxQueues = maxQueues;
    this.onTimedOut = onTimedOut ?? (() => {});
    const zeros = REASSEMBLY_DROPS.map((reason) => [reason, 0] as const);
    this.counts = Object.fromEntries(zeros) as Record<ReassemblyDrop, number>;
  }

  /**
   * Takes a fragment in. Of IPv4 the whole packet has DF if the largest fragment had it (so that its pieces get it
   * again), of IPv6 no fragment header any more.
   * @param at where the IP header starts
   * @param length bytes of the fragment from there
   */
  accept(bytes: Uint8Array, at: number, length: number, now: number): Reassembly {
    this.expire(now);
    const { view, queues } = this;
    if (!view.read(bytes, at, length)) return this.drop('malformed');
    if (view.isV6) {
      const reason = faultOfOne(view);
      if (reason) return this.drop(reason);
    } else if (!view.isLast) {
      view.stop &= ~7;
    }
    let queue = queues.find(view);
    if (!queue) {
      if (queues.count >= this.maxQueues) this.evict();
      queue = queues.add(view, now);
    }
    return this.place(queue, bytes, at);
  }

  /** Gives up the packets whose time is up. */
  expire(now: number): void {
    const { line4, line6 } = this.queues;
    for (let queue = line4.oldest; queue && now >= queue.startedAt + WAIT4_MS; queue = line4.oldest)
      this.timeOut(queue);
    for (let queue = line6.oldest; queue && now >= queue.startedAt + WAIT6_MS; queue = line6.oldest)
      this.timeOut(queue);
  }

  /** @returns the time at which `expire` has something to do, or Infinity */
  nextDeadline(): number {
    const { line4, line6 } = this.queues;
    return Math.min(
      line4.oldest ? line4.oldest.startedAt + WAIT4_MS : Number.POSITIVE_INFINITY,
      line6.oldest ? line6.oldest.startedAt + WAIT6_MS : Number.POSITIVE_INFINITY,
    );
  }

  /** Packets of which something waits. */
  get waiting(): number {
    return this.queues.count;
  }

  /** Dropped fragments by reason; of `evicted` and `timed_out`, packets. */
  drops(): Readonly<Record<ReassemblyDrop, number>> {
    return { ...this.counts };
  }

  /** Puts the fragment of `view` into its queue. */
  private place(queue: FragmentQueue, bytes: Uint8Array, at: number): Reassembly {
    const { view } = this;
    const fault = faultIn(queue, view);
    if (fault) return view.isV6 ? this.drop(fault) : this.dropWith(queue, fault);
    if (view.isLast) queue.hasEnd = true;
    queue.end = Math.max(queue.end, view.stop);
    const size = view.stop - view.start;
    const isFirst = view.start === 0 && queue.header === NONE;
    if (!this.makeRoom(queue, size, isFirst ? view.headerLength : 0)) return REASSEMBLY.DROPPED;
    const clash = this.insert(queue, bytes, size);
    if (clash === 'duplicate') return this.drop(clash);
    if (clash) return this.dropWith(queue, clash);
    if (isFirst) this.keepHeader(queue, bytes, at, size);
    queue.received += size;
    queue.maxBytes = Math.max(queue.maxBytes, view.lengthBytes);
    if (view.hasDf) queue.maxDfBytes = Math.max(queue.maxDfBytes, view.lengthBytes);
    queue.ecnSeen |= 1 << view.ecn;
    return queue.isComplete ? this.assemble(queue) : REASSEMBLY.KEPT;
  }

  /** @returns why the fragment cannot become a run, or a part of the last one */
  private insert(queue: FragmentQueue, bytes: Uint8Array, size: number): ReassemblyDrop | undefined {
    const { store, view } = this;
    const last = queue.lastRun;
    if (last !== NONE && store.stop[last]! >= view.stop) return this.insertWithin(queue, bytes, size);
    if (last !== NONE && view.start < store.stop[last]!) return 'overlap';
    if (last === NONE || view.start > store.stop[last]!) return this.insertRun(queue, last, bytes, size);
    store.append(last, bytes, view.payload, size);
    return undefined;
  }

  /** As `insert`, where no byte is behind the last run. */
  private insertWithin(queue: FragmentQueue, bytes: Uint8Array, size: number): ReassemblyDrop | undefined {
    const { start: starts, stop: stops, after } = this.store;
    const { start, stop } = this.view;
    let before = NONE;
    for (let run = queue.firstRun; run !== NONE && stop > starts[run]!; run = after[run]!) {
      if (start < stops[run]!) return start >= starts[run]! && stop <= stops[run]! ? 'duplicate' : 'overlap';
      before = run;
    }
    return this.insertRun(queue, before, bytes, size);
  }

  /** Makes a run of the fragment behind the run `before`, -1 for the start. */
  private insertRun(
    queue: FragmentQueue,
    before: number,
    bytes: Uint8Array,
    size: number,
  ): ReassemblyDrop | undefined {
    if (queue.runCount >= MAX_RUNS) return 'too_many_pieces';
    const { store, view } = this;
    const { after } = store;
    const run = store.add(bytes, view.payload, size, view.start);
    after[run] = before === NONE ? queue.firstRun : after[before]!;
    if (before === NONE) queue.firstRun = run;
    else after[before] = run;
    if (after[run] === NONE) queue.lastRun = run;
    queue.runCount++;
    return undefined;
  }

  private keepHeader(queue: FragmentQueue, bytes: Uint8Array, at: number, size: number): void {
    const { view } = this;
    queue.header = this.store.add(bytes, at, view.headerLength, 0);
    queue.headerLength = view.headerLength;
    queue.nextHeader = view.nextHeader;
    queue.namedAt = view.namedAt;
    queue.firstLength = size;
  }

  /** Makes room by giving up the oldest packets. @returns false if the fragment's own had to go */
  private makeRoom(queue: FragmentQueue, payload: number, header: number): boolean {
    while (!this.store.hasRoom(payload, header)) {
      const isOwn = this.queues.oldest() === queue;
      this.evict();
      if (isOwn) return false;
    }
    return true;
  }

  private evict(): void {
    const oldest = this.queues.oldest();
    if (oldest) this.dropWith(oldest, 'evicted');
  }

  private assemble(queue: FragmentQueue): Reassembly {
    const { headerLength, end, isV6 } = queue;
    const ecn = mergedEcn(queue.ecnSeen);
    if (ecn === MIXED) return this.dropWith(queue, 'mixed_ecn');
    const total = headerLength + end;
    if (total - (isV6 ? IPV6_HEADER_LEN : 0) > MAX_LENGTH) return this.dropWith(queue, 'too_long');
    const { store, bytes, at } = this;
    store.copy(queue.header, at, headerLength);
    for (let run = queue.firstRun; run !== NONE; run = store.after[run]!) {
      const start = store.start[run]!;
      store.copy(run, at + headerLength + start, store.stop[run]! - start);
    }
    if (isV6) {
      bytes[at + queue.namedAt] = queue.nextHeader;
      bytes[at + 1]! |= ecn << 4;
      setIpv6PayloadLength(bytes, at, total - IPV6_HEADER_LEN);
    } else {
      bytes[at + 1]! |= ecn;
      setIpv4Extent(bytes, at, total, queue.maxDfBytes === queue.maxBytes ? IPV4_FRAGMENT.DF : 0);
      sealIpv4(bytes, at);
    }
    this.length = total;
    this.maxFragmentBytes = queue.maxBytes;
    this.queues.remove(queue);
    return REASSEMBLY.WHOLE;
  }

  private timeOut(queue: FragmentQueue): void {
    if (queue.header !== NONE) this.tellSender(queue);
    this.dropWith(queue, 'timed_out');
  }

  private tellSender(queue: FragmentQueue): void {
    const { store, bytes, at } = this;
    const { headerLength, firstLength } = queue;
    store.copy(queue.header, at, headerLength);
    let payload = headerLength;
    if (queue.isV6) {
      bytes[at + queue.namedAt] = FRAGMENT_PROTOCOL;
      emitFragmentHeader(bytes, at + headerLength, queue.nextHeader, 0, true, queue.id);
      payload += FRAGMENT_HEADER_LEN;
    }
    store.copy(queue.firstRun, at + payload, firstLength);
    this.onTimedOut(bytes, at, payload + firstLength);
  }

  private drop(reason: ReassemblyDrop): Reassembly {
    this.counts[reason]++;
    return REASSEMBLY.DROPPED;
  }

  private dropWith(queue: FragmentQueue, reason: ReassemblyDrop): Reassembly {
    this.queues.remove(queue);
    return this.drop(reason);
  }
}

/** What is wrong with an IPv6 fragment taken alone; then its packet stays as it is. */
function faultOfOne({ start, stop, isLast }: FragmentView): ReassemblyDrop | undefined {
  if (stop > MAX_LENGTH) return 'too_long';
  return start === stop || (!isLast && (stop & 7) !== 0) ? 'bad_length' : undefined;
}

/** What keeps a fragment from being of one packet with those that are there. */
function faultIn(
  { end, hasEnd }: FragmentQueue,
  { start, stop, isLast }: FragmentView,
): ReassemblyDrop | undefined {
  if (stop > MAX_LENGTH) return 'too_long';
  if (start === stop) return 'bad_length';
  if (isLast) return stop < end || (hasEnd && stop !== end) ? 'two_ends' : undefined;
  return hasEnd && stop > end ? 'two_ends' : undefined;
}

/** @returns bits to set in the whole packet's header, or MIXED (RFC 3168 section 5.3) */
function mergedEcn(seen: number): number {
  if ((seen & NOT_ECT_SEEN) !== 0) return seen === NOT_ECT_SEEN ? 0 : MIXED;
  return (seen & CE_SEEN) !== 0 ? CE : 0;
}
