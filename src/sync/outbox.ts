import type { SyncRecord } from '../core/sync-record.ts';
import type { SyncVersion } from './wire/message.ts';
import { MessageWriter } from './wire/writer.ts';

/** How long a message may wait for more records, ms. */
const FLUSH_MS = 2000;

/** Memory of messages sent that is kept for the next ones, pieces. */
const SPARE_BUFFERS = 64;

export interface OutboxOptions {
  readonly syncId: number;
  /** Bytes of a message at the most. */
  readonly maxLen: number;
  /** Messages that may wait, asked at each. */
  readonly queueMax: () => number;
  /** Bytes that may wait in whole messages, whatever `queueMax` says. */
  readonly queueMaxBytes: number;
}

/** Messages in the making and waiting of one port: records are put together until a message is full or 2 s old. */
export class Outbox {
  /** Messages thrown away because too many waited. */
  dropped = 0;
  private readonly options: OutboxOptions;
  private open: MessageWriter | undefined;
  private openedAt = 0;
  private queue: Uint8Array[] = [];
  /** The next message of `queue`. */
  private head = 0;
  private queuedBytes = 0;
  private readonly spare: ArrayBufferLike[] = [];

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** Whole messages that wait. */
  get waiting(): number {
    return this.queue.length - this.head;
  }

  /** Adds a record, an IPv6 one only with format 1. @returns whether a whole message came to those that wait */
  add(record: SyncRecord, version: SyncVersion, now: number): boolean {
    const before = this.waiting;
    if (this.open?.version === version && this.open.add(record)) return false;
    this.close();
    this.open = new MessageWriter(version, this.options.syncId, this.space());
    this.openedAt = now;
    this.open.add(record);
    return this.waiting > before;
  }

  /** @returns the next message to be sent: a whole one, or the one in the making once it is 2 s old */
  take(now: number): Uint8Array | undefined {
    if (this.waiting === 0) {
      if (this.open === undefined || now - this.openedAt < FLUSH_MS) return undefined;
      const message = this.open.finish();
      this.open = undefined;
      return message;
    }
    const message = this.queue[this.head++]!;
    this.queuedBytes -= message.length;
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    }
    return message;
  }

  /** Gives the memory of a message that was sent back. */
  recycle(message: Uint8Array): void {
    const { buffer } = message;
    if (buffer.byteLength === this.options.maxLen && this.spare.length < SPARE_BUFFERS)
      this.spare.push(buffer);
  }

  private close(): void {
    if (this.open === undefined) return;
    const message = this.open.finish();
    this.open = undefined;
    const { queueMax, queueMaxBytes } = this.options;
    if (this.waiting >= queueMax() || this.queuedBytes + message.length > queueMaxBytes) {
      this.dropped++;
      this.recycle(message);
      return;
    }
    this.queue.push(message);
    this.queuedBytes += message.length;
  }

  private space(): Uint8Array {
    const buffer = this.spare.pop();
    return buffer === undefined ? new Uint8Array(this.options.maxLen) : new Uint8Array(buffer);
  }
}
