import { readSync, writeSync } from 'node:fs';
import { negativeErrno } from './device-error.ts';
import { HEADROOM, MAX_PACKET, type Port, VNET_BYTES } from './drain.ts';

const EAGAIN = -11;
const EBADFD = -77;
const EOF = 0;

/** After a wake without company, we look for more at every so many wakes only: looking costs more than a wake. */
const QUIET_WAKES = 4;

/** Moves packets one by one through one slot, a system call for each read and write. */
export class Singles {
  /** The slot's part into which packets are read, with their virtio headers. */
  readonly buffer: Uint8Array;
  private readonly slot: Uint8Array;

  /** @param bytes begin with the slot */
  constructor(bytes: Uint8Array) {
    this.slot = bytes;
    this.buffer = bytes.subarray(HEADROOM - VNET_BYTES, HEADROOM + MAX_PACKET);
  }

  /** Handles the packet in the slot. @param readBytes its virtio header included */
  handle(port: Port, readBytes: number): void {
    const length = readBytes - VNET_BYTES;
    port.counters.read(length);
    const left = port.handler.packet(this.slot, HEADROOM, length);
    if (left > 0) writePacket(port, this.slot, HEADROOM, left);
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
      const result = this.read(port);
      if (meansNoMore(result)) return found;
      found++;
      if (result < 0) port.counters.readFailed(-result);
      else this.handle(port, result);
    } while (found < most && !port.isClosed && performance.now() < end);
    return found;
  }

  private read({ fd }: Port): number {
    try {
      return readSync(fd, this.buffer, 0, this.buffer.length, null);
    } catch (error) {
      return negativeErrno(error);
    }
  }
}

/** Writes one packet by itself, unless the port is closed. Failures are counted: what cannot be written is lost, as on a full wire. */
export function writePacket(port: Port, bytes: Uint8Array, at: number, length: number): void {
  if (port.isClosed) return;
  let result: number;
  try {
    result = writeSync(port.fd, bytes, at - VNET_BYTES, length + VNET_BYTES);
  } catch (error) {
    result = negativeErrno(error);
  }
  port.counters.wrote(result, VNET_BYTES);
}

/** Whether a read says that nothing waits: the queue is empty or the device gone, which the loop tells. */
export const meansNoMore = (result: number): boolean =>
  result === EAGAIN || result === EBADFD || result === EOF;

/** Whether it pays to look for packets behind the one that woke us. */
export function looksForMore(port: Port): boolean {
  if (port.isBusy) return true;
  port.looksSkipped++;
  if (port.looksSkipped < QUIET_WAKES) return false;
  port.looksSkipped = 0;
  return true;
}
