import { SYNC_OUTCOMES, type SyncOutcome } from '../core/sync-intake.ts';
import type { MessageFault } from './wire/message.ts';
import type { RecordFault } from './wire/record-v1.ts';

/** Why a message, or a record of one, was not taken. `too_long`: beyond sync_maxlen. `other_syncid`: not for us. */
export type Rejection = MessageFault | RecordFault | 'too_long' | 'other_syncid';

const REJECTIONS: readonly Rejection[] = [
  'short',
  'length',
  'too_long',
  'other_syncid',
  'truncated',
  'bad_version',
  'bad_type',
  'bad_option',
  'unknown_option',
];

/** What the sync daemons have done since the director's start. */
export class SyncCounters {
  messagesSent = 0;
  bytesSent = 0;
  recordsSent = 0;
  sendErrors = 0;
  /** Messages thrown away because sync_qlen_max others waited. */
  queueDropped = 0;
  messagesReceived = 0;
  bytesReceived = 0;
  readonly outcomes = zeros(SYNC_OUTCOMES);
  readonly rejections = zeros(REJECTIONS);

  reject(reason: Rejection): void {
    this.rejections[reason]++;
  }

  take(outcome: SyncOutcome): void {
    this.outcomes[outcome]++;
  }

  /** As `uipvs status` shows them. */
  read(): Readonly<Record<string, number>> {
    const { created, updated, ignored, ...refused } = this.outcomes;
    const rejected = Object.entries({ ...this.rejections, ...refused });
    return {
      sync_messages_sent: this.messagesSent,
      sync_bytes_sent: this.bytesSent,
      sync_records_sent: this.recordsSent,
      sync_send_errors: this.sendErrors,
      sync_dropped_queue_full: this.queueDropped,
      sync_messages_received: this.messagesReceived,
      sync_bytes_received: this.bytesReceived,
      sync_entries_created: created,
      sync_entries_updated: updated,
      sync_records_ignored: ignored,
      ...Object.fromEntries(rejected.map(([reason, count]) => [`sync_dropped_${reason}`, count])),
    };
  }
}

const zeros = <T extends string>(names: readonly T[]): Record<T, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<T, number>;
