/*
 * Head of a synchronisation message (Linux ip_vs_sync.c). Offsets in bytes; numbers are big-endian.
 *
 *   format 1   [ 0 | syncid | size      | count | 1 | 0 0 ]   8 bytes; format 0 reads it as "no connections"
 *   format 0   [ count | syncid | size ]                     4 bytes
 */
import { setU16, u16 } from '../../core/wire/bytes.ts';

const COUNT_V0 = 0;
const SYNC_ID = 1;
const SIZE = 2;
const COUNT_V1 = 4;
const VERSION = 5;
const SPARE = 6;

export const HEAD_LEN = { 0: 4, 1: 8 } as const;

/** Records of one message: the count is an octet. */
export const MAX_RECORDS = 255;

export type SyncVersion = 0 | 1;

export interface MessageHead {
  readonly version: SyncVersion;
  readonly syncId: number;
  /** Records that are said to follow. */
  readonly count: number;
}

/** Why a whole message is not read: too short for a head; another length than it says. */
export type MessageFault = 'short' | 'length';

export function parseHead(b: Uint8Array): MessageHead | MessageFault {
  if (b.length < HEAD_LEN[0]) return 'short';
  if (u16(b, SIZE) !== b.length) return 'length';
  const isV1 = b.length >= HEAD_LEN[1] && b[VERSION] === 1 && b[COUNT_V0] === 0 && u16(b, SPARE) === 0;
  return isV1
    ? { version: 1, syncId: b[SYNC_ID]!, count: b[COUNT_V1]! }
    : { version: 0, syncId: b[SYNC_ID]!, count: b[COUNT_V0]! };
}

/** @param size bytes of the whole message */
export function emitHead(b: Uint8Array, { version, syncId, count }: MessageHead, size: number): void {
  b[SYNC_ID] = syncId;
  setU16(b, SIZE, size);
  if (version === 0) {
    b[COUNT_V0] = count;
    return;
  }
  b[COUNT_V0] = 0;
  b[COUNT_V1] = count;
  b[VERSION] = 1;
  setU16(b, SPARE, 0);
}
