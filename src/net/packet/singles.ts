import type { Arena, Native } from '../ffi/native.ts';
import { HEADROOM, MAX_PACKET, type Port, VNET_BYTES } from './drain.ts';
import { type SingleCalls, singleCalls } from './single-calls.ts';

const EAGAIN = -11;
const EBADFD = -77;
const EOF = 0;

/** After a wake without company, we look for more at every so many wakes only, where looking costs more than a wake. */
const QUIET_WAKES = 4;

/** Moves packets one by one through one slot, a system call for each read and write. */
export class Singles {
  /** The slot's part into which packets are read, with their virtio headers. */
  readonly buffer: Uint8Array;
  private readonly slot: Uint8Array;
  private readonly calls: SingleCalls;

  /** @param memory begins with the slot */
  constructor(kernel: Native, memory: Arena) {
    const { buffer, byteOffset, length } = memory.bytes;
    this.slot = new Uint8Array(buffer, byteOffset, length);
    this.buffer = this.slot.subarray(HEADROOM - VNET_BYTES, HEADROOM + MAX_PACKET);
    this.calls = singleCalls(kernel, memory, this.buffer);
  }

  /** Handles the packet in the slot. @param readBytes its virtio header included */
  handle(port: Port, readBytes: number): void {
    const length = readBytes - VNET_BYTES;
    port.counters.read(length);
    const left = port.handler.packet(this.slot, HEADROOM, length);
    if (left > 0) this.write(port, this.slot, HEADROOM, left);
  }

  /** Writes one packet by itself, unless the port is closed. Failures are counted: what cannot be written is lost, as on a full wire. */
  write(port: Port, bytes: Uint8Array, at: number, length: number): void {
    if (port.isClosed) return;
    const result = this.calls.write(port.fd, bytes, at - VNET_BYTES, length + VNET_BYTES);
    port.counters.wrote(result, VNET_BYTES);
  }

  /** Whether it pays to look for packets behind the one that woke us. */
  looksForMore(port: Port): boolean {
    if (port.isBusy || this.calls.isLookCheap) return true;
    port.looksSkipped++;
    if (port.looksSkipped < QUIET_WAKES) return false;
    port.looksSkipped = 0;
    return true;
  }

  /**
   * Handles the packets that wait.
   * @param most so many of them
   * @param end what performance.now() tells when there is no more time
   * @returns how many there were; fewer than `most` and in time: none is left
   */
  drain(port: Port, most: number, end: number): number {
    let found = 0;
    do {
      const result = this.calls.read(port.fd);
      if (meansNoMore(result)) return found;
      found++;
      if (result < 0) port.counters.readFailed(-result);
      else this.handle(port, result);
    } while (found < most && !port.isClosed && performance.now() < end);
    return found;
  }
}

/** Whether a read says that nothing waits: the queue is empty or the device gone, which the loop tells. */
export const meansNoMore = (result: number): boolean =>
  result === EAGAIN || result === EBADFD || result === EOF;
