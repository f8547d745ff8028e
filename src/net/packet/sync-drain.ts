import { type Drain, type Port, SLOT_BYTES, WAKE_MS } from './drain.ts';
import { looksForMore, Singles, writePacket } from './singles.ts';

/** Moves each packet by a system call of its own. Needs nothing but Node. */
export class SyncDrain implements Drain {
  readonly tier = 'sync';
  readonly wakeBuffer: Uint8Array;
  private readonly singles = new Singles(new Uint8Array(SLOT_BYTES));

  constructor() {
    this.wakeBuffer = this.singles.buffer;
  }

  wake(port: Port, readBytes: number): void {
    port.counters.batches++;
    const end = performance.now() + WAKE_MS;
    this.singles.handle(port, readBytes);
    if (!port.isClosed && looksForMore(port))
      port.isBusy = this.singles.drain(port, Number.POSITIVE_INFINITY, end) > 0;
    port.handler.batchEnd();
  }

  send(port: Port, bytes: Uint8Array, at: number, length: number): void {
    writePacket(port, bytes, at, length);
  }

  close(): void {}
}
