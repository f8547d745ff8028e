import type { SyncIntake } from '../core/sync-intake.ts';
import type { SyncOffers } from '../core/sync-offers.ts';
import type { LogLimit } from './log-limit.ts';
import type { Rejection, SyncCounters } from './sync-counters.ts';
import { parseHead } from './wire/message.ts';
import { parseRecords } from './wire/reader.ts';

export interface ReceiverOptions {
  /** 0 takes messages of every syncid. */
  readonly syncId: number;
  /** Bytes of a message at the most. */
  readonly maxLen: number;
  readonly intake: SyncIntake;
  /** Of this director, while it is a master too. */
  readonly offers: () => SyncOffers | undefined;
  readonly counters: SyncCounters;
  readonly problems: LogLimit;
}

/** What a backup does with a datagram from the group. */
export class Receiver {
  private readonly options: ReceiverOptions;

  constructor(options: ReceiverOptions) {
    this.options = options;
  }

  /** @param from the sender, for people */
  message(bytes: Uint8Array, from: string, now: number): void {
    const { counters, intake, offers, syncId, maxLen } = this.options;
    counters.messagesReceived++;
    counters.bytesReceived += bytes.length;
    const head = bytes.length > maxLen ? 'too_long' : parseHead(bytes);
    if (typeof head === 'string') {
      this.reject(head, from);
      return;
    }
    if (syncId !== 0 && head.syncId !== syncId) {
      counters.reject('other_syncid');
      return;
    }
    const { records, faults } = parseRecords(bytes, head);
    const own = offers();
    for (const record of records) counters.take(intake.take(record, own, now));
    for (const fault of faults) this.reject(fault, from);
  }

  private reject(reason: Rejection, from: string): void {
    this.options.counters.reject(reason);
    this.options.problems.say(`sync: a message from ${from} is not taken: ${reason.replace('_', ' ')}`);
  }
}
