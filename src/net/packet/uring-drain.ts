import type { Arena, Native } from '../ffi/native.ts';
import { BUNDLES_BYTES, Bundles } from './bundles.ts';
import { type Drain, HEADROOM, type Port, SLOT_BYTES, VNET_BYTES, WAKE_MS } from './drain.ts';
import { Precedence } from './precedence.ts';
import { meansNoMore, Singles } from './singles.ts';
import { Uring } from './uring.ts';

/** Reads of one round, at most and at least. */
const MOST_READS = 64;
const LEAST_READS = 8;

/** Operations of one round: its reads, and the writes of the packets before. */
const RING_ENTRIES = 512;
const MOST_WRITES = RING_ENTRIES - MOST_READS;

/** Fewer packets are cheaper moved one by one: a round costs as much as the system calls of so many. */
const ENOUGH = 4;

/** Copies of packets that handlers send; emptied by every round. */
const SEND_BYTES = 262_144;

/** While packets of one half are handled and written, the other is read into. The wake buffer is a slot before them. */
const FIRST_SLOT = 1;
const SEND_AT = (FIRST_SLOT + 2 * MOST_READS) * SLOT_BYTES;
const VECTORS_AT = SEND_AT + SEND_BYTES;

/**
 * Moves packets by io_uring: one system call carries the writes of the packets just handled and the next reads.
 * While few packets come together it does without.
 *
 * Of what a round has handled, datagrams of one flow are written together.
 *
 *   | wake slot | slots of half 0 | slots of half 1 | packets to send | vectors of bundles |
 */
export class UringDrain implements Drain {
  readonly tier = 'uring';
  readonly wakeBuffer: Uint8Array;
  private readonly kernel: Native;
  private readonly memory: Arena;
  private readonly bytes: Uint8Array;
  private readonly ring: Uring;
  private readonly singles: Singles;
  private readonly precedence: Precedence;
  private readonly bundles: Bundles;
  /** The device of the bundles that are collected. */
  private bundlesPort: Port | undefined;
  /** For each write of the round: its device, its datagrams and their bytes if it is a bundle, else 0. */
  private readonly writers: Port[] = [];
  private readonly together = new Int32Array(RING_ENTRIES);
  private readonly togetherBytes = new Int32Array(RING_ENTRIES);
  private readonly readResults = new Int32Array(MOST_READS);
  private sendAt = SEND_AT;
  /** Writes wait for the round's run; else they happen at once. */
  private isRound = false;
  private half = 0;
  private reads = LEAST_READS;

  /** @throws DeviceError if the kernel does not allow io_uring */
  constructor(kernel: Native) {
    this.kernel = kernel;
    this.ring = new Uring(RING_ENTRIES, kernel);
    this.memory = kernel.arena(VECTORS_AT + BUNDLES_BYTES);
    this.bundles = new Bundles(this.memory, VECTORS_AT);
    const { buffer, byteOffset, length } = this.memory.bytes;
    this.bytes = new Uint8Array(buffer, byteOffset, length);
    this.singles = new Singles(kernel, this.memory);
    this.precedence = new Precedence(kernel);
    this.wakeBuffer = this.singles.buffer;
  }

  wake(port: Port, readBytes: number): void {
    port.counters.batches++;
    const now = performance.now();
    const end = now + WAKE_MS;
    this.precedence.take(now, port.counters.reads);
    this.isRound = port.isDeep;
    try {
      this.handle(port, HEADROOM - VNET_BYTES, readBytes);
      if (!port.isClosed && (port.isDeep || this.singles.looksForMore(port)))
        port.isBusy = this.drain(port, end) > 0;
      port.handler.batchEnd();
      this.flush();
    } finally {
      this.isRound = false;
      this.precedence.giveBack();
    }
  }

  send(port: Port, bytes: Uint8Array, at: number, length: number): void {
    if (!this.isRound) {
      this.singles.write(port, bytes, at, length);
      return;
    }
    const size = length + VNET_BYTES;
    this.writeBundles();
    if (this.sendAt + size > SEND_AT + SEND_BYTES) this.flush();
    const to = this.sendAt;
    this.bytes.set(bytes.subarray(at - VNET_BYTES, at + length), to);
    this.sendAt += size;
    this.writeAlone(port, to + VNET_BYTES, length);
  }

  close(): void {
    this.ring.close();
    this.kernel.release(this.memory);
    this.precedence.close();
  }

  /** @returns how many packets there were */
  private drain(port: Port, end: number): number {
    let found = 0;
    let byRounds = 0;
    do {
      if (port.isDeep) {
        const got = this.round(port);
        found += got;
        byRounds += got;
        if (got < ENOUGH) port.learnDepth(byRounds >= 2 * ENOUGH);
        if (got === 0) break;
      } else {
        const { patience } = port;
        const got = this.singles.drain(port, patience, end);
        found += got;
        if (got < patience) break;
        // That many in a row: a round tells whether they are a queue.
        port.isDeep = true;
        byRounds = 0;
      }
    } while (!port.isClosed && performance.now() < end);
    return found;
  }

  /** Writes what was handled, reads what waits and handles that. @returns packets there were */
  private round(port: Port): number {
    const { ring, readResults, reads } = this;
    const firstAt = (FIRST_SLOT + this.half * MOST_READS) * SLOT_BYTES + HEADROOM - VNET_BYTES;
    this.half ^= 1;
    this.writeBundles();
    const writes = ring.added;
    for (let i = 0; i < reads; i++)
      ring.read(port.fd, this.memory.address + firstAt + i * SLOT_BYTES, this.wakeBuffer.length);
    port.counters.rounds++;
    this.run(writes);
    let got = 0;
    // What is sent by a handler may run another round, so results are kept.
    for (let i = 0; i < reads; i++) {
      readResults[i] = ring.result(writes + i);
      if (!meansNoMore(readResults[i]!)) got++;
    }
    this.isRound = got >= ENOUGH;
    for (let i = 0; i < reads; i++) {
      const result = readResults[i]!;
      if (meansNoMore(result)) continue;
      if (result < 0) port.counters.readFailed(-result);
      else this.handle(port, firstAt + i * SLOT_BYTES, result);
    }
    this.reads = Math.min(Math.max(2 * got, LEAST_READS), MOST_READS);
    return got;
  }

  /** @param from where the virtio header starts */
  private handle(port: Port, from: number, readBytes: number): void {
    const length = readBytes - VNET_BYTES;
    port.counters.read(length);
    const left = port.handler.packet(this.bytes, from + VNET_BYTES, length);
    if (left > 0) this.write(port, from + VNET_BYTES, left);
  }

  private write(port: Port, at: number, length: number): void {
    if (port.isClosed) return;
    if (!this.isRound) {
      this.singles.write(port, this.bytes, at, length);
      return;
    }
    if (port.takesBundles && this.bundles.add(at, length)) {
      this.bundlesPort = port;
      return;
    }
    this.writeBundles();
    this.writeAlone(port, at, length);
  }

  private writeAlone(port: Port, at: number, length: number): void {
    if (port.isClosed) return;
    this.add(port, at, length);
    if (this.ring.added >= MOST_WRITES) this.flush();
  }

  private add(port: Port, at: number, length: number): void {
    const number = this.ring.write(port.fd, this.memory.address + at - VNET_BYTES, length + VNET_BYTES);
    this.writers[number] = port;
    this.together[number] = 0;
  }

  /** Adds the writes of what was collected: nothing overtakes it. */
  private writeBundles(): void {
    const { bundles, ring } = this;
    const { from, next } = bundles;
    if (from === next) return;
    const port = this.bundlesPort!;
    if (ring.added + next - from > MOST_WRITES) this.run(ring.added);
    for (let i = from; i < next && !port.isClosed; i++) {
      const datagrams = bundles.datagramsOf(i);
      if (datagrams === 1) {
        this.add(port, bundles.placeOf(i), bundles.bytesOf(i));
        continue;
      }
      const number = ring.writeVector(port.fd, bundles.seal(i), datagrams);
      this.writers[number] = port;
      this.together[number] = datagrams;
      this.togetherBytes[number] = bundles.bytesOf(i);
    }
    bundles.taken();
  }

  private flush(): void {
    this.writeBundles();
    this.run(this.ring.added);
  }

  /** @param writes how many operations of the round are writes, its first ones */
  private run(writes: number): void {
    this.ring.run();
    this.sendAt = SEND_AT;
    this.bundles.written();
    for (let i = 0; i < writes; i++) {
      const port = this.writers[i]!;
      const result = this.ring.result(i);
      if (this.together[i] === 0) port.counters.wrote(result, VNET_BYTES);
      else {
        port.counters.wroteTogether(result, this.together[i]!, this.togetherBytes[i]!);
        port.learnBundles(result);
      }
    }
  }
}
