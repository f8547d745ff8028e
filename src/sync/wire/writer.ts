import type { SyncRecord } from '../../core/sync-record.ts';
import { emitHead, HEAD_LEN, MAX_RECORDS, type SyncVersion } from './message.ts';
import { emitRecordV0, recordLengthV0 } from './record-v0.ts';
import { emitRecord, recordLength, startAfter } from './record-v1.ts';

/** A message that records are added to until it is full. */
export class MessageWriter {
  readonly version: SyncVersion;
  private readonly syncId: number;
  private bytes: Uint8Array;
  private end: number;
  private count = 0;

  /** @param space the message's memory and its greatest length; a first record that is longer gets its own */
  constructor(version: SyncVersion, syncId: number, space: Uint8Array) {
    this.version = version;
    this.syncId = syncId;
    this.bytes = space;
    this.end = HEAD_LEN[version];
  }

  /** Adds an entry; an IPv6 one only to format 1. @returns false, and adds nothing, if the message has no room */
  add(record: SyncRecord): boolean {
    const isV1 = this.version === 1;
    const length = isV1 ? recordLength(record) : recordLengthV0(record);
    const at = isV1 ? startAfter(this.end) : this.end;
    if (this.count === 0) this.makeRoom(at + length);
    else if (this.count === MAX_RECORDS || at + length > this.bytes.length) return false;
    if (at > this.end) this.bytes.fill(0, this.end, at);
    if (isV1) emitRecord(this.bytes, at, record, length);
    else emitRecordV0(this.bytes, at, record);
    this.end = at + length;
    this.count++;
    return true;
  }

  /** @returns the message; a view of its memory */
  finish(): Uint8Array {
    const { version, syncId, count } = this;
    emitHead(this.bytes, { version, syncId, count }, this.end);
    return this.bytes.subarray(0, this.end);
  }

  private makeRoom(length: number): void {
    if (this.bytes.length < length) this.bytes = new Uint8Array(length);
  }
}
