import { type Drain, type Port, SLOT_BYTES, WAKE_MS } from './drain.ts';
import type { Arena, Native } from './ffi.ts';
import { Singles } from './singles.ts';

/** Moves each packet by a system call of its own. */
export class SyncDrain implements Drain {
  readonly tier = 'sync';
  readonly wakeBuffer: Uint8Array;
  private readonly kernel: Native;
  private readonly memory: Arena;
  private readonly singles: Singles;

  constructor(kernel: Native) {
    this.kernel = kernel;
    this.memory = kernel.arena(SLOT_BYTES);
    this.singles = new Singles(kernel, this.memory);
    this.wakeBuffer = this.singles.buffer;
  }

  wake(port: Port, readBytes: number): void {
    port.counters.batches++;
    const end = performance.now() + WAKE_MS;
    this.singles.handle(port, readBytes);
    if (!port.isClosed && this.singles.looksForMore(port))
      port.isBusy = this.singles.drain(port, Number.POSITIVE_INFINITY, end) > 0;
    port.handler.batchEnd();
  }

  send(port: Port, bytes: Uint8Array, at: number, length: number): void {
    this.singles.write(port, bytes, at, length);
  }

  close(): void {
    this.kernel.release(this.memory);
  }
}
