import type { SyncRecord } from '../../core/sync-record.ts';
import { HEAD_LEN, type MessageHead } from './message.ts';
import { parseRecordV0, recordLengthAtV0 } from './record-v0.ts';
import { parseRecord, type RecordFault, recordLengthAt, startAfter } from './record-v1.ts';

/** The records that could be read, and what stood against others. */
export interface SyncRecords {
  readonly records: readonly SyncRecord[];
  readonly faults: readonly RecordFault[];
}

/** Reads the records of a message whose head was read. After most faults nothing more of the message is read. */
export const parseRecords = (b: Uint8Array, head: MessageHead): SyncRecords =>
  head.version === 1 ? recordsV1(b, head.count) : recordsV0(b, head.count);

function recordsV1(b: Uint8Array, count: number): SyncRecords {
  const records: SyncRecord[] = [];
  const faults: RecordFault[] = [];
  let at: number = HEAD_LEN[1];
  for (let n = 0; n < count; n++) {
    const length = recordLengthAt(b, at);
    if (typeof length === 'string') return { records, faults: [...faults, length] };
    const record = parseRecord(b, at, length);
    if (typeof record !== 'string') records.push(record);
    else faults.push(record);
    if (record === 'bad_option') break;
    at = startAfter(at + length);
  }
  return { records, faults };
}

function recordsV0(b: Uint8Array, count: number): SyncRecords {
  const records: SyncRecord[] = [];
  let at: number = HEAD_LEN[0];
  for (let n = 0; n < count; n++) {
    const length = recordLengthAtV0(b, at);
    if (length === undefined) return { records, faults: ['truncated'] };
    records.push(parseRecordV0(b, at));
    at += length;
  }
  return { records, faults: [] };
}
