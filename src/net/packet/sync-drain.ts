import type { Arena, Native } from '../ffi/native.ts';
import { type Drain, type Port, SLOT_BYTES, WAKE_MS } from './drain.ts';
import { Precedence } from './precedence.ts';
import { Singles } from './singles.ts';

/** Moves each packet by a system call of its own. */
export class SyncDrain implements Drain {
  readonly tier = 'sync';
  readonly wakeBuffer: Uint8Array;
  private readonly kernel: Native;
  private readonly memory: Arena;
  private readonly singles: Singles;
  private readonly precedence: Precedence;

  constructor(kernel: Native) {
    this.kernel = kernel;
    this.memory = kernel.arena(SLOT_BYTES);
    this.singles = new Singles(kernel, this.memory);
    this.precedence = new Precedence(kernel);
    this.wakeBuffer = this.singles.buffer;
  }

  wake(port: Port, readBytes: number): void {
    port.counters.batches++;
    const now = performance.now();
    const end = now + WAKE_MS;
    this.precedence.take(now, port.counters.reads);
    try {
      this.singles.handle(port, readBytes);
      if (!port.isClosed && this.singles.looksForMore(port))
        port.isBusy = this.singles.drain(port, Number.POSITIVE_INFINITY, end) > 0;
      port.handler.batchEnd();
    } finally {
      this.precedence.giveBack();
    }
  }

  send(port: Port, bytes: Uint8Array, at: number, length: number): void {
    this.singles.write(port, bytes, at, length);
  }

  close(): void {
    this.kernel.release(this.memory);
    this.precedence.close();
  }
}
